"""How far predictions lie from the oracle, and how sure that figure is. NumPy only; NaN means null and is left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from distillery_site.common.statistics import (
    Floats,
    as_columns,
    bootstrap_mean,
    interval,
    known_rows,
    pair,
    resampled_means,
)
from distillery_site.common.statistics import Interval as Interval
from distillery_site.common.statistics import mean_of_columns as mean_of_columns
from distillery_site.common.statistics import pearson as pearson
from distillery_site.common.statistics import ranks as ranks
from distillery_site.common.statistics import spearman as spearman

BAND_EDGES = (0.0, 1.0, 3.0, 5.0, 7.0, 10.0)


@dataclass(frozen=True)
class Band:
    """Errors on the rows whose true score lies in [low, high), the last band including its upper edge."""

    low: float
    high: float
    n: int
    mae: float
    bias: float


def clip(raw: ArrayLike, low: float = 0.0, high: float = 10.0) -> tuple[Floats, float]:
    """Predictions brought into [low, high], and the share that lay outside."""
    values = np.asarray(raw, dtype=np.float64)
    known = values[~np.isnan(values)]
    outside = float(np.mean((known < low) | (known > high))) if known.size else 0.0
    return np.clip(values, low, high), outside


def count(truth: ArrayLike, predicted: ArrayLike) -> int:
    """Rows on which both are known."""
    return len(pair(truth, predicted)[0])


def mae(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Mean |predicted − truth|; NaN without a single pair."""
    y, p = pair(truth, predicted)
    return float(np.mean(np.abs(p - y))) if y.size else float("nan")


def rmse(truth: ArrayLike, predicted: ArrayLike) -> float:
    """√ mean (predicted − truth)²."""
    y, p = pair(truth, predicted)
    return float(np.sqrt(np.mean((p - y) ** 2))) if y.size else float("nan")


def bias(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Mean (predicted − truth): above 0, the student scores too high."""
    y, p = pair(truth, predicted)
    return float(np.mean(p - y)) if y.size else float("nan")


def best_constant(truth: ArrayLike) -> float:
    """The median: no other constant has a smaller MAE."""
    y = np.asarray(truth, dtype=np.float64).ravel()
    y = y[~np.isnan(y)]
    return float(np.median(y)) if y.size else float("nan")


def skill(error: float, constant_error: float) -> float:
    """1 − MAE / MAE of the best constant (Murphy 1988): 1 is perfect, 0 no better than the constant."""
    return 1.0 - error / constant_error if constant_error > 0 else float("nan")


def bands(truth: ArrayLike, predicted: ArrayLike, edges: Sequence[float] = BAND_EDGES) -> list[Band]:
    """Errors by band of the true score, so that a good mean cannot hide bad high scores."""
    y, p = pair(truth, predicted)
    found = []
    for i, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        inside = (y >= low) & ((y < high) | ((y == high) & (i == len(edges) - 2)))
        found.append(Band(low, high, int(inside.sum()), mae(y[inside], p[inside]), bias(y[inside], p[inside])))
    return found


def absolute_errors(truth: ArrayLike, predicted: ArrayLike) -> Floats:
    """[n, outputs] of |predicted − truth|, NaN where either is unknown: what the intervals below resample."""
    y = np.asarray(truth, dtype=np.float64)
    errors: Floats = np.abs(np.asarray(predicted, dtype=np.float64) - y)
    return errors


def bootstrap_mae(errors: ArrayLike, *, seed: int = 0, draws: int = 2000, level: float = 0.95) -> Interval:
    """Percentile bootstrap (Efron 1979) of `mean_of_columns`, resampling whole rows. `errors`: [n] or [n, outputs]."""
    return bootstrap_mean(errors, seed=seed, draws=draws, level=level)


def bootstrap_difference(a: ArrayLike, b: ArrayLike, *, seed: int = 0, draws: int = 2000, level: float = 0.95) -> Interval:
    """MAE of `a` minus MAE of `b` on the same rows, both resampled together (paired): below 0, `a` is better."""
    first, second = as_columns(a), as_columns(b)
    value = mean_of_columns(first) - mean_of_columns(second)
    samples = resampled_means(first, seed, draws) - resampled_means(second, seed, draws)
    return interval(value, samples, known_rows(first), level)


def bootstrap_skill(
    errors: ArrayLike, constant_errors: ArrayLike, *, seed: int = 0, draws: int = 2000, level: float = 0.95
) -> Interval:
    """`skill` with both errors resampled together (paired); the constant itself is held fixed."""
    ours, theirs = as_columns(errors), as_columns(constant_errors)
    value = skill(mean_of_columns(ours), mean_of_columns(theirs))
    below = resampled_means(theirs, seed, draws)
    ratio = np.divide(resampled_means(ours, seed, draws), below, out=np.full(draws, np.nan), where=below > 0)
    return interval(value, 1.0 - ratio, known_rows(ours), level)
