"""A training process' life as its run tells it, with a scripted process in place of a student."""

import errno
import sys
import threading
import time
from datetime import timedelta

import psutil
import pytest
from django.db import connection
from django.utils import timezone

from distillery_site.common.runs import RunState
from tests.fakes.training_child import LACKS
from training import datasets, tasks
from training.models import TrainingRun
from training.registry import nursery
from training.running.learning import in_line
from training.services import resume_training, run_training, start_training

pytestmark = pytest.mark.usefixtures("folders")


@pytest.fixture
def run(dataset) -> TrainingRun:
    return start_training(dataset=dataset, kind="ridge")


def play(run: TrainingRun, scene: str) -> TrainingRun:
    TrainingRun.objects.filter(pk=run.pk).update(not_before=None)
    run_training(run_id=run.pk, student=(sys.executable, "-m", "tests.fakes.training_child", scene))
    run.refresh_from_db()
    return run


def test_it_ends_with_a_registered_student(run):
    play(run, "learns")
    assert run.state == RunState.DONE
    assert (run.result.ref, run.result.val_mae) == ("news-ridge/v1", 0.5)
    assert (run.result.path / "manifest.json").exists()


def test_events_become_rows(run):
    play(run, "learns")
    assert run.loss_curve == [[1, 1.0], [2, 0.5], [3, 1 / 3], [4, 0.25]]
    assert (run.step, run.steps, run.epoch_now, run.progress_share) == (4, 4, 2.0, 1.0)
    assert run.notes == ["A scripted student."]
    assert list(run.epochs.values_list("number", "val_mae", "chosen")) == [(1, 1.0, False), (2, 0.5, True)]
    assert run.epochs.first().val_mae_by_output == [1.0, None]


def test_what_libraries_print_is_no_event(run):
    assert play(run, "chatters").state == RunState.DONE


def test_nothing_is_left_lying_about(run, folders, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        play(run, "learns")
    assert list((folders / "models" / ".unfinished").iterdir()) == []
    assert list((folders / "work").iterdir()) == []


def test_a_killed_process_goes_on_from_its_last_checkpoint(run):
    play(run, "killed after an epoch")
    assert run.state == RunState.QUEUED
    assert "ended by SIGKILL" in run.error
    play(run, "killed after an epoch")
    assert run.state == RunState.DONE
    assert [point[0] for point in run.loss_curve] == [1, 2, 3, 4]
    assert run.error == ""


def test_progress_forgives_earlier_stumbles(run):
    TrainingRun.objects.filter(pk=run.pk).update(attempts=4)
    play(run, "killed after an epoch")
    assert (run.state, run.attempts) == (RunState.QUEUED, 1)


def test_an_error_for_good_fails_with_its_own_sentence(run):
    play(run, "refuses")
    assert (run.state, run.error) == (RunState.FAILED, "The median article would lose 80 % of its tokens.")


def test_a_passing_error_puts_the_run_back(run):
    play(run, "stumbles")
    assert (run.state, run.error) == (RunState.QUEUED, "The disk is full.")
    assert run.not_before > timezone.now()


@pytest.mark.parametrize("scene", ["disk full", "base missing", "out of memory"])
def test_what_a_machine_lacks_reaches_the_person_as_a_sentence(run, scene):
    play(run, scene)
    assert run.error == LACKS[scene].text
    assert run.state == (RunState.FAILED if LACKS[scene].permanent else RunState.QUEUED)


def test_a_disk_that_is_full_before_the_process_starts_is_a_sentence_too(run, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOSPC, "No space left on device", "/var/data/examples.jsonl")

    monkeypatch.setattr(datasets, "export", refuse)
    play(run, "learns")
    assert run.state == RunState.QUEUED
    assert run.error.startswith("The disk is full at /var/data/examples.jsonl: free some space below")


def test_a_base_that_is_not_here_is_a_sentence(dataset):
    run = play(start_training(dataset=dataset, kind="lora", preset="qwen2.5-1.5b"), "learns")
    assert run.state == RunState.FAILED
    assert "The base model 'qwen2.5-1.5b' is not in" in run.error and "fetch_base qwen2.5-1.5b" in run.error


def test_what_memory_cost_is_noted_while_the_run_goes_on(run):
    play(run, "needs less")
    assert run.state == RunState.DONE
    assert "Memory ran out with 16 articles at a time; it goes on with 8, in batches of the same size." in run.notes


def test_the_queue_goes_on_past_a_failed_run(dataset, monkeypatch):
    """As the gpu lane takes them: one message after the other."""
    scenes = {"first": "learns", "second": "crashes", "third": "learns"}
    runs = [start_training(dataset=dataset, kind="ridge", name=name, config={"min_articles": 1}) for name in scenes]
    assert in_line(runs[2]) == "2 runs wait before this one."

    def work(*, run_id):
        scene = scenes[TrainingRun.objects.get(pk=run_id).model_name]
        run_training(run_id=run_id, student=(sys.executable, "-m", "tests.fakes.training_child", scene))

    monkeypatch.setattr(tasks, "run_training", work)
    for waiting in runs:
        tasks.train(waiting.pk)
    assert [row.state for row in TrainingRun.objects.order_by("pk")] == [RunState.DONE, RunState.FAILED, RunState.DONE]


def test_a_failed_run_can_be_tried_again(run):
    play(run, "crashes")
    assert resume_training(run=run)
    assert play(run, "learns").state == RunState.DONE


def test_a_crash_fails_with_the_last_words(run):
    play(run, "crashes")
    assert run.state == RunState.FAILED
    assert run.error == "The training process ended with status 3.\nLoading…\nValueError: the sky fell"


def test_a_process_that_leaves_without_a_student_has_failed(run):
    assert play(run, "leaves").state == RunState.FAILED


def test_what_is_done_is_not_done_again(run):
    play(run, "learns")
    finished = run.finished_at
    assert play(run, "crashes").finished_at == finished


def test_a_run_cancelled_while_it_waits_never_starts(run, folders):
    run.request_cancel()
    play(run, "learns")
    assert run.state == RunState.CANCELLED
    assert not nursery(run).exists()


@pytest.fixture
def hanging(transactional_db, run):
    """A run whose process says nothing and ignores TERM, in a thread as a worker would hold it; gives its process."""

    def work() -> None:
        play(TrainingRun.objects.get(pk=run.pk), "hangs")
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    pid = nursery(run) / "pid"
    until(lambda: pid.exists() and pid.read_text())
    yield psutil.Process(int(pid.read_text()))
    TrainingRun.objects.get(pk=run.pk).request_cancel()
    worker.join(15)


def until(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_cancelling_ends_the_process_within_five_seconds(run, hanging):
    start = time.monotonic()
    TrainingRun.objects.get(pk=run.pk).request_cancel()
    until(lambda: not hanging.is_running(), 5)
    until(lambda: TrainingRun.objects.get(pk=run.pk).state == RunState.CANCELLED, 5 - (time.monotonic() - start))


def test_a_silent_process_keeps_its_lease(run, hanging):
    first = TrainingRun.objects.get(pk=run.pk).heartbeat_at
    until(lambda: TrainingRun.objects.get(pk=run.pk).heartbeat_at > first, 4)


def test_whoever_loses_the_run_ends_its_process_and_writes_nothing(run, hanging):
    TrainingRun.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    other = TrainingRun.objects.claim(run.pk)
    until(lambda: not hanging.is_running(), 6)
    assert TrainingRun.objects.get(pk=run.pk).lease_token == other.lease_token
