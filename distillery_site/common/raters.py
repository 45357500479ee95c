"""Agreement of raters beyond chance: Krippendorff's alpha and the intraclass correlation, with their intervals.

A table is [articles, raters], NaN where somebody gave no score. Raters may be few of many: an article counts as soon as
two scored it. Both figures compare how far scores of one article lie apart with how far scores lie apart anyway.

Intervals are bootstraps over articles (whatever was said of one is drawn together). Plain percentiles of such ratios
cover too little, so the resampled values give a standard error on the scale of log(1 − agreement), where the sampling
distribution is about even, and Student's t the reach: 1 − (1 − agreement) · exp(± t · error).
They speak of these raters on other articles; another team of people is another question.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import exp, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from distillery_site.common.estimates import mean_interval, means_of_known, share_interval, t_quantile
from distillery_site.common.statistics import DRAWS, LEVEL, Floats, Interval, as_columns, interval, resampled_sums

WITHIN = 1.0  # points that two scores may lie apart and still count as the same
Figure: TypeAlias = Callable[[Floats], Floats]
_NOTHING = 1e-9
_FIXED = 4  # columns of the parts that don't belong to a rater
NAN = float("nan")


@dataclass(frozen=True)
class Agreement:
    """One dimension scored by several. `raters`: how many an article has on average, the k of `icc_k`."""

    alpha: Interval
    icc: Interval
    icc_k: Interval
    raters: float
    apart: Interval
    within: Interval

    @property
    def n(self) -> int:
        return self.apart.n


def agreement(tables: Sequence[ArrayLike], *, seed: int = 0, draws: int = DRAWS, level: float = LEVEL) -> list[Agreement]:
    """All figures of several tables (dimensions) of the same articles, which are resampled once for all of them."""
    columns = [as_columns(table) for table in tables]
    alphas, iccs = (_intervals(columns, figure, seed, draws, level) for figure in (_alpha, _icc))
    found = []
    for table, alpha, icc_ in zip(columns, alphas, iccs, strict=True):
        distances, raters = apart(table), raters_of(table)
        shares = means_of_known(np.where(np.isnan(distances), NAN, distances <= WITHIN), axis=1)
        means = mean_interval(means_of_known(distances, axis=1), level), share_interval(shares, level)
        found.append(Agreement(alpha, icc_, stepped_up(icc_, raters), raters, *means))
    return found


def krippendorff_alpha(scores: ArrayLike) -> float:
    """Krippendorff's alpha for interval data of [articles, raters].

    1 − observed / expected squared difference (Krippendorff 2011, "Computing Krippendorff's alpha-reliability").
    NaN where the scores don't vary at all.
    """
    return float(_alpha(_parts(as_columns(scores)).sum(axis=0, keepdims=True))[0])


def icc(scores: ArrayLike) -> float:
    """ICC(2,1) of [articles, raters]: two-way random effects, absolute agreement, a single rater (Shrout & Fleiss 1979).

    It is McGraw & Wong's ICC(A,1) (1996). Written as 1 − within / between, where "within" is half the mean squared
    difference of two raters on one article and "between" that of two raters on two articles: on full tables this is the
    published quotient of mean squares, and it needs no full table where raters were dealt out at random.
    1 is perfect agreement, 0 none beyond chance; a constant shift between raters lowers it. NaN where nothing varies.
    """
    return float(_icc(_parts(as_columns(scores)).sum(axis=0, keepdims=True))[0])


def icc_interval(scores: ArrayLike, *, seed: int = 0, draws: int = DRAWS, level: float = LEVEL) -> Interval:
    """`icc` with its interval."""
    return icc_intervals([scores], seed=seed, draws=draws, level=level)[0]


def icc_intervals(tables: Sequence[ArrayLike], *, seed: int = 0, draws: int = DRAWS, level: float = LEVEL) -> list[Interval]:
    """`icc` of several tables of the same articles, which are resampled once for all of them."""
    return _intervals([as_columns(table) for table in tables], _icc, seed, draws, level)


def stepped_up(single: Interval, raters: float) -> Interval:
    """ICC(2,k), of the mean of k raters, from ICC(2,1), by Spearman and Brown (1910); as the one rises so does the other."""

    def of(value: float) -> float:
        below = 1.0 + (raters - 1.0) * value
        return raters * value / below if below > _NOTHING else -1.0 if below == below else NAN

    return Interval(of(single.value), max(of(single.low), -1.0), of(single.high), single.n)


def raters_of(scores: Floats) -> float:
    """Scores an article, over the articles with two or more."""
    given = (~np.isnan(scores)).sum(axis=1)
    given = given[given >= 2]
    return float(given.mean()) if given.size else NAN


def apart(scores: Floats) -> Floats:
    """[articles, pairs of raters] of absolute differences."""
    pairs = [np.abs(scores[:, one] - scores[:, other]) for one, other in combinations(range(scores.shape[1]), 2)]
    return np.stack(pairs, axis=1) if pairs else np.full((len(scores), 1), NAN)


def _parts(scores: Floats) -> Floats:
    """[articles, 4 + 3 raters] whose column sums hold all that both figures need; zeros where fewer than two scored."""
    middle = np.nanmean(scores) if np.isfinite(scores).any() else 0.0
    given = ~np.isnan(scores) & ((~np.isnan(scores)).sum(axis=1, keepdims=True) >= 2)
    x = np.where(given, scores - middle, 0.0)
    size = given.sum(axis=1).astype(np.float64)
    squares = size * (x**2).sum(axis=1) - x.sum(axis=1) ** 2  # summed over the pairs of one article
    each = squares / np.maximum(size - 1, 1.0)
    return np.column_stack([size > 0, each, squares, size * (size - 1) / 2, given, x, x**2])


def _alpha(sums: Floats) -> Floats:
    """For each row of sums: 1 − observed / expected."""
    scores, total, squares = (part.sum(axis=1) for part in _by_rater(sums))
    expected = _over(scores * squares - total**2, scores * (scores - 1))
    return _one_minus(_over(sums[:, 1], scores), expected)


def _icc(sums: Floats) -> Floats:
    """For each row of sums: 1 − within / between; pairs of one rater or of one article are no "between"."""
    given, totals, squares = _by_rater(sums)
    scores = given.sum(axis=1)
    all_ = scores * squares.sum(axis=1) - totals.sum(axis=1) ** 2
    between = all_ - (given * squares - totals**2).sum(axis=1) - sums[:, 2]
    pairs = scores * (scores - 1) / 2 - (given * (given - 1)).sum(axis=1) / 2 - sums[:, 3]
    return _one_minus(_over(sums[:, 1], scores), _over(between, 2 * pairs))


def _by_rater(sums: Floats) -> tuple[Floats, Floats, Floats]:
    raters = (sums.shape[1] - _FIXED) // 3
    rest = sums[:, _FIXED:]
    return rest[:, :raters], rest[:, raters : 2 * raters], rest[:, 2 * raters :]


def _one_minus(observed: Floats, expected: Floats) -> Floats:
    varies = expected > _NOTHING
    return 1.0 - np.divide(observed, expected, out=np.full(len(observed), NAN), where=varies)


def _over(sums: Floats, sizes: Floats) -> Floats:
    return np.divide(sums, sizes, out=np.full(len(sums), NAN), where=sizes > 0)


def _intervals(tables: Sequence[Floats], figure: Figure, seed: int, draws: int, level: float) -> list[Interval]:
    parts = [_parts(table) for table in tables]
    widths = np.cumsum([part.shape[1] for part in parts])[:-1]
    drawn = np.split(resampled_sums(np.hstack(parts), seed=seed, draws=draws), widths, axis=1)
    values = [float(figure(part.sum(axis=0, keepdims=True))[0]) for part in parts]
    return [
        _bounded(value, figure(sums), int(part[:, 0].sum()), level)
        for value, sums, part in zip(values, drawn, parts, strict=True)
    ]


def _bounded(value: float, samples: Floats, n: int, level: float) -> Interval:
    """See the head of this file. Percentiles where a resample agrees perfectly, which the logarithm can't show."""
    left = 1.0 - samples[~np.isnan(samples)]
    if not left.size or np.isnan(value) or n < 3 or 1.0 - value < _NOTHING or left.min() < _NOTHING:
        return interval(value, samples, n, level)
    error = float(np.log(left).std(ddof=1)) * sqrt(n / (n - 1))
    reach = t_quantile(n - 1, level) * error
    return Interval(value, max(-1.0, 1.0 - (1.0 - value) * exp(reach)), 1.0 - (1.0 - value) * exp(-reach), n)
