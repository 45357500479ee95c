"""What a terminal shows of a run beside its bar, and what it says when the run stopped."""

import contextlib
import io
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from distillery_site.common import commands
from distillery_site.common.runs import RunState
from labeling.models import FilterVersion, LabelingRun
from labeling.planning.label_command import LabelCommand
from labeling.watching.standing import Standing
from tests.labeling import paid

pytestmark = pytest.mark.django_db


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def one_look(run: LabelingRun, line: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a terminal of 160 columns shows after the bar was drawn once."""
    stop = threading.Event()

    def headline(found: Any) -> str:
        stop.set()
        return line

    monkeypatch.setattr(commands, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(commands, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setenv("COLUMNS", "160")
    with contextlib.redirect_stderr(Terminal()) as screen:
        commands.watch(run, headline, stop=stop)
    return screen.getvalue()


def test_the_bar_says_what_the_page_says(version: FilterVersion, monkeypatch: pytest.MonkeyPatch):
    run = paid.at_work(paid.run(version), progress_done=1, cost_usd=paid.EACH)
    paid.labelled(run.items.first())
    line = LabelCommand().headline(run)
    assert line == Standing(run).headline and line.startswith("1 of 4 · ") and "$0.0100 of $1.00" in line
    shown = one_look(run, line, monkeypatch)
    assert line in shown and f"labelling run {run.pk}" in shown


@pytest.mark.parametrize(("minutes", "told"), [(None, True), (-1, True), (5, False)])
def test_it_misses_a_worker_only_while_one_could_work(
    version: FilterVersion, monkeypatch: pytest.MonkeyPatch, minutes: int | None, told: bool
):
    due = None if minutes is None else timezone.now() + timedelta(minutes=minutes)
    assert ("No worker has taken" in one_look(paid.run(version, not_before=due), "", monkeypatch)) is told


def test_a_run_that_stopped_says_why_and_how_to_go_on(version: FilterVersion, monkeypatch: pytest.MonkeyPatch):
    why = "The cap of $1.0000 for this run is reached. Raise the cap and resume."
    run = paid.run(version)

    def stops(pk: int) -> None:
        paid.change(run, state=RunState.PAUSED, error=why)

    def nothing() -> Any:
        return None

    with pytest.raises(CommandError) as raised:
        LabelCommand().see_through([run], send=nothing, work=stops, detach=False, here=True)
    go_on = f"python manage.py label tiny@1 --resume {run.pk} --budget USD"
    assert str(raised.value) == f"labelling run {run.pk} paused: {why} To go on: {go_on}"
