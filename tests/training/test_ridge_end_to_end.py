"""A real student: labels in, a ridge out of its own process, in the registry and readable from disk."""

import numpy as np
import pytest

from distillery_site.common.runs import RunState
from training import datasets
from training.models import Split
from training.services import run_training, start_training
from training.student import artifact


@pytest.fixture
def run(folders, dataset):
    run = start_training(dataset=dataset, kind="ridge")
    run_training(run_id=run.pk)
    run.refresh_from_db()
    return run


def test_a_ridge_learns_and_answers_from_the_registry(run):
    assert (run.state, run.error) == (RunState.DONE, "")
    model = run.result
    student = artifact.load(model.path, model.manifest_sha256, golden=True)
    scores = student.predict([text for _, text in datasets.texts(run.dataset, Split.TEST)])
    assert scores.shape == (4, 2)
    assert np.isfinite(scores).all()


def test_its_run_shows_how_it_learned(run):
    assert run.epochs.get().chosen
    assert run.loss_curve
    assert run.progress_share == 1
    assert run.result.val_mae == pytest.approx(run.epochs.get().val_mae)


def test_its_manifest_names_the_data_set_it_learned_from(run):
    manifest = run.result.manifest
    assert manifest["dataset"]["fingerprint"] == run.dataset.fingerprint
    assert manifest["rubric_hashes"] == {"uplifting": run.dataset.versions[0].rubric_hash}
    assert manifest["metrics"]["reload_max_diff"] <= 1e-3
