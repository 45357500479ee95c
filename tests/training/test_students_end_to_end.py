"""Real students in their own processes, from labels to the registry, and readable from disk."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from distillery_site.common.runs import RunState
from tests.fakes.tiny_base import make_tiny_base
from training import datasets
from training.models import ModelVersion, Split, TrainingRun
from training.running.forecasts import forecast
from training.running.progress import Recorder
from training.services import run_training, start_estimate, start_training
from training.student import artifact
from training.student.bases import store

pytestmark = pytest.mark.timeout(600)  # three real processes load torch, on a machine that may be busy


def trained(dataset, kind: str, **options) -> TrainingRun:
    run = start_training(dataset=dataset, kind=kind, **options)
    run_training(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == (RunState.DONE, "")
    return run


def answers(model: ModelVersion, folders: Path) -> np.ndarray:
    """Scores of the test split by the student as it lies in the registry, its reference texts compared."""
    student = artifact.load(model.path, model.manifest_sha256, bases=folders / "bases", golden=True)
    return student.predict([text for _, text in datasets.texts(model.dataset, Split.TEST)])


def test_a_ridge_learns_in_a_process_of_its_own(folders, dataset):
    run = trained(dataset, "ridge")
    assert answers(run.result, folders).shape == (4, 2)
    assert run.epochs.get().chosen
    assert run.loss_curve
    assert run.result.val_mae == pytest.approx(run.epochs.get().val_mae)
    manifest = run.result.manifest
    assert manifest["dataset"]["fingerprint"] == dataset.fingerprint
    assert manifest["rubric_hashes"] == {"uplifting": dataset.versions[0].rubric_hash}


@pytest.fixture
def tiny(folders, tmp_path) -> None:
    store.adopt(make_tiny_base(tmp_path / "qwen2"), "tiny", folders / "bases")


def test_a_look_ahead_tells_what_a_long_training_will_need_and_leaves_no_student(folders, dataset, tiny):
    asked = {"dataset": dataset, "kind": "lora", "preset": "tiny", "config": {"epochs": 500}}
    run = start_estimate(**asked)
    run_training(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == (RunState.DONE, "")
    found = forecast(run)
    assert (found.steps, found.fits) == (4 * 500, True)
    assert min(found.seconds, found.tokens, found.memory, found.room) > 0 and found.device
    assert start_estimate(**asked) == run, "parent and process agree on the code's version"
    assert not ModelVersion.objects.exists() and not (folders / "models" / ".unfinished").exists()


@pytest.fixture
def killed(folders, dataset, tiny, monkeypatch) -> TrainingRun:
    """A lora on a tiny random Qwen2 whose process was killed with -9 in its second epoch."""

    def kill_late(recorder: Recorder, event: dict) -> None:
        if event["step"] > event["steps"] / 2 + 1:
            os.kill(recorder.run.child_pid, signal.SIGKILL)

    run = start_training(dataset=dataset, kind="lora", preset="tiny")
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "_on_step", kill_late)
        run_training(run_id=run.pk)
    run.refresh_from_db()
    return run


def test_a_killed_lora_goes_on_and_with_a_ridge_becomes_a_stack(folders, dataset, killed):
    assert "ended by SIGKILL" in killed.error
    TrainingRun.objects.filter(pk=killed.pk).update(not_before=None)
    lora = trained(dataset, "lora", preset="tiny")
    assert lora == killed
    assert "Resumed" in " ".join(lora.notes)
    assert list(lora.epochs.values_list("number", flat=True)) == [1, 2]
    assert lora.epochs.filter(chosen=True).count() == 1
    assert (lora.step, lora.progress_share) == (lora.steps, 1)
    assert lora.estimate["steps"] == lora.steps
    trained(dataset, "ridge")
    stack = trained(dataset, "stack")
    assert {parent.kind for parent in stack.parents.all()} == {"ridge", "lora"}
    for model in (lora.result, stack.result):
        scores = answers(model, folders)
        assert scores.shape == (4, 2)
        assert np.isfinite(scores).all()
        assert model.manifest["metrics"]["reload_max_diff"] <= artifact.TOLERANCE
    expected = {"model", "reports", "manifest.json", "training_history.json", "training_metadata.json"}
    assert {path.name for path in lora.result.path.iterdir()} == expected
