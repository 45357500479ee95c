"""Means, differences, slopes, shares and corrected means with intervals that need no resampling. NumPy only; NaN means null.

Rows are what was drawn independently: articles, or turns whose treatment was drawn by lot. Intervals are 95 %.
"""

from dataclasses import dataclass
from math import floor, pi, sqrt, tan
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from distillery_site.common.statistics import LEVEL, Floats, Interval

NAN = float("nan")


@dataclass(frozen=True)
class Corrected(Interval):
    """A mean that `n` rows know, helped by a proxy that `rows` have, whose mean is `proxy` and whose weight is `weight`."""

    rows: int
    weight: float
    proxy: float


def known(values: ArrayLike) -> Floats:
    """Flat, NaN left out."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    return flat[~np.isnan(flat)]


def means_of_known(values: Floats, axis: int) -> Floats:
    """Means along an axis of what is known there, NaN where nothing is."""
    told = ~np.isnan(values)
    size = told.sum(axis=axis)
    total = np.where(told, values, 0.0).sum(axis=axis)
    found: Floats = np.divide(total, size, out=np.full(total.shape, NAN), where=size > 0)
    return found


def t_quantile(freedom: float, level: float = LEVEL) -> float:
    """How many standard errors an interval of this level reaches to each side: Student's t with `freedom` degrees.

    Abramowitz & Stegun (1964), 26.7.5, within 0.2 % from 3 degrees on; below, the closed forms for 1 and 2.
    """
    p = (1.0 + level) / 2.0
    if freedom < 1:
        return NAN
    if freedom < 3:
        return tan(pi * (p - 0.5)) if floor(freedom) == 1 else (2 * p - 1) / sqrt(2 * p * (1 - p))
    x = NormalDist().inv_cdf(p)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + float(sum(term / freedom ** (place + 1) for place, term in enumerate(terms)))


def around(value: float, error: float, freedom: float, n: int, level: float = LEVEL) -> Interval:
    """`value` with as many standard errors to each side as Student's t asks for."""
    reach = t_quantile(freedom, level) * error
    return Interval(value, value - reach, value + reach, n)


def mean_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """The mean with Student's interval; no bounds below two values."""
    x = known(values)
    if x.size < 2:
        return Interval(float(x.mean()) if x.size else NAN, NAN, NAN, x.size)
    return around(float(x.mean()), float(x.std(ddof=1)) / sqrt(x.size), x.size - 1, x.size, level)


def difference(first: ArrayLike, second: ArrayLike, level: float = LEVEL) -> Interval:
    """Mean of the first minus mean of the second, of independent rows: Welch (1947). `n` counts both together."""
    a, b = known(first), known(second)
    if a.size < 2 or b.size < 2:
        return Interval(float(a.mean() - b.mean()) if a.size and b.size else NAN, NAN, NAN, a.size + b.size)
    u, v = float(a.var(ddof=1)) / a.size, float(b.var(ddof=1)) / b.size
    freedom = (u + v) ** 2 / (u**2 / (a.size - 1) + v**2 / (b.size - 1)) if u + v else a.size + b.size - 2
    return around(float(a.mean() - b.mean()), sqrt(u + v), freedom, a.size + b.size, level)


def share_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """The mean of shares in 0–1, one a row, with Wilson's interval (1927), which has width also at 0 and at 1.

    Rows that hold several judgements vary less than single ones; so n is first made the number of single judgements
    that would vary as much (Korn & Graubard 1998).
    """
    x = known(values)
    if not x.size:
        return Interval(NAN, NAN, NAN, 0)
    p, n = float(x.mean()), float(x.size)
    spread = float(x.var())
    if spread > 0 and 0 < p < 1:
        n = max(1.0, p * (1 - p) * n / spread)
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    middle, reach = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    below = 1 + z * z / n
    return Interval(p, max(0.0, (middle - reach) / below), min(1.0, (middle + reach) / below), x.size)


def slope_interval(x: ArrayLike, y: ArrayLike, level: float = LEVEL) -> Interval:
    """How y changes with x by least squares, its error by HC3 (MacKinnon & White 1985): uneven spread does no harm."""
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    keep = ~(np.isnan(a) | np.isnan(b))
    a, b = a[keep], b[keep]
    moved = a - a.mean() if a.size else a
    squares = float(moved @ moved)
    if a.size < 4 or squares <= 0:
        return Interval(NAN, NAN, NAN, a.size)
    slope = float(moved @ b) / squares
    left = (b - b.mean() - slope * moved) / np.maximum(1e-9, 1 - 1 / a.size - moved**2 / squares)
    return around(slope, sqrt(float(moved**2 @ left**2)) / squares, a.size - 2, a.size, level)


def median_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """The median between two order statistics, whatever the distribution (Conover 1999, "Practical Nonparametric Statistics")."""
    x = np.sort(known(values))
    if not x.size:
        return Interval(NAN, NAN, NAN, 0)
    reach = NormalDist().inv_cdf((1.0 + level) / 2.0) * sqrt(x.size) / 2
    low, high = floor(x.size / 2 - reach) - 1, x.size - floor(x.size / 2 - reach)
    bounds = (float(x[low]), float(x[high])) if low >= 0 and high < x.size else (NAN, NAN)
    return Interval(float(np.median(x)), *bounds, x.size)


def corrected_mean(proxy: ArrayLike, truth: ArrayLike, level: float = LEVEL) -> Corrected:
    """The mean of a truth that a random part of the rows knows (NaN elsewhere), helped by a proxy that all rows have.

    Prediction-powered inference (Angelopoulos et al. 2023, "Prediction-powered inference") with the weight of PPI++
    (Angelopoulos, Duchi & Zrnic 2023): λ · mean of proxy over all rows + mean of (truth − λ · proxy) over those that know.
    With the knowing rows among "all", the best λ is the slope of truth on proxy, here held to 0–1: λ = 0 is the plain
    mean of the truth, λ = 1 the proxy's mean put right by the mean difference. Errors are Student's with n − 2 degrees,
    rows being a sample of all articles that could come.
    """
    f, y = np.asarray(proxy, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    f, y = f[~np.isnan(f)], y[~np.isnan(f)]
    told = ~np.isnan(y)
    n, rows = int(told.sum()), f.size
    of_all = float(f.mean()) if rows else NAN
    if n < 3:
        return Corrected(NAN, NAN, NAN, n, rows, NAN, of_all)
    seen, said = f[told], y[told]
    moved = seen - seen.mean()
    weight = float(np.clip(moved @ said / (moved @ moved), 0.0, 1.0)) if moved @ moved > 0 else 0.0
    left = said - weight * seen
    value = weight * of_all + float(left.mean())
    spread = float(np.square(left - left.mean()).sum()) / (n - 2)
    over = weight**2 * float(f.var(ddof=1)) + 2 * weight * float(np.cov(seen, left)[0, 1])
    found = around(value, sqrt(max(spread / n + over / rows, 0.0)), n - 2, n, level)
    return Corrected(found.value, found.low, found.high, n, rows, weight, of_all)
