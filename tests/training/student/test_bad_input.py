"""Corpora and texts as they come: each is learned from sanely, or refused in a sentence."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import small_students
from training.student import artifact
from training.student.data import Corpus, Example

FAST = {"preset": "tiny", "epochs": 4, "save_steps": 1000, "train_sample": 4}
ODD = [
    "", " \n\t ", "🌊🔥" * 30, "الفيضان في المدينة وحريق المدرسة", "洪水袭击了城镇，学校关闭。", "word " * 10_000,
    "\x00\ufffe\u202e", "a",
]  # fmt: skip


def fit(data: Path, out: Path, cast: small_students.Cast, **options: object) -> small_students.Done:
    return small_students.run("--kind", "lora", "--data", data, "--out", out, "--base", cast.base, **{**FAST, **options})


def small(change: object, train: int = 16, val: int = 10) -> Corpus:
    """A small corpus with every example changed."""
    corpus = small_students.corpus(train=train, val=val)
    return replace(corpus, examples=tuple(change(example) for example in corpus.examples))  # type: ignore[operator]


def second(value: float | None) -> object:
    """Sets the second output's target."""
    return lambda example: replace(example, targets=(example.targets[0], value, example.targets[2]))


@pytest.mark.parametrize("value", [None, 3.0])
def test_a_dimension_without_labels_or_without_spread_harms_no_other(
    cast: small_students.Cast, tmp_path: Path, value: float | None
) -> None:
    data = small_students.write(tmp_path / "data", examples=small(second(value)).examples)
    done = fit(data, tmp_path / "out", cast, pooling="mean", autocast="none")
    assert done.code == 0, done.named("error")
    manifest, _ = artifact.read_manifest(tmp_path / "out")
    errors = manifest["metrics"]["val_mae_by_output"]
    assert errors[1] is None if value is None else errors[1] < 0.5
    assert errors[0] is not None and errors[2] is not None
    scores = artifact.load(tmp_path / "out", bases=cast.base.parent).predict(["crisis", ""])
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_one_article_is_learned_without_a_crash(cast: small_students.Cast, tmp_path: Path, pooling: str) -> None:
    data = small_students.write(tmp_path / "data", examples=small(lambda example: example, train=1, val=1).examples)
    done = fit(data, tmp_path / "out", cast, pooling=pooling, epochs=10, autocast="none")
    assert done.code == 0, done.named("error")


def test_a_corpus_without_any_score_says_that_there_was_no_error_to_learn_from(cast: small_students.Cast, tmp_path: Path) -> None:
    data = small_students.write(
        tmp_path / "data", examples=small(lambda example: replace(example, targets=(None, None, None))).examples
    )
    done = fit(data, tmp_path / "out", cast)
    notes = " ".join(note["text"] for note in done.named("note"))
    assert done.code == 1 or "every target is its output's mean" in notes


def test_texts_of_every_kind_are_learned_from_and_scored(cast: small_students.Cast, tmp_path: Path) -> None:
    learned = tuple(Example(f"train{i}", text, (1.0, 2.0, float(i)), "train") for i, text in enumerate(ODD))
    odd = learned + tuple(replace(example, id=example.id.replace("train", "val"), split="val") for example in learned)
    data = small_students.write(tmp_path / "data", examples=odd)
    done = fit(data, tmp_path / "out", cast, epochs=1)
    assert done.code == 0, done.named("error")
    student = artifact.load(tmp_path / "out", bases=cast.base.parent)
    together = student.predict(ODD)
    alone = np.concatenate([student.predict([text]) for text in ODD])
    assert np.isfinite(together).all() and np.allclose(together, alone, atol=artifact.TOLERANCE)


def test_a_base_without_a_tokenizer_is_refused_in_a_sentence(cast: small_students.Cast, tmp_path: Path) -> None:
    for path in cast.base.iterdir():
        if "token" not in path.name and path.name not in ("vocab.json", "merges.txt"):
            (tmp_path / "bare").mkdir(exist_ok=True)
            shutil.copyfile(path, tmp_path / "bare" / path.name)
    bare = replace(cast, base=tmp_path / "bare")
    done = fit(cast.data, tmp_path / "out", bare)
    (error,) = done.named("error")
    assert done.code == 1 and error["permanent"] and "tokenizer" in error["text"]


def test_weights_that_cannot_be_read_are_named(cast: small_students.Cast, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(cast.base, broken)
    (broken / "model.safetensors").write_bytes(b"not tensors at all")
    done = fit(cast.data, tmp_path / "out", replace(cast, base=broken))
    assert done.code == 1 and "can't be loaded" in done.named("error")[0]["text"]
    spoilt = tmp_path / "student"
    shutil.copytree(cast.lora, spoilt)
    (spoilt / "model" / "adapter_model.safetensors").write_bytes(b"neither are these")
    manifest, _ = artifact.read_manifest(spoilt)
    with pytest.raises(artifact.ArtifactError, match=r"adapter_model\.safetensors can't be read"):
        artifact.open_student(spoilt, manifest, "", bases=cast.base.parent)
