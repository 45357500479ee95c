"""A look ahead at a training: some steps, what they foretell, and nothing left behind."""

import sys

import pytest

from distillery_site import overview
from distillery_site.attention import concerns
from distillery_site.common.errors import BadInput
from distillery_site.common.models import AuditEntry
from distillery_site.common.runs import RunState
from tests.fakes.training_child import FORETOLD
from training import tasks
from training.models import ModelVersion, TrainingRun
from training.running import launching
from training.services import cancel_training, queued_ridges, run_training, start_estimate, start_training
from training.student import artifact

pytestmark = pytest.mark.usefixtures("folders", "no_base")


@pytest.fixture
def no_base(monkeypatch):
    """No base model is looked for: the scripted process, which says what code it is, needs none."""
    monkeypatch.setattr(launching, "base", lambda run, name: f"/bases/{name}")
    monkeypatch.setattr(artifact, "code_version", lambda: "scripted")


@pytest.fixture
def estimate(dataset) -> TrainingRun:
    return start_estimate(dataset=dataset, kind="lora", preset="tiny")


def play(run: TrainingRun, scene: str = "learns") -> TrainingRun:
    run_training(run_id=run.pk, student=(sys.executable, "-m", "tests.fakes.training_child", scene))
    run.refresh_from_db()
    return run


def test_it_stores_what_the_first_steps_foretell_and_registers_nothing(estimate, folders):
    play(estimate)
    assert (estimate.state, estimate.purpose) == (RunState.DONE, "estimate")
    assert estimate.estimate == FORETOLD
    assert not ModelVersion.objects.exists() and not (folders / "models").exists()
    assert list((folders / "work").iterdir()) == []


def test_the_same_is_not_estimated_twice(dataset, estimate):
    def again(**options):
        return start_estimate(dataset=dataset, kind="lora", preset="tiny", **options)

    assert again() == estimate, "while it waits"
    play(estimate)
    assert again() == estimate, "and when it is done"
    assert again(config={"epochs": 3}) != estimate
    assert TrainingRun.objects.count() == 2 and AuditEntry.objects.filter(action="estimate started").count() == 2


def test_other_code_is_looked_at_afresh(dataset, estimate, monkeypatch):
    play(estimate)
    monkeypatch.setattr(artifact, "code_version", lambda: "newer")
    assert start_estimate(dataset=dataset, kind="lora", preset="tiny") != estimate


@pytest.mark.parametrize("scene", ["refuses", "leaves"])
def test_one_that_came_to_nothing_is_no_answer(dataset, estimate, scene):
    assert play(estimate, scene).state == RunState.FAILED
    assert start_estimate(dataset=dataset, kind="lora", preset="tiny") != estimate


@pytest.mark.parametrize("kind", ["ridge", "stack"])
def test_what_takes_seconds_is_not_estimated(dataset, kind):
    with pytest.raises(BadInput, match=f"A {kind} learns in seconds"):
        start_estimate(dataset=dataset, kind=kind)


def test_bad_options_are_refused_as_a_training_would(dataset):
    with pytest.raises(BadInput, match="epochs must be at least 1"):
        start_estimate(dataset=dataset, kind="lora", config={"epochs": 0})


def test_it_is_cancelled_like_a_training(estimate):
    cancel_training(run=estimate)
    assert play(estimate).state == RunState.CANCELLED


def test_it_is_no_training(dataset, estimate, monkeypatch, django_capture_on_commit_callbacks):
    sent: list[int] = []
    monkeypatch.setattr(tasks.train, "delay", sent.append)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.send(estimate)
    assert sent == [estimate.pk], "it brings no ridge along"
    assert not TrainingRun.objects.trainings().exists() and queued_ridges(estimate) == []
    assert start_training(dataset=dataset, kind="lora", preset="tiny") != estimate


def test_the_overview_counts_none(dataset, uplifting, estimate):
    assert overview.runs_now() == []
    [student] = [stop for stop in overview.stations(uplifting.filter) if stop.name == "Students"]
    assert student.state == "idle"
    play(estimate, "refuses")
    assert not [concern for concern in concerns() if "estimate" in concern.sentence.lower()]


def test_a_training_says_early_how_long_it_will_take(dataset):
    run = play(start_training(dataset=dataset, kind="ridge"))
    assert run.estimate == FORETOLD
