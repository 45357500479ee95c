"""A labelling worker is killed in mid-run: the next one goes on, no article is labelled twice, and the books are right."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from labeling import figures, services
from labeling.models import LabelingRun, OracleLabel
from tests.fakes.vendor import KEY, FakeVendor
from tests.labeling import world

ARTICLES = 60
WORKER = "import django; django.setup(); from labeling.services import run_labeling; run_labeling(run_id={})"


@pytest.fixture
def server(settings: Any) -> Iterator[FakeVendor]:
    with FakeVendor() as running:
        running.state.seconds = 0.1
        settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = running.url, KEY
        yield running


@pytest.fixture
def run(transactional_db: None) -> LabelingRun:
    return services.start_labeling(
        version=world.version(),
        oracle=services.get_oracle(provider="anthropic"),
        articles=world.keys(world.articles(ARTICLES)),
        budget_usd=Decimal(1),
    )


def killed_in_the_middle(run: LabelingRun, env: dict[str, str]) -> None:
    worker = subprocess.Popen([sys.executable, "-c", WORKER.format(run.pk)], env=env)
    deadline = time.monotonic() + 60
    while run.labels.count() < 10 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()


def test_the_next_worker_goes_on_where_a_killed_one_stopped(run: LabelingRun, server: FakeVendor, child_env: dict[str, str]):
    killed_in_the_middle(run, {**child_env, "ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": KEY})
    run.refresh_from_db()
    half = run.labels.count()
    assert run.state == "running" and 10 <= half < ARTICLES
    services.run_labeling(run_id=run.pk)
    assert run.labels.count() == half, "nobody takes a run whose lease still holds"
    LabelingRun.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    services.run_labeling(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.progress_done) == ("done", ARTICLES)
    assert figures.run_counts(run) == figures.RunCounts(labelled=ARTICLES)
    check_books(run, server)


def check_books(run: LabelingRun, server: FakeVendor) -> None:
    """Every label once; what was out when the worker died was asked again and is booked as lost."""
    assert OracleLabel.objects.values("article").distinct().count() == OracleLabel.objects.count() == ARTICLES
    asked_again = len(server.calls) - ARTICLES
    assert 0 <= asked_again <= 8
    assert run.cost_usd == sum(OracleLabel.objects.values_list("cost_usd", flat=True))
    assert (run.lost_usd > 0) >= (asked_again > 0) and run.reserved_usd == 0
