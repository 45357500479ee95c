import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distillery_site.common.errors import BadInput
from tests.fakes import small_students
from training.student import artifact, baselines, history, metrics
from training.student.config import RidgeConfig
from training.student.data import Corpus, Output, targets


def fitted(corpus: Corpus, folder: Path, **options: object) -> baselines.RidgeStudent:
    trained = baselines.fit(corpus, RidgeConfig(**options), folder, lambda event, **values: None)  # type: ignore[arg-type]
    return baselines.RidgeStudent.open(folder, trained.manifest, "")


def test_it_beats_the_best_constant_by_far(cast: small_students.Cast) -> None:
    figures = artifact.read_manifest(cast.ridge)[0]["metrics"]
    assert figures["val_mae"] < 0.6 * figures["val_constant_mae"]


def test_a_lone_output_and_missing_targets_are_learned(tmp_path: Path) -> None:
    corpus = small_students.corpus()
    second = tuple(replace(example, targets=example.targets[1:2]) for example in corpus.examples)
    alone = fitted(replace(corpus, outputs=corpus.outputs[1:2], examples=second), tmp_path / "alone")
    together = fitted(corpus, tmp_path / "together")
    texts = [example.text for example in corpus.split("val")]
    assert np.allclose(alone.predict(texts)[:, 0], together.predict(texts)[:, 1], atol=1e-3)


def test_an_output_without_any_label_stays_at_zero(tmp_path: Path) -> None:
    corpus = small_students.corpus()
    blank = tuple(replace(example, targets=(*example.targets, None)) for example in corpus.examples)
    student = fitted(replace(corpus, outputs=(*corpus.outputs, Output("gloom", 1, "unseen")), examples=blank), tmp_path)
    assert (student.predict(["school", "crisis in the bank"])[:, 3] == 0).all()


def test_shrinking_never_loses_to_the_constant_on_validation(tmp_path: Path) -> None:
    corpus = small_students.corpus()
    rng = np.random.default_rng(0)
    noise = tuple(replace(e, targets=(float(rng.integers(0, 2) * 8), 0.0, 1.0)) for e in corpus.examples)
    student = fitted(replace(corpus, examples=noise), tmp_path)
    val = replace(corpus, examples=noise).split("val")
    error = history.by_output(history.errors(targets(val), student.predict([e.text for e in val])))
    constant = history.by_output(history.errors(targets(val), np.tile(history.medians(replace(corpus, examples=noise)), (32, 1))))
    assert all(ours <= theirs + 1e-6 for ours, theirs in zip(error, constant, strict=True))


def test_roots_help_where_most_scores_are_low(tmp_path: Path) -> None:
    corpus = small_students.corpus()
    truth = targets(corpus.split("val"))[:, 1]
    texts = [example.text for example in corpus.split("val")]
    rooted = fitted(corpus, tmp_path / "root", shrink=False).predict(texts)[:, 1]
    plain = fitted(corpus, tmp_path / "plain", root=False, shrink=False).predict(texts)[:, 1]
    assert np.mean(truth[~np.isnan(truth)] == 0) > 0.5
    assert metrics.mae(truth, rooted) < metrics.mae(truth, np.clip(plain, 0, 10))


def test_heavier_examples_pull_harder(tmp_path: Path) -> None:
    corpus = small_students.corpus()
    heavy = tuple(replace(e, weight=50.0 if (e.targets[0] or 0.0) < 2 else 1.0) for e in corpus.examples)
    texts = [example.text for example in corpus.split("val")]
    light = fitted(corpus, tmp_path / "light", shrink=False).predict(texts)[:, 0].mean()
    assert fitted(replace(corpus, examples=heavy), tmp_path / "heavy", shrink=False).predict(texts)[:, 0].mean() < light


def test_texts_without_a_common_word_are_refused(tmp_path: Path) -> None:
    corpus = small_students.corpus()
    empty = tuple(replace(example, text="…") for example in corpus.examples)
    with pytest.raises(BadInput, match="No word"):
        fitted(replace(corpus, examples=empty), tmp_path)


def test_the_files_hold_no_pickle_and_stay_small(cast: small_students.Cast) -> None:
    names = sorted(path.name for path in (cast.ridge / "model").iterdir())
    assert names == ["ridge.safetensors", "vocabulary.json"]
    terms = json.loads((cast.ridge / "model" / "vocabulary.json").read_text())
    assert "crisis" in terms["words"] and len(terms["chars"]) <= 40_000


def test_neither_loading_nor_predicting_imports_torch(cast: small_students.Cast) -> None:
    code = (
        "import sys; from pathlib import Path; from training.student import artifact, metrics\n"
        "assert not {'torch', 'sklearn', 'scipy', 'transformers'} & sys.modules.keys(), 'artifact is heavy'\n"
        f"artifact.load(Path({str(cast.ridge)!r}), golden=True).predict(['school'])\n"
        "assert not {'torch', 'transformers'} & sys.modules.keys(), 'ridge imports torch'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
