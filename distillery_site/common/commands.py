"""What the commands share: errors as one sentence, --json, and a run to wait for, hand over or do here."""

import json
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone
from tqdm import tqdm

from distillery_site.common.errors import DistilleryError
from distillery_site.common.runs import Run, RunState

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 15.0


class Answering(BaseCommand):
    """A command that answers with one value: a sentence for a person, or JSON with --json."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print the result as JSON; bars and notes go to stderr.")

    def execute(self, *args: Any, **options: Any) -> Any:
        try:
            return super().execute(*args, **options)
        except DistilleryError as error:
            raise CommandError("\n".join(getattr(error, "problems", None) or [str(error)])) from error

    def answer(self, value: dict[str, Any], sentence: str, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(value, ensure_ascii=False) if as_json else sentence)


class RunCommand(Answering):
    """A command whose work is a run: a worker does it while a bar shows how far it is."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--detach", action="store_true", help="Queue the run and return at once.")
        where.add_argument("--here", action="store_true", help="Do the work in this process, where no worker is up.")

    def see_through(
        self, runs: Sequence[Run], *, send: Callable[[], Any], work: Callable[[int], Any], detach: bool, here: bool
    ) -> None:
        """Have the runs done, in order. Raises CommandError with the run's own sentence when one ends otherwise than done."""
        if not here:
            send()
        if detach:
            return
        for run in runs:
            if here:
                _with_bar_beside(run, work, self.headline)
            else:
                watch(run, self.headline)
            run.refresh_from_db()
            if run.state != RunState.DONE:
                why = run.error or "see its page."
                raise CommandError(" ".join([f"{run} {run.get_state_display()}: {why}", *self.advice(run)]))

    def headline(self, run: Any) -> str:
        """What the bar says beside itself: a line, the same figures as on the run's page."""
        return run.stage or run.get_state_display()

    def advice(self, run: Any) -> list[str]:
        """Sentences on how to go on with a run that stopped before its end."""
        return []


def watch(run: Run, headline: Callable[[Any], str], *, stop: threading.Event | None = None) -> None:
    """Show a bar on stderr until the run rests; on anything but a terminal, only wait."""
    started, told = time.monotonic(), False
    with tqdm(total=1, desc=str(run), file=sys.stderr, disable=None, bar_format="{l_bar}{bar}| {elapsed} {postfix}") as bar:
        while run.state in (RunState.QUEUED, RunState.RUNNING) and not (stop and stop.is_set()):
            bar.n = run.progress_share
            bar.set_postfix_str(headline(run))
            if _is_left_alone(run) and time.monotonic() - started > PATIENCE_SECONDS and not told:
                told = True
                tqdm.write(f"No worker has taken {run} yet: start one with manage.py up, or add --here.", file=sys.stderr)
            time.sleep(POLL_SECONDS)
            run.refresh_from_db()
        bar.n = run.progress_share


def _is_left_alone(run: Run) -> bool:
    """Whether a worker could take it now and none has."""
    return run.state == RunState.QUEUED and (run.not_before is None or run.not_before < timezone.now())


def _with_bar_beside(run: Run, work: Callable[[int], Any], headline: Callable[[Any], str]) -> None:
    """The work stays in the main thread, whose life its child processes are bound to; the bar looks on from another."""
    stop = threading.Event()
    bar = threading.Thread(target=_look_on, args=(type(run).objects.get(pk=run.pk), headline, stop), daemon=True)
    if sys.stderr.isatty():
        bar.start()
    try:
        while run.state in (RunState.QUEUED, RunState.RUNNING):  # once, unless it was put back or a worker was faster
            work(run.pk)
            run.refresh_from_db()
            time.sleep(0 if run.is_final else POLL_SECONDS)
    finally:
        stop.set()
        if bar.is_alive():
            bar.join()


def _look_on(run: Run, headline: Callable[[Any], str], stop: threading.Event) -> None:
    try:
        watch(run, headline, stop=stop)
    finally:
        connections.close_all()
