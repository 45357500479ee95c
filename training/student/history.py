"""The errors after each epoch, measured the same way for every kind: clipped to 0–10, in eval mode."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from . import metrics
from .data import Corpus, Floats, targets
from .events import Emit


@dataclass(frozen=True)
class Epoch:
    """`number` counts from 1; `train_mae` comes from a fixed sample of the training articles."""

    number: int
    train_mae: float
    val_mae: float
    val_mae_by_output: list[float]
    seconds: float


@dataclass
class History:
    epochs: list[Epoch] = field(default_factory=list)
    loss: list[tuple[int, float]] = field(default_factory=list)

    def add(self, epoch: Epoch, emit: Emit) -> None:
        self.epochs.append(epoch)
        emit("epoch", **asdict(epoch))

    @property
    def best(self) -> Epoch:
        """The smallest validation MAE; of equals the earlier."""
        return min(self.epochs, key=lambda epoch: (epoch.val_mae, epoch.number))

    def to_json(self) -> dict[str, Any]:
        return {"epochs": [asdict(epoch) for epoch in self.epochs], "loss": [list(point) for point in self.loss]}

    @classmethod
    def from_json(cls, stored: dict[str, Any], step: int, epochs: int) -> "History":
        """What was known at optimiser step `step`, after `epochs` epochs; later entries belong to steps taken again."""
        loss = [(int(at), float(loss)) for at, loss in stored["loss"] if at <= step]
        return cls([Epoch(**epoch) for epoch in stored["epochs"] if epoch["number"] <= epochs], loss)


def gap(train_mae: float | None, val_mae: float) -> float | None:
    """(validation − training) / training; None where the training error is zero or unknown."""
    if not train_mae or not math.isfinite(train_mae) or not math.isfinite(val_mae):
        return None
    return (val_mae - train_mae) / train_mae


def reading(ratio: float | None) -> str:
    """What a gap says, in the bands of the recipe this began with."""
    if ratio is None:
        return "zero training error: no ratio"
    for below, words in ((0.1, "may still improve"), (0.3, "healthy"), (0.5, "moderate overfitting")):
        if ratio < below:
            return words
    return "high overfitting"


def errors(truth: Floats, raw: Floats) -> Floats:
    """[n, outputs] absolute errors of clipped predictions."""
    return metrics.absolute_errors(truth, metrics.clip(raw)[0])


def by_output(errors_: Floats) -> list[float]:
    return [float(np.nanmean(column)) if not np.isnan(column).all() else float("nan") for column in errors_.T]


def medians(corpus: Corpus) -> Floats:
    """The best constant of each output, from the training rows; 0 where nothing was labelled."""
    truth = targets(corpus.split("train"))
    return np.array([np.nan_to_num(metrics.best_constant(column)) for column in truth.T])


def validation_metrics(corpus: Corpus, raw: Floats, fairer: Floats | None = None) -> dict[str, Any]:
    """The manifest's figures for validation predictions `raw`: overall, by filter, by output, beside the constant.

    `fairer` errors replace those of `raw` where the student was fitted on these very rows.
    """
    truth = targets(corpus.split("val"))
    ours = errors(truth, raw) if fairer is None else fairer
    constant = errors(truth, np.tile(medians(corpus), (len(truth), 1)))
    return {
        "val_mae": metrics.mean_of_columns(ours),
        "val_mae_by_output": by_output(ours),
        "val_mae_by_filter": _by_filter(corpus, ours),
        "val_constant_mae": metrics.mean_of_columns(constant),
        "val_constant_mae_by_output": by_output(constant),
        "val_constant_mae_by_filter": _by_filter(corpus, constant),
        "val_clipped_share": metrics.clip(raw)[1],
    }


def _by_filter(corpus: Corpus, errors_: Floats) -> dict[str, float]:
    columns: dict[str, list[int]] = {}
    for position, output in enumerate(corpus.outputs):
        columns.setdefault(output.filter, []).append(position)
    return {slug: metrics.mean_of_columns(errors_[:, chosen]) for slug, chosen in columns.items()}


def sample(count: int, of: Sequence[Any], seed: int) -> list[Any]:
    """A fixed random choice, in the original order."""
    picks = np.random.default_rng(seed).permutation(len(of))[:count]
    return [of[i] for i in sorted(picks)]
