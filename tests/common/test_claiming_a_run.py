from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from distillery_site.common.errors import LeaseLost
from distillery_site.common.runs import MAX_ATTEMPTS, RunState
from training.models import TrainingRun

runs = TrainingRun.objects


def expire(run: TrainingRun) -> None:
    runs.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_it_gives_a_queued_run_to_who_asks(run):
    held = runs.claim(run.pk)
    assert held.state == RunState.RUNNING
    assert held.attempts == 1
    assert held.started_at is not None


def test_it_gives_a_held_run_to_nobody_else(run):
    runs.claim(run.pk)
    assert runs.claim(run.pk) is None


@pytest.mark.django_db(transaction=True)
def test_it_gives_a_run_to_one_of_many_who_ask_at_once(run):
    def ask(_: int) -> bool:
        try:
            return runs.claim(run.pk) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1


def test_it_leaves_a_run_alone_until_its_time_has_come(run):
    runs.filter(pk=run.pk).update(not_before=timezone.now() + timedelta(minutes=1))
    assert runs.claim(run.pk) is None


@pytest.mark.parametrize("state", [RunState.DONE, RunState.FAILED, RunState.CANCELLED, RunState.PAUSED])
def test_it_leaves_a_run_alone_that_rests(run, state):
    runs.filter(pk=run.pk).update(state=state)
    assert runs.claim(run.pk) is None


def test_it_gives_a_run_away_when_its_lease_ran_out(run):
    first = runs.claim(run.pk)
    expire(run)
    second = runs.claim(run.pk)
    assert second.lease_token != first.lease_token
    assert second.started_at == first.started_at


def test_whoever_lost_a_run_can_no_longer_write_to_it(run):
    first = runs.claim(run.pk)
    expire(run)
    runs.claim(run.pk)
    with pytest.raises(LeaseLost):
        first.beat(stage="still here")
    with pytest.raises(LeaseLost):
        first.hold()
    assert not first.finish()
    assert not first.fail("too late")
    assert not first.put_back("too late", 0)
    assert runs.get(pk=run.pk).state == RunState.RUNNING


def test_a_heartbeat_keeps_the_lease_and_stores_progress(run):
    held = runs.claim(run.pk)
    expire(run)
    held.beat(progress_done=3, progress_total=4)
    assert runs.claim(run.pk) is None
    assert runs.get(pk=run.pk).progress_share == 0.75


def test_a_run_that_takes_its_workers_down_fails_in_the_end(run):
    for _ in range(MAX_ATTEMPTS):
        assert runs.claim(run.pk) is not None
        expire(run)
    assert runs.claim(run.pk) is None
    run.refresh_from_db()
    assert run.state == RunState.FAILED
    assert "Gave up" in run.error


def test_postgres_refuses_a_running_row_without_a_lease(run):
    from django.db import IntegrityError

    with pytest.raises(IntegrityError):
        runs.filter(pk=run.pk).update(state=RunState.RUNNING)
