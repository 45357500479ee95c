"""What every kind of student promises: the same suite over all of them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import small_students
from training.student import artifact
from training.student.data import read_corpus

KINDS = ("ridge", "kernel", "lora", "lora_mean", "stack")


@pytest.fixture(scope="module")
def cast() -> small_students.Cast:
    return small_students.cast()


@pytest.fixture(params=KINDS)
def folder(request: pytest.FixtureRequest, cast: small_students.Cast) -> Path:
    return cast.of(request.param)


@pytest.fixture
def student(folder: Path) -> artifact.Student:
    return artifact.load(folder, golden=True)


@pytest.fixture
def copy(folder: Path, cast: small_students.Cast, tmp_path: Path) -> Path:
    """A student that a test may spoil; its base stays within reach."""
    (tmp_path / "bases").symlink_to(cast.base.parent)
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_it_scores_every_output_of_every_text(student: artifact.Student) -> None:
    scores = student.predict(["a strike in the town", "the school", "crisis crisis crisis"])
    assert scores.shape == (3, 3) and scores.dtype == np.float64 and np.isfinite(scores).all()
    assert student.outputs == list(small_students.OUTPUTS)
    assert student.view == {"fields": ["text"], "max_words": 400}


@pytest.mark.parametrize("kind", ["ridge", "kernel", "lora_mean", "stack"])
def test_it_beats_the_best_constant(cast: small_students.Cast, kind: str) -> None:
    """(The random decoder behind `lora` knows too little for that; test_lora.py shows that it learns.)"""
    figures = artifact.read_manifest(cast.of(kind))[0]["metrics"]
    assert figures["val_mae"] < 0.9 * figures["val_constant_mae"]


def test_a_batch_of_many_scores_as_many_batches_of_one(student: artifact.Student, cast: small_students.Cast) -> None:
    texts = [example.text for example in read_corpus(cast.data).split("val")] + ["", "school", "x " * 3000]
    alone = np.vstack([student.predict([text]) for text in texts])
    assert np.abs(student.predict(texts) - alone).max() < artifact.TOLERANCE
    assert np.abs(student.predict(texts[::-1])[::-1] - alone).max() < artifact.TOLERANCE


def test_no_texts_give_no_rows(student: artifact.Student) -> None:
    assert student.predict([]).shape == (0, 3)


def test_it_predicts_from_disk_what_it_did_before_saving(student: artifact.Student) -> None:
    assert student.manifest["metrics"]["reload_max_diff"] <= artifact.TOLERANCE
    assert student.manifest["metrics"]["batch_max_diff"] <= artifact.TOLERANCE
    assert artifact.golden_difference(student) <= 1e-5


def test_it_loads_alone_from_a_folder_elsewhere(copy: Path, student: artifact.Student) -> None:
    moved = artifact.load(copy, student.manifest_sha256)
    assert np.allclose(moved.predict(["a crisis of the bank"]), student.predict(["a crisis of the bank"]), atol=1e-6)


def test_its_manifest_says_what_it_was_made_of(student: artifact.Student, folder: Path) -> None:
    manifest = student.manifest
    assert manifest["filters"] == [
        {"slug": "gloom", "version": 1, "rubric_hash": "g"}, {"slug": "cheer", "version": 2, "rubric_hash": "c"},
    ]  # fmt: skip
    assert manifest["dataset"] == {"name": "words", "fingerprint": "0" * 64, "train": 96, "val": 32}
    assert manifest["config"] and manifest["code_version"] == artifact.code_version() and manifest["versions"]["numpy"]
    reports = {"TRAINING_REPORT.md", "overall_metrics.png", "per_dimension_mae.png", "loss_curves.png"}
    assert {f"reports/{name}" for name in reports} < manifest["files"].keys()
    assert {"training_metadata.json", "training_history.json"} < manifest["files"].keys()
    assert not (folder / artifact.WORK).exists()


def test_no_file_of_it_is_a_pickle(folder: Path) -> None:
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= {".json", ".safetensors", ".md", ".png", ".tfevents"}


def test_without_its_manifest_it_does_not_load(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    with pytest.raises(artifact.ArtifactError, match="never completely written"):
        artifact.load(copy)


def test_a_changed_or_missing_file_is_named(copy: Path) -> None:
    name = next(name for name in json.loads((copy / "manifest.json").read_text())["files"] if name.endswith(".safetensors"))
    (copy / name).write_bytes((copy / name).read_bytes()[:-1] + b"\x00\x01")
    with pytest.raises(artifact.ArtifactError, match=f"{name} in the student copy has changed"):
        artifact.load(copy)
    (copy / name).unlink()
    with pytest.raises(artifact.ArtifactError, match=f"{name} is missing"):
        artifact.load(copy)


def test_another_manifest_than_the_registered_is_refused(folder: Path) -> None:
    with pytest.raises(artifact.ArtifactError, match="not the registered student"):
        artifact.load(folder, "0" * 64)


def test_golden_texts_catch_a_student_that_predicts_otherwise(copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["golden"]["predictions"][0][0] += 0.5
    (copy / "manifest.json").write_text(json.dumps(manifest))
    artifact.load(copy)
    with pytest.raises(artifact.ArtifactError, match=r"off by 0\.5"):
        artifact.load(copy, golden=True)


@pytest.mark.parametrize("kind", KINDS)
def test_training_it_again_in_the_same_folder_only_says_that_it_is_there(kind: str, cast: small_students.Cast) -> None:
    again = small_students.run("--kind", kind.partition("_")[0], "--data", cast.data, "--out", cast.of(kind), "--base", cast.base)
    assert again.code == 0 and [event["event"] for event in again.events] == ["note", "done"]
    assert again.named("done") == cast.said[kind].named("done")
