"""A labelling worker is killed in mid-run: the next one goes on, nothing that had come is lost, and the books are right."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.utils import timezone

from labeling import figures, services
from labeling.models import LabelingRun, LabelingShard, OracleCall, OracleLabel
from tests.fakes.vendor import KEY, FakeVendor
from tests.labeling import world
from tests.labeling.running.test_asking import check_books

ARTICLES = 60
WORKER = "import django; django.setup(); from labeling.services import run_labeling; run_labeling(run_id={})"
PARTS = {"ORACLE_CONCURRENCY": "10", "ORACLE_LIMITS": "anthropic/claude-haiku-5-5=60000"}


@pytest.fixture
def server(settings: Any) -> Iterator[FakeVendor]:
    with FakeVendor() as running:
        running.state.seconds = 0.1
        settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = running.url, KEY
        settings.ORACLE_CONCURRENCY, settings.ORACLE_LIMITS = 10, [PARTS["ORACLE_LIMITS"]]
        yield running


@pytest.fixture
def run(transactional_db: None) -> LabelingRun:
    world.forget_rates()
    return services.start_labeling(
        version=world.version(),
        oracle=services.get_oracle(provider="anthropic"),
        articles=world.keys(world.articles(ARTICLES)),
        budget_usd=Decimal(1),
        agreed=True,
    )


def killed_in_the_middle(run: LabelingRun, server: FakeVendor, env: dict[str, str]) -> None:
    place = {**env, **PARTS, "ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": KEY}
    worker = subprocess.Popen([sys.executable, "-c", WORKER.format(run.pk)], env=place)
    deadline = time.monotonic() + 60
    while run.labels.count() < 10 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()


def test_the_next_worker_goes_on_where_a_killed_one_stopped(run: LabelingRun, server: FakeVendor, child_env: dict[str, str]):
    killed_in_the_middle(run, server, child_env)
    run.refresh_from_db()
    half = run.labels.count()
    assert run.state == "running" and 10 <= half < ARTICLES
    services.run_labeling(run_id=run.pk)
    assert run.labels.count() == half, "nobody takes a shard whose lease still holds"
    LabelingShard.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    services.run_labeling(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.progress_done) == ("done", ARTICLES)
    assert figures.run_counts(run) == figures.RunCounts(labelled=ARTICLES)
    check_ledger(run, server)


def check_ledger(run: LabelingRun, server: FakeVendor) -> None:
    """Every label once; only what had not come was asked again, and that is booked as lost."""
    assert OracleLabel.objects.values("article").distinct().count() == OracleLabel.objects.count() == ARTICLES
    check_books(run)
    lost = run.calls.filter(state="lost").count()
    assert 0 <= lost <= 10 and (run.lost_usd > 0) == (lost > 0)
    assert len(server.ledger) <= ARTICLES + lost


def test_a_reply_that_had_come_before_the_worker_died_is_not_asked_for_again(
    run: LabelingRun, server: FakeVendor, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("labeling.running.asking.settle", dies)
    with pytest.raises(ExceptionGroup):
        services.run_labeling(run_id=run.pk)
    monkeypatch.undo()
    shard = run.shards.get()
    spool = Path(site.VAR) / "spool" / str(shard.pk)
    kept = sum(len(path.read_text().splitlines()) for path in spool.glob("*.jsonl"))
    LabelingShard.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    services.run_labeling(run_id=run.pk)
    run.refresh_from_db()
    assert run.state == "done" and kept > 0
    assert len(server.ledger) == ARTICLES + OracleCall.objects.filter(state="lost").count()
    assert not spool.exists()
    check_books(run)


def dies(*_: Any) -> None:
    raise RuntimeError("The power went.")
