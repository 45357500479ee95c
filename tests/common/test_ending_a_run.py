from datetime import timedelta

import pytest
from django.utils import timezone

from distillery_site.common.errors import Cancelled
from distillery_site.common.runs import MAX_ATTEMPTS, RunState, redispatch
from training.models import TrainingRun

runs = TrainingRun.objects


@pytest.fixture
def held(run) -> TrainingRun:
    return runs.claim(run.pk)


def test_it_finishes_with_the_last_figures(held):
    assert held.finish(stage="", progress_done=10)
    row = runs.get(pk=held.pk)
    assert (row.state, row.progress_done, row.lease_token) == (RunState.DONE, 10, None)
    assert row.seconds >= 0


def test_it_fails_with_a_sentence(held):
    held.fail("The base model is missing.")
    assert runs.get(pk=held.pk).error == "The base model is missing."


def test_a_run_put_back_waits_and_then_is_due(held):
    held.put_back("The network is down.", 30)
    assert not runs.due().exists()
    runs.update(not_before=timezone.now())
    assert runs.claim(held.pk).attempts == 2


def test_a_run_put_back_too_often_fails_with_its_last_sentence(held):
    held.attempts = MAX_ATTEMPTS
    held.put_back("The network is down.", 30)
    row = runs.get(pk=held.pk)
    assert row.state == RunState.FAILED
    assert row.error == f"Gave up after {MAX_ATTEMPTS} attempts. The network is down."


def test_a_waiting_run_is_cancelled_at_once(run):
    run.request_cancel()
    assert run.state == RunState.CANCELLED
    assert runs.claim(run.pk) is None


def test_a_held_run_is_asked_to_stop_and_hears_it_at_its_next_beat(held):
    runs.get(pk=held.pk).request_cancel()
    with pytest.raises(Cancelled):
        held.beat()
    held.stop_cancelled()
    assert runs.get(pk=held.pk).state == RunState.CANCELLED


def test_a_finished_run_is_not_cancelled(held):
    held.finish()
    held.request_cancel()
    assert held.state == RunState.DONE
    assert not held.cancel_requested


def test_a_cancelled_run_is_resumed_with_a_clean_slate(run):
    run.request_cancel()
    assert run.resume()
    assert runs.claim(run.pk).attempts == 1


def test_a_running_run_cannot_be_resumed(held):
    assert not held.resume()


def test_the_clock_sends_what_is_due_and_only_that(run, held):
    waiting = TrainingRun.objects.create(dataset=run.dataset, kind="ridge", model_name="again")
    sent = []
    assert redispatch(TrainingRun, sent.append) == 1
    runs.filter(pk=held.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    redispatch(TrainingRun, sent.append)
    assert sent == [waiting.pk, held.pk, waiting.pk]
