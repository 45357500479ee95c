"""`kernel`: ridge regression with a Gaussian kernel over what a frozen base makes of an article.

Kernel ridge regression (Saunders, Gammerman & Vovk 1998). Nothing of the base is trained: each article is read once, and
what it says to the base is compared with every training article. With some thousands of labels that takes minutes on a
processor, and it misses the oracle by less than an hour of training small adapters does (docs/log.md).
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distillery_site.common.errors import BadInput

from . import artifact, history, work
from .bases import store
from .choice import Choice, Coefficients, Scale
from .config import KernelConfig
from .data import Corpus, Floats, Output, targets
from .events import Emit
from .finish import Trained
from .metrics import mean_of_columns
from .reader import Reader, Vectors, read_all
from .tokens import Reading, tokenizer_of

MODEL_DIR, WEIGHTS = "model", "model/kernel.safetensors"
_MOST = 20_000  # training articles: beyond, the matrix of all pairs takes more than 3 GB
_TRAIN_SAMPLE = 256


class Machine:
    """score = k(text, training articles) · coef + intercept, squared where roots were learnt; k = exp(−gamma · distance)."""

    def __init__(self, parts: Mapping[str, Any], root: bool):
        self.parts, self.scale = parts, Scale(root)

    def __call__(self, vectors: Vectors) -> Floats:
        """[n, outputs] from [n, features]."""
        parts = self.parts
        apart = distances((vectors - parts["mean"]) / parts["spread"], parts["rows"])
        scores = np.tile(np.asarray(parts["intercept"], dtype=np.float64), (len(vectors), 1))
        for gamma in np.unique(parts["gamma"]):
            columns = parts["gamma"] == gamma
            scores[:, columns] += np.exp(-gamma * apart) @ parts["coef"][:, columns]
        return self.scale.back(scores)


def distances(a: Vectors, b: Vectors) -> Floats:
    """[n, m] mean squared differences between rows; 2 for two strangers whose features are standardised."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    apart: Floats = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.maximum(apart, 0.0) / a.shape[1]


class KernelStudent:
    """A frozen base, the training articles as it sees them, and how much each of them says about a new one."""

    kind = "kernel"

    def __init__(self, reader: Reader, machine: Machine, manifest: Mapping[str, Any], sha256: str = ""):
        self.reader, self.machine, self.manifest, self.manifest_sha256 = reader, machine, manifest, sha256
        self.outputs: list[Output] = artifact.outputs_of(manifest)
        self.view: Mapping[str, Any] = manifest["view"]

    def predict(self, texts: Sequence[str]) -> Floats:
        return self.machine(self.reader(texts)) if texts else np.empty((0, len(self.outputs)))

    @classmethod
    def open(cls, directory: Path, manifest: Mapping[str, Any], sha256: str, *, root: Path | None = None) -> "KernelStudent":
        """`root` holds the base models."""
        from safetensors.numpy import load_file

        about, config = manifest["base"], manifest["config"]
        base = store.resolve(about["name"], about["sha256"], directory, root)
        reader = Reader(base, tokenizer_of(directory / MODEL_DIR), Reading.of(config), config["layers"])
        return cls(reader, Machine(load_file(directory / WEIGHTS), config["root"]), manifest, sha256)


def fit(corpus: Corpus, config: KernelConfig, directory: Path, emit: Emit, base: Path) -> Trained:
    """Read every article once, then try each width and penalty; each output takes those that miss validation least."""
    started = time.monotonic()
    train, val = corpus.split("train"), corpus.split("val")
    if len(train) > _MOST:
        raise BadInput(f"A kernel student compares all pairs of articles: {_MOST:,} are the most, and these are {len(train):,}.")
    tokenizer, card = tokenizer_of(base), store.card(base)
    truncation = work.truncation(corpus, tokenizer, config, emit)
    reader = Reader(base, tokenizer, Reading.of(vars(config)), config.layers)
    vectors = vectors_of(reader, corpus, config, directory, emit)
    parts, chosen = learn(corpus, config, vectors[: len(train)], vectors[len(train) :])
    tokenizer.save_pretrained(directory / MODEL_DIR)
    _save(directory / WEIGHTS, parts)
    manifest = artifact.describe(
        "kernel", corpus, config, base={**vars(card), "pad_token_id": tokenizer.pad_token_id}, truncation=truncation,
        chosen={**chosen, "layers": reader.layers},
        parameters={"trainable": int(parts["coef"].size), "total": reader.parameters + int(parts["coef"].size)},
    )  # fmt: skip
    machine = Machine(parts, config.root)
    progress = history.History()
    progress.add(_epoch(machine, corpus, vectors, started), emit)
    student = KernelStudent(reader, machine, manifest)
    return Trained(manifest, student.predict, progress, val_raw=machine(vectors[-len(val) :]), started=started)


def vectors_of(reader: Reader, corpus: Corpus, config: KernelConfig, directory: Path, emit: Emit) -> Vectors:
    """Training rows, then validation rows."""
    examples = [*corpus.split("train"), *corpus.split("val")]

    def said(done: int, left: float) -> None:
        emit("step", step=done, steps=len(examples), epoch=done / len(examples), loss=None, lr=None, eta_s=left,
             tokens_per_s=None)  # fmt: skip

    folder = work.folder(corpus, config, directory, emit) / "vectors"
    return read_all(reader, [example.text for example in examples], folder, said)


def learn(corpus: Corpus, config: KernelConfig, train: Vectors, val: Vectors) -> tuple[dict[str, Any], dict[str, Any]]:
    """The machine's parts, and what each output chose, from the vectors of the corpus' training and validation rows."""
    examples = corpus.split("train")
    truth, unseen = targets(examples), targets(corpus.split("val"))
    weights = np.array([example.weight for example in examples])
    mean, spread = train.mean(0), np.maximum(train.std(0), 1e-6)
    rows = (train - mean) / spread
    near, far = distances(rows, rows), distances((val - mean) / spread, rows)
    choice = Choice(history.medians(corpus), len(rows), config)
    for gamma in config.gammas:
        pairs, ahead = np.exp(-gamma * near), np.exp(-gamma * far)
        for alpha in config.alphas:
            coef, intercept = solve(pairs, choice.scale.to(truth), weights, alpha)
            choice.consider((gamma, alpha), coef, intercept, ahead @ coef + intercept, unseen)
    gammas, alphas = np.array(choice.setting).T
    parts = {"rows": rows, "mean": mean, "spread": spread, "coef": choice.coef, "intercept": choice.intercept, "gamma": gammas}
    chosen = {"gamma": gammas.tolist(), "alpha": alphas.tolist(), "shrink": choice.kept.tolist()}
    return parts, {f"{name}_by_output": values for name, values in chosen.items()}


def solve(pairs: Floats, truth: Floats, weights: Floats, alpha: float) -> tuple[Coefficients, Floats]:
    """Coefficients [n, outputs] and intercepts from the kernel matrix [n, n]: (K + alpha / weight) · coef = truth − mean.

    A row without an output's target has no say in it; outputs that lack the same rows are solved together.
    """
    known = ~np.isnan(truth)
    coef, intercept = np.zeros(truth.shape), np.zeros(truth.shape[1])
    for pattern in np.unique(known, axis=1).T:
        columns = np.flatnonzero((known == pattern[:, None]).all(axis=0))
        if pattern.any():
            here = np.flatnonzero(pattern)
            wanted = truth[np.ix_(here, columns)]
            intercept[columns] = np.average(wanted, axis=0, weights=weights[here])
            penalised = pairs[np.ix_(here, here)] + np.diag(alpha / weights[here])
            coef[np.ix_(here, columns)] = np.linalg.solve(penalised, wanted - intercept[columns])
    return coef, intercept


def _save(path: Path, parts: Mapping[str, Any]) -> None:
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(value) for name, value in parts.items()}, path)


def _epoch(machine: Machine, corpus: Corpus, vectors: Vectors, started: float) -> history.Epoch:
    train, val = corpus.split("train"), corpus.split("val")
    seen = history.sample(_TRAIN_SAMPLE, range(len(train)), seed=0)
    ahead = history.errors(targets(val), machine(vectors[-len(val) :]))
    behind = history.errors(targets([train[i] for i in seen]), machine(vectors[seen]))
    return history.Epoch(1, mean_of_columns(behind), mean_of_columns(ahead), history.by_output(ahead), time.monotonic() - started)
