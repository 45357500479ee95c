"""Scores are mended only where rows that the mending never saw agree that it helps."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import small_students
from training.student import artifact, calibrate, finish, metrics
from training.student.data import read_corpus, targets

NONE = {"kind": "none"}
HALVED = {"kind": "affine", "slope": 0.5, "intercept": 1.0}
STEPS = {"kind": "isotonic", "from": [1.0, 2.0, 4.0], "to": [0.0, 3.0, 3.0]}


def oracle(n: int, seed: int = 0, zeros: float = 0.4) -> np.ndarray:
    """[n, 1] scores as an oracle gives them: whole and half points, many of them 0."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random((n, 1)) < zeros, 0.0, np.round(rng.uniform(0, 20, (n, 1))) / 2)


def student(truth: np.ndarray, seed: int = 1, noise: float = 0.8) -> np.ndarray:
    return truth + noise * np.random.default_rng(seed).normal(size=truth.shape)


def chosen(truth: np.ndarray, raw: np.ndarray) -> dict:
    return calibrate.fit(truth, raw)[0]["outputs"][0]


def test_it_mends_a_student_that_scores_too_low() -> None:
    truth, fresh = oracle(400), oracle(400, seed=5)
    found, _ = calibrate.fit(truth, 0.5 * student(truth) - 1)
    (one,) = found["outputs"]
    assert one["kind"] != "none" and one["folds_agree"] == 5 and one["mae_after"] < 0.6 * one["mae_before"]
    raw = 0.5 * student(fresh, seed=6) - 1
    assert metrics.mae(fresh, np.clip(calibrate.apply(found, raw), 0, 10)) < 0.6 * metrics.mae(fresh, np.clip(raw, 0, 10))


def test_a_bend_takes_steps_and_a_straight_error_a_line() -> None:
    truth = oracle(600, zeros=0.1)
    assert chosen(truth, np.sqrt(10 * student(truth, noise=0.3).clip(0, 10)))["kind"] == "isotonic"
    assert chosen(oracle(150), 0.6 * student(oracle(150)))["kind"] == "affine"


@pytest.mark.parametrize("seed", range(6))
def test_a_good_student_is_mostly_left_alone_and_never_made_worse_by_much(seed: int) -> None:
    truth, fresh = oracle(300, seed), oracle(3000, seed + 50)
    found, _ = calibrate.fit(truth, student(truth, seed + 100))
    raw = student(fresh, seed + 150)
    assert metrics.mae(fresh, np.clip(calibrate.apply(found, raw), 0, 10)) < metrics.mae(fresh, np.clip(raw, 0, 10)) + 0.02


def test_noise_is_not_believed() -> None:
    """Forty students whose every score is the median of what the oracle says: nothing can be mended, only be imagined."""
    raw = np.random.default_rng(0).uniform(3, 7, (200, 40))
    found, _ = calibrate.fit(student(raw), raw)
    assert calibrate.kept(found) <= 4


def test_few_rows_are_left_alone() -> None:
    truth = oracle(calibrate.ENOUGH["affine"] - 1)
    assert chosen(truth, 0.2 * student(truth))["kind"] == "none"
    truth = np.vstack([truth, np.full((500, 1), np.nan)])
    assert chosen(truth, 0.2 * np.nan_to_num(truth))["kind"] == "none"


def test_nulls_are_left_out_and_an_output_without_a_label_stays_as_it_is() -> None:
    truth = oracle(300)
    both = np.hstack([np.where(np.arange(300)[:, None] % 4 == 0, np.nan, truth), np.full((300, 1), np.nan)])
    found, unseen = calibrate.fit(both, 0.5 * np.hstack([student(truth)] * 2))
    assert [one["kind"] == "none" for one in found["outputs"]] == [False, True]
    assert found["outputs"][1]["mae_before"] is None and np.isfinite(unseen).all()


def test_scores_out_of_fold_come_from_maps_that_never_saw_them() -> None:
    truth = oracle(250)
    raw = 0.5 * student(truth)
    found, unseen = calibrate.fit(truth, raw)
    spoiled = truth.copy()
    spoiled[0] = 10.0 - spoiled[0]
    assert calibrate.fit(spoiled, raw)[1][0] == pytest.approx(unseen[0])
    assert found["outputs"][0]["mae_after"] == pytest.approx(metrics.mae(truth, np.clip(unseen, 0, 10)))


@given(st.integers(0, 10**6), st.integers(200, 260), st.sampled_from([0.0, 0.3, 0.95]))
@settings(max_examples=25, deadline=None)
def test_steps_never_fall_and_never_lose_to_the_scores_themselves_on_their_own_rows(seed: int, n: int, zeros: float) -> None:
    truth = oracle(n, seed, zeros)[:, 0]
    raw = student(truth, seed + 1, noise=3.0)
    found = calibrate._isotonic(truth, raw)
    assert (np.diff(found["to"]) >= 0).all() and (np.diff(found["from"]) > 0).all()
    assert metrics.mae(truth, calibrate._mapped(found, raw)) <= metrics.mae(truth, np.clip(raw, 0, 10)) + 0.1


def test_a_constant_student_and_a_constant_oracle_break_nothing() -> None:
    level = np.full((250, 1), 2.0)
    for truth, raw in ((level, student(level)), (oracle(250), level), (level, level)):
        found, unseen = calibrate.fit(truth, raw)
        assert np.isfinite(calibrate.apply(found, raw)).all() and np.isfinite(unseen).all()


def test_each_output_goes_through_its_own_map() -> None:
    raw = np.array([[4.0, 4.0, 4.0], [-1.0, -1.0, -1.0], [1.5, 1.5, 1.5]])
    mapped = calibrate.apply({"outputs": [NONE, HALVED, STEPS]}, raw)
    assert mapped.tolist() == [[4.0, 3.0, 3.0], [-1.0, 0.5, 0.0], [1.5, 1.75, 1.5]]
    assert calibrate.apply(None, raw) is raw
    assert calibrate.apply({"outputs": [HALVED]}, np.empty((0, 1))).shape == (0, 1)


@pytest.fixture
def mended(cast: small_students.Cast, tmp_path: Path) -> Path:
    """The ridge student with a calibration written into its manifest."""
    copy = Path(shutil.copytree(cast.ridge, tmp_path / "models" / "mended" / "v1"))
    manifest = json.loads((copy / artifact.MANIFEST).read_text())
    manifest["calibration"] = {"outputs": [NONE, HALVED, STEPS]}
    (copy / artifact.MANIFEST).write_text(json.dumps(manifest))
    return copy


def test_a_loaded_student_gives_calibrated_scores(mended: Path, cast: small_students.Cast) -> None:
    texts = ["a crisis of the bank", "school"]
    own, student_ = artifact.load(cast.ridge), artifact.load(mended)
    assert np.allclose(student_.predict(texts), calibrate.apply({"outputs": [NONE, HALVED, STEPS]}, own.predict(texts)))
    assert (student_.kind, student_.outputs, student_.view) == (own.kind, own.outputs, own.view)
    with pytest.raises(artifact.ArtifactError, match="no longer predicts"):  # the golden scores were others
        artifact.load(mended, golden=True)


def test_a_stack_mixes_its_members_own_scores(mended: Path, cast: small_students.Cast, tmp_path: Path) -> None:
    out = tmp_path / "stack"
    more = ("--member", mended, "--member", cast.lora, "--bases", cast.base.parent)
    done = small_students.run("--kind", "stack", "--data", cast.data, "--out", out, *more)
    assert done.code == 0, done.events
    assert artifact.read_manifest(out)[0]["blend"] == artifact.read_manifest(cast.stack)[0]["blend"]


def test_a_finished_student_is_mended_and_checked_as_it_will_be_served(tmp_path: Path) -> None:
    """The second output's oracle says three points more on validation articles than on those it was taught on."""
    corpus = small_students.corpus(train=96, val=240)
    shifted = [
        small_students.replace(e, targets=(*e.targets[:2], min(10.0, 0.5 * (e.targets[2] or 0) + 3))) if e.split == "val" else e
        for e in corpus.examples
    ]
    data = small_students.write(tmp_path / "data", examples=tuple(shifted))
    done = small_students.run("--kind", "ridge", "--data", data, "--out", tmp_path / "out", shrink=False)
    assert any("Calibration is kept for" in note["text"] for note in done.named("note"))
    manifest, _ = artifact.read_manifest(tmp_path / "out")
    one = manifest["calibration"]["outputs"][2]
    assert one["kind"] != "none" and one["mae_after"] < one["mae_before"]
    student_, val = artifact.load(tmp_path / "out", golden=True), read_corpus(data).split("val")
    served = metrics.mae(targets(val)[:, 2], np.clip(student_.predict([e.text for e in val])[:, 2], 0, 10))
    assert served < one["mae_before"]
    assert manifest["metrics"]["val_mae_by_output"][2] == pytest.approx(one["mae_after"])


def test_what_was_kept_is_said() -> None:
    kept = {"kind": "affine", "mae_before": 0.5, "mae_after": 0.4}
    assert "1 of 2 scores" in finish._said({"n": 300, "outputs": [kept, NONE]})
    assert "by 0.100 on average" in finish._said({"n": 300, "outputs": [kept, NONE]})
    assert "did not clearly lower" in finish._said({"n": 300, "outputs": [NONE]})
    assert "takes 100 validation articles, and these are 32" in finish._said({"n": 32, "outputs": [NONE]})
