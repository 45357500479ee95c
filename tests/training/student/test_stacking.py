import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import small_students
from training.student import artifact, history, metrics, stack
from training.student.config import StackConfig
from training.student.data import read_corpus, targets


def test_it_is_no_worse_on_validation_than_its_better_member_by_much(cast: small_students.Cast) -> None:
    figures = {kind: artifact.read_manifest(cast.of(kind))[0]["metrics"]["val_mae"] for kind in ("ridge", "lora", "stack")}
    assert figures["stack"] <= min(figures["ridge"], figures["lora"]) + 0.02


@given(st.integers(1, 4), st.integers(1, 6))
def test_the_simplex_has_every_mixture_once(parts: int, grid: int) -> None:
    rows = stack.simplex(parts, grid)
    assert np.allclose(rows.sum(axis=1), 1) and (rows >= 0).all()
    assert len({tuple(row) for row in rows}) == len(rows)


def test_each_output_takes_the_member_that_serves_it() -> None:
    truth = np.random.default_rng(0).uniform(0, 10, (60, 2))
    bad = np.full_like(truth, 10.0)
    left, right = np.column_stack([truth[:, 0], bad[:, 1]]), np.column_stack([bad[:, 0], truth[:, 1]])
    weights, unseen = stack.cross_fit([left, right], np.zeros(2), truth, StackConfig())
    assert np.allclose(weights, [[1, 0], [0, 1], [0, 0]])
    assert np.allclose(unseen, truth)


def test_useless_members_leave_the_median() -> None:
    rng = np.random.default_rng(0)
    truth = np.where(rng.random((80, 1)) < 0.95, 0.0, 8.0)
    weights, _ = stack.cross_fit([rng.uniform(4, 9, (80, 1))] * 2, np.zeros(1), truth, StackConfig())
    assert np.allclose(weights, [[0], [0], [1]], atol=0.05)


def test_an_output_without_labels_gets_equal_shares() -> None:
    truth = np.full((10, 1), np.nan)
    weights, unseen = stack.cross_fit([np.ones((10, 1)), np.ones((10, 1))], np.zeros(1), truth, StackConfig())
    assert np.allclose(weights, 1 / 3) and np.isfinite(unseen).all()


def test_its_figures_come_from_folds_its_weights_never_saw(cast: small_students.Cast) -> None:
    manifest, _ = artifact.read_manifest(cast.stack)
    (epoch,) = json.loads((cast.stack / "training_history.json").read_text())["epochs"]
    corpus = read_corpus(cast.data)
    val = corpus.split("val")
    students = [artifact.uncalibrated(artifact.load(cast.of(kind), bases=cast.base.parent)) for kind in ("ridge", "lora")]
    predicted = [student.predict([example.text for example in val]) for student in students]
    _, unseen = stack.cross_fit(predicted, history.medians(corpus), targets(val), StackConfig())
    error = metrics.mean_of_columns(history.errors(targets(val), unseen))
    assert manifest["metrics"]["val_mae"] == epoch["val_mae"] == pytest.approx(error, abs=1e-6)


def test_it_needs_two_different_members_of_its_own_data_set(cast: small_students.Cast, tmp_path: Path) -> None:
    stacked = ("--kind", "stack", "--data", cast.data, "--out", tmp_path / "out", "--member", cast.ridge)
    alone = small_students.run(*stacked)
    twice = small_students.run(*stacked, "--member", cast.ridge)
    assert alone.code == twice.code == 1
    assert "two to four different members" in alone.named("error")[0]["text"]
    other = small_students.write(tmp_path / "other", fingerprint="9" * 64)
    strangers = small_students.run(
        "--kind", "stack", "--data", other, "--out", tmp_path / "out", "--member", cast.ridge, "--member", cast.lora
    )
    assert strangers.code == 1 and "learned from another data set" in strangers.named("error")[0]["text"]


def test_a_spoiled_member_inside_it_is_found(cast: small_students.Cast, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(cast.stack, tmp_path / "copy"))
    member = next((copy / "members").glob("ridge-*"))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"] = {}  # as if someone had hidden it from the stack's own list
    (copy / "manifest.json").write_text(json.dumps(manifest))
    (member / "manifest.json").write_text((member / "manifest.json").read_text() + " ")
    with pytest.raises(artifact.ArtifactError, match="not the registered student"):
        artifact.load(copy, bases=cast.base.parent)
