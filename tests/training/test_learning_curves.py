"""A learning curve's life as its row tells it, with students that learn by a known law."""

import sys
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from distillery_site.common.errors import BadInput
from distillery_site.common.models import AuditEntry
from distillery_site.common.runs import RunState
from training.curves import service
from training.curves.service import cancel_curve, points_folder, resume_curve, run_curve, start_curve
from training.models import LearningCurve
from training.student.powerlaw import Curve

SHARES = (0.25, 0.5, 0.75, 1.0)


@pytest.fixture
def run(folders, dataset) -> LearningCurve:
    return start_curve(dataset=dataset, shares=SHARES)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "trained"
    path.touch()
    return path


def play(run: LearningCurve, log, scene: str = "draws") -> LearningCurve:
    LearningCurve.objects.filter(pk=run.pk).update(not_before=None)
    run_curve(run_id=run.pk, student=(sys.executable, "-m", "tests.fakes.curve_child", scene, str(log)))
    run.refresh_from_db()
    return run


def test_it_ends_with_points_and_a_law(run, log, folders):
    play(run, log)
    assert (run.state, run.error) == (RunState.DONE, "")
    assert [(point["articles"], point["seed"]) for point in run.points] == [(8, 0), (8, 1), (8, 2), (16, 0), (16, 1),
            (16, 2), (24, 0), (24, 1), (24, 2), (32, 0)]  # fmt: skip
    curve = Curve.from_json(run.fit["filters"]["uplifting"])
    assert curve.value(1.0) == pytest.approx(0.5, abs=0.01) and curve.falls
    assert run.progress_share == 1.0
    assert not points_folder(run).exists() and not list((folders / "work").iterdir())


def test_a_killed_process_goes_on_after_its_last_point(run, log):
    play(run, log, "killed")
    assert run.state == RunState.QUEUED and "ended by SIGKILL; it goes on after the last point" in run.error
    assert [(point["articles"], point["seed"]) for point in run.points] == [(8, 0), (8, 1)]
    play(run, log)
    assert run.state == RunState.DONE and len(run.points) == 10
    trained = log.read_text().split()
    assert trained == ["8-0", "8-1", "8-2", *["8-2", "16-0", "16-1", "16-2", "24-0", "24-1", "24-2", "32-0"]]


def test_an_error_for_good_fails_with_its_own_sentence(run, log):
    play(run, log, "refuses")
    assert (run.state, run.error) == (RunState.FAILED, "The median article would lose 80 % of its tokens.")


def test_a_process_that_crashes_tells_its_last_words(run, log):
    run_curve(run_id=run.pk, student=(sys.executable, "-c", "raise ValueError('the sky fell')"))
    run.refresh_from_db()
    assert run.state == RunState.FAILED and "ValueError: the sky fell" in run.error


def test_what_is_done_is_not_drawn_again(run, log):
    play(run, log)
    play(run, log)
    assert len(log.read_text().split()) == 10


def test_two_clicks_start_one_curve(run, dataset):
    assert start_curve(dataset=dataset, shares=SHARES) == run
    assert start_curve(dataset=dataset, shares=SHARES, seeds=4) != run
    assert AuditEntry.objects.filter(action="learning curve started").count() == 2


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"kind": "stack"}, "A learning curve is drawn with ridge or kernel or lora, not with 'stack'."),
        ({"config": {"depth": 3}}, "ridge has no option 'depth'"),
        ({"shares": (0.1, 0.2, 0.4, 1.0)}, "The smallest share is 3 of 32 training articles"),
        ({"seeds": 1}, "The curve takes 3 to 20 seeds, not 1."),
    ],
)
def test_it_refuses_before_anything_is_queued(dataset, wish, sentence):
    with pytest.raises(BadInput, match=sentence):
        start_curve(dataset=dataset, **{"shares": SHARES, **wish})
    assert not LearningCurve.objects.exists()


def test_the_test_split_never_leaves_the_tables(run, log, dataset, monkeypatch):
    from training import datasets

    asked = []
    whole = datasets._items
    monkeypatch.setattr(datasets, "_items", lambda dataset, *splits: asked.extend(splits) or whole(dataset, *splits))
    play(run, log)
    assert sorted(asked) == ["train", "val"]


@pytest.mark.parametrize("kind", ["kernel", "lora"])
def test_kinds_that_read_with_a_base_are_told_where_it_is(kind, folders, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("training.running.launching.base", lambda run, name: tmp_path / name)
    words = service._words(start_curve(dataset=dataset, kind=kind, shares=SHARES), tmp_path)
    assert words[words.index("--base") + 1] == str(tmp_path / "minilm")
    assert "--lease" in words


def test_a_cancelled_curve_keeps_its_points_and_is_resumed(run, log):
    play(run, log, "killed")
    cancel_curve(run=run)
    assert run.state == RunState.CANCELLED and len(run.points) == 2
    assert resume_curve(run=run)
    assert play(run, log).state == RunState.DONE


def until(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def hanging(transactional_db, run, log):
    """A curve whose process says nothing and ignores TERM, in a thread as a worker would hold it."""

    def work() -> None:
        play(LearningCurve.objects.get(pk=run.pk), log, "hangs")
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    until(lambda: log.read_text())
    yield run
    LearningCurve.objects.get(pk=run.pk).request_cancel()
    worker.join(15)


def test_cancelling_ends_it_within_five_seconds(hanging):
    LearningCurve.objects.get(pk=hanging.pk).request_cancel()
    until(lambda: LearningCurve.objects.get(pk=hanging.pk).state == RunState.CANCELLED, 5)


def test_whoever_loses_the_curve_writes_nothing(hanging):
    LearningCurve.objects.filter(pk=hanging.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    other = LearningCurve.objects.claim(hanging.pk)
    time.sleep(2)
    assert LearningCurve.objects.get(pk=hanging.pk).lease_token == other.lease_token


def test_the_clock_sends_it_round_again(run, monkeypatch):
    from distillery_site import tasks
    from training.curves.tasks import draw

    sent = []
    monkeypatch.setattr(draw, "apply_async", lambda args, **how: sent.append(args))
    tasks.redispatch()
    assert sent == [(run.pk,)]
