"""`ridge`: TF-IDF of words and characters, and a ridge regression for each output. No torch, no pickle."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distillery_site.common.errors import BadInput

from . import artifact, history
from .choice import Choice, Coefficients, Scale
from .config import RidgeConfig
from .data import Corpus, Example, Floats, Output, targets
from .events import Emit
from .finish import Trained
from .metrics import mean_of_columns

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

_VOCABULARY, _WEIGHTS = "model/vocabulary.json", "model/ridge.safetensors"
_TRAIN_SAMPLE = 256


class Features:
    """Text → sparse TF-IDF row: words and word pairs, then runs of 3–5 characters inside words."""

    def __init__(self, words: "TfidfVectorizer", chars: "TfidfVectorizer"):
        self.words, self.chars = words, chars

    @classmethod
    def fit(cls, texts: Sequence[str], config: RidgeConfig) -> tuple["Features", "csr_matrix"]:
        """The features of these texts, and their rows (found in the same pass: reading is most of the work)."""
        from scipy.sparse import hstack

        common = {"min_df": min(config.min_articles, len(texts))}
        words = _vectorizer("word", max_features=config.word_features, **common)
        chars = _vectorizer("char_wb", max_features=config.char_features, **common)
        try:
            rows = hstack([words.fit_transform(texts), chars.fit_transform(texts)]).tocsr()
        except ValueError:
            raise BadInput("No word of the training texts is found often enough to learn from.") from None
        return cls(words, chars), rows

    def __call__(self, texts: Sequence[str]) -> "csr_matrix":
        from scipy.sparse import hstack

        return hstack([self.words.transform(texts), self.chars.transform(texts)]).tocsr()

    def save(self, directory: Path) -> dict[str, Floats]:
        """Write the vocabulary (terms in column order) and return the idf arrays for the weights file."""
        terms = {name: part.get_feature_names_out().tolist() for name, part in (("words", self.words), ("chars", self.chars))}
        path = directory / _VOCABULARY
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(terms, ensure_ascii=False), encoding="utf-8")
        return {"idf.words": self.words.idf_, "idf.chars": self.chars.idf_}

    @classmethod
    def open(cls, directory: Path, idf: Mapping[str, Floats]) -> "Features":
        terms = json.loads((directory / _VOCABULARY).read_text(encoding="utf-8"))
        words = _vectorizer("word", vocabulary=terms["words"])
        chars = _vectorizer("char_wb", vocabulary=terms["chars"])
        words.idf_, chars.idf_ = idf["idf.words"], idf["idf.chars"]
        return cls(words, chars)


def _vectorizer(analyzer: str, **options: Any) -> "TfidfVectorizer":
    from sklearn.feature_extraction.text import TfidfVectorizer

    span = (1, 2) if analyzer == "word" else (3, 5)
    return TfidfVectorizer(analyzer=analyzer, ngram_range=span, sublinear_tf=True, dtype=np.float32, **options)


class RidgeStudent:
    """score = (features · coef + intercept), squared where roots were learnt; one column an output."""

    kind = "ridge"

    def __init__(self, features: Features, coef: Coefficients, intercept: Floats, manifest: Mapping[str, Any], sha256: str = ""):
        self.features, self.coef, self.intercept = features, coef, intercept
        self.manifest, self.manifest_sha256 = manifest, sha256
        self.outputs: list[Output] = artifact.outputs_of(manifest)
        self.view: Mapping[str, Any] = manifest["view"]
        self.scale = Scale(manifest["config"]["root"])

    def predict(self, texts: Sequence[str]) -> Floats:
        if not texts:
            return np.empty((0, len(self.outputs)))
        return self.scale.back(np.asarray(self.features(texts) @ self.coef, dtype=np.float64) + self.intercept)

    def save(self, directory: Path) -> None:
        from safetensors.numpy import save_file

        arrays = {**self.features.save(directory), "coef": self.coef, "intercept": self.intercept}
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, directory / _WEIGHTS)

    @classmethod
    def open(cls, directory: Path, manifest: Mapping[str, Any], sha256: str) -> "RidgeStudent":
        from safetensors.numpy import load_file

        arrays = load_file(directory / _WEIGHTS)
        return cls(Features.open(directory, arrays), arrays["coef"], arrays["intercept"], manifest, sha256)


def fit(corpus: Corpus, config: RidgeConfig, directory: Path, emit: Emit) -> Trained:
    """Learn on train, choose penalty and shrinkage of each output on val, and write the weights."""
    started = time.monotonic()
    train, val = corpus.split("train"), corpus.split("val")
    features, rows = Features.fit(_texts(train), config)
    val_rows, weights = features(_texts(val)), np.array([example.weight for example in train])
    emit("note", text=f"{rows.shape[1]:,} words, word pairs and character runs from {len(train)} articles.")
    choice = Choice(history.medians(corpus), rows.shape[1], config)
    for step, alpha in enumerate(config.alphas, 1):
        coef, intercept = solve(rows, choice.scale.to(targets(train)), weights, alpha)
        loss = choice.consider((alpha,), coef, intercept, val_rows @ coef + intercept, targets(val))
        seconds = time.monotonic() - started
        eta = seconds / step * (len(config.alphas) - step)
        emit("step", step=step, steps=len(config.alphas), epoch=step / len(config.alphas), loss=loss, lr=None, eta_s=eta,
             tokens_per_s=None)  # fmt: skip
    chosen = {"alpha_by_output": [alpha for (alpha,) in choice.setting], "shrink_by_output": choice.kept.tolist()}
    manifest = artifact.describe("ridge", corpus, config, chosen=chosen, parameters=_parameters(choice.coef))
    student = RidgeStudent(features, choice.coef, choice.intercept, manifest)
    student.save(directory)
    progress = history.History()
    progress.add(_epoch(student, corpus, started), emit)
    return Trained(manifest, student.predict, progress, started=started)


def solve(rows: "csr_matrix", truth: Floats, weights: Floats, alpha: float) -> tuple[Coefficients, Floats]:
    """Ridge coefficients [features, outputs] and intercepts; outputs that lack the same rows are solved together."""
    known = ~np.isnan(truth)
    coef, intercept = np.zeros((rows.shape[1], truth.shape[1]), dtype=np.float32), np.zeros(truth.shape[1])
    for pattern in np.unique(known, axis=1).T:
        columns = (known == pattern[:, None]).all(axis=0)
        if pattern.any():
            coef[:, columns], intercept[columns] = _ridge(rows[pattern], truth[pattern][:, columns], weights[pattern], alpha)
    return coef, intercept


def _ridge(rows: "csr_matrix", truth: Floats, weights: Floats, alpha: float) -> tuple[Coefficients, Floats]:
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=alpha, solver="sparse_cg", tol=1e-4)
    model.fit(rows, truth.astype(np.float32), sample_weight=weights.astype(np.float32))
    return model.coef_.reshape(truth.shape[1], -1).T, np.atleast_1d(model.intercept_)


def _epoch(student: RidgeStudent, corpus: Corpus, started: float) -> history.Epoch:
    val, seen = corpus.split("val"), history.sample(_TRAIN_SAMPLE, corpus.split("train"), seed=0)
    val_errors = history.errors(targets(val), student.predict(_texts(val)))
    train_errors = history.errors(targets(seen), student.predict(_texts(seen)))
    return history.Epoch(
        1, mean_of_columns(train_errors), mean_of_columns(val_errors), history.by_output(val_errors), time.monotonic() - started
    )


def _texts(examples: Sequence[Example]) -> list[str]:
    return [example.text for example in examples]


def _parameters(coef: Coefficients) -> dict[str, int]:
    count = int(coef.size + coef.shape[1])
    return {"trainable": count, "total": count}
