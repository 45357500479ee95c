"""How far predictions lie from the oracle, and how sure that figure is. NumPy only; NaN means null and is left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
BAND_EDGES = (0.0, 1.0, 3.0, 5.0, 7.0, 10.0)
_BLOCK = 4_000_000  # resampling counts held at once: 32 MB


@dataclass(frozen=True)
class Interval:
    """An estimate, its confidence bounds, and the number of rows behind it."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Band:
    """Errors on the rows whose true score lies in [low, high), the last band including its upper edge."""

    low: float
    high: float
    n: int
    mae: float
    bias: float


def _pair(truth: ArrayLike, predicted: ArrayLike) -> tuple[Floats, Floats]:
    """Both as flat arrays, rows with a NaN in either left out."""
    y = np.asarray(truth, dtype=np.float64).ravel()
    p = np.broadcast_to(np.asarray(predicted, dtype=np.float64), np.shape(truth)).ravel()
    keep = ~(np.isnan(y) | np.isnan(p))
    return y[keep], p[keep]


def clip(raw: ArrayLike, low: float = 0.0, high: float = 10.0) -> tuple[Floats, float]:
    """Predictions brought into [low, high], and the share that lay outside."""
    values = np.asarray(raw, dtype=np.float64)
    known = values[~np.isnan(values)]
    outside = float(np.mean((known < low) | (known > high))) if known.size else 0.0
    return np.clip(values, low, high), outside


def count(truth: ArrayLike, predicted: ArrayLike) -> int:
    """Rows on which both are known."""
    return len(_pair(truth, predicted)[0])


def mae(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Mean |predicted − truth|; NaN without a single pair."""
    y, p = _pair(truth, predicted)
    return float(np.mean(np.abs(p - y))) if y.size else float("nan")


def rmse(truth: ArrayLike, predicted: ArrayLike) -> float:
    """√ mean (predicted − truth)²."""
    y, p = _pair(truth, predicted)
    return float(np.sqrt(np.mean((p - y) ** 2))) if y.size else float("nan")


def bias(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Mean (predicted − truth): above 0, the student scores too high."""
    y, p = _pair(truth, predicted)
    return float(np.mean(p - y)) if y.size else float("nan")


def pearson(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Product-moment correlation (Pearson 1895); NaN where either side doesn't vary."""
    y, p = _pair(truth, predicted)
    if y.size < 2:
        return float("nan")
    y, p = y - y.mean(), p - p.mean()
    y_size, p_size = float(np.sqrt(y @ y)), float(np.sqrt(p @ p))
    if y_size < 1e-12 or p_size < 1e-12:
        return float("nan")
    return float(np.clip((y / y_size) @ (p / p_size), -1.0, 1.0))


def ranks(values: ArrayLike) -> Floats:
    """Ranks from 1; equal values share the mean of their ranks ("fractional" ranking, Kendall 1945)."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    _, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: Floats = (last - (counts - 1) / 2.0)[inverse]
    return shared


def spearman(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Pearson correlation of the fractional ranks (Spearman 1904)."""
    y, p = _pair(truth, predicted)
    return pearson(ranks(y), ranks(p))


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
    y, p = _pair(truth, predicted)
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


def mean_of_columns(errors: ArrayLike) -> float:
    """The mean over columns of each column's mean: a filter's MAE is the mean of its dimensions' MAEs."""
    columns = _columns(errors)
    known = ~np.isnan(columns)
    filled = known.any(axis=0)
    if not filled.any():
        return float("nan")
    return float(np.mean(np.where(known, columns, 0.0).sum(axis=0)[filled] / known.sum(axis=0)[filled]))


def bootstrap_mae(errors: ArrayLike, *, seed: int = 0, draws: int = 2000, level: float = 0.95) -> Interval:
    """Percentile bootstrap (Efron 1979) of `mean_of_columns`, resampling whole rows. `errors`: [n] or [n, outputs]."""
    columns = _columns(errors)
    return _interval(mean_of_columns(columns), _resampled(columns, seed, draws), level, _known_rows(columns))


def bootstrap_difference(a: ArrayLike, b: ArrayLike, *, seed: int = 0, draws: int = 2000, level: float = 0.95) -> Interval:
    """MAE of `a` minus MAE of `b` on the same rows, both resampled together (paired): below 0, `a` is better."""
    first, second = _columns(a), _columns(b)
    value = mean_of_columns(first) - mean_of_columns(second)
    return _interval(value, _resampled(first, seed, draws) - _resampled(second, seed, draws), level, _known_rows(first))


def bootstrap_skill(
    errors: ArrayLike, constant_errors: ArrayLike, *, seed: int = 0, draws: int = 2000, level: float = 0.95
) -> Interval:
    """`skill` with both errors resampled together (paired); the constant itself is held fixed."""
    ours, theirs = _columns(errors), _columns(constant_errors)
    value = skill(mean_of_columns(ours), mean_of_columns(theirs))
    below = _resampled(theirs, seed, draws)
    ratio = np.divide(_resampled(ours, seed, draws), below, out=np.full(draws, np.nan), where=below > 0)
    return _interval(value, 1.0 - ratio, level, _known_rows(ours))


def repeat_error(first: ArrayLike, second: ArrayLike, *, seed: int = 0, draws: int = 2000, level: float = 0.95) -> Interval:
    """Mean |first − second reading| of one oracle, with its interval.

    Two readings each carry noise: a student that hit the oracle's mean exactly would show between half of
    this and all of it (this / √2 if the noise is Gaussian) against single readings.
    """
    return bootstrap_mae(absolute_errors(first, second), seed=seed, draws=draws, level=level)


def _columns(errors: ArrayLike) -> Floats:
    values = np.asarray(errors, dtype=np.float64)
    return values[:, None] if values.ndim == 1 else values


def _known_rows(columns: Floats) -> int:
    return int((~np.isnan(columns)).any(axis=1).sum())


def _resampled(columns: Floats, seed: int, draws: int) -> Floats:
    """`mean_of_columns` of `draws` resamples of the rows; the same seed and n give the same rows, hence pairing."""
    n = len(columns)
    if n == 0:
        return np.full(draws, np.nan)
    known = (~np.isnan(columns)).astype(np.float64)
    filled = np.nan_to_num(columns, nan=0.0)
    block = max(1, _BLOCK // n)
    cuts = range(0, draws, block)
    return np.concatenate([_block_means(_weights(n, seed, cut, min(block, draws - cut)), filled, known) for cut in cuts])


@lru_cache(maxsize=2)
def _weights(n: int, seed: int, start: int, draws: int) -> Floats:
    """[draws, n]: how often each row is drawn. Kept: every figure of a report resamples the same rows."""
    rng = np.random.default_rng((seed, start))
    return rng.multinomial(n, np.full(n, 1.0 / n), size=draws).astype(np.float64)


def _block_means(weights: Floats, filled: Floats, known: Floats) -> Floats:
    sums, sizes = weights @ filled, weights @ known
    columns = np.divide(sums, sizes, out=np.zeros_like(sums), where=sizes > 0)
    used = (sizes > 0).sum(axis=1)
    return np.divide(columns.sum(axis=1), used, out=np.full(len(weights), np.nan), where=used > 0)


def _interval(value: float, samples: Floats, level: float, n: int) -> Interval:
    samples = samples[~np.isnan(samples)]
    if not samples.size or np.isnan(value):
        return Interval(value, float("nan"), float("nan"), n)
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(samples, [tail, 1.0 - tail])
    return Interval(value, float(low), float(high), n)
