"""How alike two or more readings are, and how sure that figure is. NumPy only; NaN means null and is left out.

Rows are articles, and intervals are 95 % percentile bootstraps over articles (Efron 1979): whatever was said of one
article is drawn together, so readings and dimensions of one article never count as independent.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
DRAWS, LEVEL = 2000, 0.95
_BLOCK = 4_000_000  # resampling counts held at once: 32 MB


@dataclass(frozen=True)
class Interval:
    """An estimate, its confidence bounds, and the number of rows behind it."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Change(Interval):
    """A mean difference with its interval, and how easily chance alone would make one as large (two-sided)."""

    p: float


def pair(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    """Both as flat arrays, rows with a NaN in either left out."""
    y = np.asarray(first, dtype=np.float64).ravel()
    p = np.broadcast_to(np.asarray(second, dtype=np.float64), np.shape(first)).ravel()
    keep = ~(np.isnan(y) | np.isnan(p))
    return y[keep], p[keep]


def pearson(first: ArrayLike, second: ArrayLike) -> float:
    """Product-moment correlation (Pearson 1895); NaN where either side doesn't vary."""
    y, p = pair(first, second)
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


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Pearson correlation of the fractional ranks (Spearman 1904)."""
    y, p = pair(first, second)
    return pearson(ranks(y), ranks(p))


def mean_of_columns(values: ArrayLike) -> float:
    """The mean over columns of each column's mean: a filter's MAE is the mean of its dimensions' MAEs."""
    columns = as_columns(values)
    known = ~np.isnan(columns)
    filled = known.any(axis=0)
    if not filled.any():
        return float("nan")
    return float(np.mean(np.where(known, columns, 0.0).sum(axis=0)[filled] / known.sum(axis=0)[filled]))


def bootstrap_mean(values: ArrayLike, *, seed: int = 0, draws: int = DRAWS, level: float = LEVEL) -> Interval:
    """`mean_of_columns` with its interval, whole rows resampled. `values`: [n] or [n, columns]."""
    columns = as_columns(values)
    return interval(mean_of_columns(columns), resampled_means(columns, seed, draws), known_rows(columns), level)


def bootstrap_each(values: Floats, *, seed: int = 0, draws: int = DRAWS, level: float = LEVEL) -> list[Interval]:
    """The mean of each column with its interval; the rows are resampled once for all of them."""
    return [interval(mean, samples, n, level) for mean, samples, n in _resampled_each(values, seed, draws)]


def bootstrap_changes(differences: Floats, *, seed: int = 0, draws: int = DRAWS, level: float = LEVEL) -> list[Change]:
    """`bootstrap_each` of paired differences [n, columns], each with the p-value of "there is none"."""
    each = _resampled_each(differences, seed, draws)
    return [change(interval(mean, samples, n, level), samples) for mean, samples, n in each]


def bootstrap_change(differences: Floats, *, seed: int = 0, draws: int = DRAWS, level: float = LEVEL) -> Change:
    """The same for the mean over all columns."""
    samples = resampled_means(differences, seed, draws)
    return change(interval(mean_of_columns(differences), samples, known_rows(differences), level), samples)


def change(found: Interval, samples: Floats) -> Change:
    """An interval with the p-value of its resampled values."""
    return Change(found.value, found.low, found.high, found.n, bootstrap_p(samples))


def bootstrap_p(samples: Floats) -> float:
    """Two-sided p-value that a resampled difference is really 0: twice the smaller share on either side of it.

    Davison & Hinkley (1997), "Bootstrap Methods and their Application", chapter 4, with their +1 above and below, so
    that it is never 0. It is under 1 − level where the percentile interval of that level leaves 0 out. NaN without samples.
    """
    samples = samples[~np.isnan(samples)]
    if not samples.size:
        return float("nan")
    smaller = min(int(np.sum(samples <= 0)), int(np.sum(samples >= 0)))
    return min(1.0, 2.0 * (1 + smaller) / (1 + samples.size))


def holm(p_values: ArrayLike) -> Floats:
    """[m] p-values adjusted for having looked m times, in the order given: Holm's step-down method.

    Holm (1979), "A simple sequentially rejective multiple test procedure". The k-th smallest is multiplied by m − k + 1,
    none may fall below a smaller one's, and none exceeds 1: calling significant what stays under α errs anywhere in the
    family with a chance of at most α, however the tests hang together. NaN is no test: it stays NaN and isn't counted.
    """
    p = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    adjusted = p.copy()
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return adjusted


def _resampled_each(values: Floats, seed: int, draws: int) -> list[tuple[float, Floats, int]]:
    """(mean, its resampled values, rows known) of each column; the rows are resampled once for all of them."""
    known = ~np.isnan(values)
    both = np.hstack([np.where(known, values, 0.0), known])
    drawn = resampled_sums(both, seed=seed, draws=draws)
    width, sizes = values.shape[1], known.sum(axis=0)
    own, samples = both.sum(axis=0)[:width], _ratio(drawn[:, :width], drawn[:, width:])
    return [(float(mean), samples[:, c], int(sizes[c])) for c, mean in enumerate(_ratio(own, sizes))]


def _ratio(sums: Floats, sizes: NDArray[Any]) -> Floats:
    found: Floats = np.divide(sums, sizes, out=np.full(sums.shape, np.nan), where=sizes > 0)
    return found


def as_columns(values: ArrayLike) -> Floats:
    columns = np.asarray(values, dtype=np.float64)
    return columns[:, None] if columns.ndim == 1 else columns


def known_rows(columns: Floats) -> int:
    """Rows with anything in them."""
    return int((~np.isnan(columns)).any(axis=1).sum())


def resampled_means(columns: Floats, seed: int, draws: int) -> Floats:
    """`mean_of_columns` of `draws` resamples of the rows; the same seed and n give the same rows, hence pairing."""
    width = columns.shape[1]
    known = ~np.isnan(columns)
    both = resampled_sums(np.hstack([np.where(known, columns, 0.0), known]), seed=seed, draws=draws)
    sums, sizes = both[:, :width], both[:, width:]
    means = np.divide(sums, sizes, out=np.zeros_like(sums), where=sizes > 0)
    used = (sizes > 0).sum(axis=1)
    return _ratio(means.sum(axis=1), used)


def resampled_sums(columns: Floats, *, seed: int = 0, draws: int = DRAWS) -> Floats:
    """[draws, columns]: the sums over each of `draws` resamples of the rows."""
    n = len(columns)
    if n == 0:
        return np.zeros((draws, columns.shape[1]))
    block = max(1, _BLOCK // n)
    cuts = range(0, draws, block)
    return np.concatenate([_weights(n, seed, cut, min(block, draws - cut)) @ columns for cut in cuts])


@lru_cache(maxsize=2)
def _weights(n: int, seed: int, start: int, draws: int) -> Floats:
    """[draws, n]: how often each row is drawn. Kept: every figure of a report resamples the same rows."""
    drawn = np.random.default_rng((seed, start)).integers(0, n, size=(draws, n), dtype=np.int32)
    places = drawn + (np.arange(draws, dtype=np.int32) * n)[:, None]
    return np.bincount(places.ravel(), minlength=draws * n).reshape(draws, n).astype(np.float64)


def interval(value: float, samples: Floats, n: int, level: float = LEVEL) -> Interval:
    """The percentile interval of an estimate's resampled values."""
    samples = samples[~np.isnan(samples)]
    if not samples.size or np.isnan(value):
        return Interval(value, float("nan"), float("nan"), n)
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(samples, [tail, 1.0 - tail])
    return Interval(value, float(low), float(high), n)
