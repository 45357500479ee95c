"""A training process never outlives its parent into a second life beside the next attempt."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from django.utils import timezone

from distillery_site.common.runs import RunState
from training.models import TrainingRun
from training.registry import nursery
from training.running.child import Child, end_orphan
from training.services import run_training, start_training

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTED = (sys.executable, "-m", "tests.fakes.training_child")
WORKER = """
import sys, django
django.setup()
from training.services import run_training
run_training(run_id=int(sys.argv[1]), student=sys.argv[2:])
"""

PARENT = """
import json, subprocess
process = subprocess.Popen(["sleep", "60"])
print(json.dumps({"event": "born", "pid": process.pid}), flush=True)
process.wait()
"""


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def killed(transactional_db, folders, dataset, child_env) -> tuple[TrainingRun, psutil.Process]:
    """A run whose worker was killed with -9 while its training process, which ignores TERM, was at work."""
    run = start_training(dataset=dataset, kind="ridge")
    env = {**child_env, "DISTILLERY_VAR": str(folders)}
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(run.pk), *SCRIPTED, "hangs"], cwd=ROOT, env=env)
    pid = nursery(run) / "pid"
    until(lambda: pid.exists() and pid.read_text())
    child = psutil.Process(int(pid.read_text()))
    worker.kill()
    worker.wait()
    return run, child


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_the_training_process_dies_with_its_worker(killed):
    _, child = killed
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 5)


def test_the_run_is_done_by_the_next_worker_once_the_lease_ran_out(killed):
    run, _ = killed
    run_training(run_id=run.pk, student=(*SCRIPTED, "learns"))
    assert TrainingRun.objects.get(pk=run.pk).state == RunState.RUNNING
    TrainingRun.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    run_training(run_id=run.pk, student=(*SCRIPTED, "learns"))
    done = TrainingRun.objects.get(pk=run.pk)
    assert (done.state, done.attempts, done.result.number) == (RunState.DONE, 1, 1)


@pytest.fixture
def orphan():
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def born(process: subprocess.Popen) -> float:
    return psutil.Process(process.pid).create_time()


def note(folder: Path, **changes) -> None:
    (folder / "child.json").write_text(json.dumps({"host": platform.node(), **changes}))


def test_an_orphan_is_ended_before_the_next_attempt(tmp_path, orphan):
    note(tmp_path, pid=orphan.pid, created=born(orphan))
    assert end_orphan(tmp_path)
    assert orphan.wait(5) != 0
    assert not end_orphan(tmp_path)


@pytest.mark.parametrize("change", [{"created": 1.0}, {"host": "another-machine"}])
def test_another_program_with_the_same_number_is_left_alone(tmp_path, orphan, change):
    note(tmp_path, **{"pid": orphan.pid, "created": born(orphan), **change})
    assert not end_orphan(tmp_path)
    assert orphan.poll() is None


def test_a_note_cut_short_stops_nothing(tmp_path):
    (tmp_path / "child.json").write_text('{"host": "')
    assert not end_orphan(tmp_path)


def test_stopping_ends_all_that_the_process_started(tmp_path):
    child = Child.start([sys.executable, "-c", PARENT], folder=tmp_path, cwd=ROOT, env=dict(os.environ))
    grandchild = psutil.Process(next(event for event in child.events(0.1) if event)["pid"])
    assert child.stop() == -signal.SIGTERM
    until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE, 5)
