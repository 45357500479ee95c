"""What a sample says of all: shares, means and correlations, each with its interval. Pure."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Z = 1.96  # 95 %
Score: TypeAlias = float | None


@dataclass(frozen=True)
class Share:
    """A share of all articles and its 95 % interval; `n` were looked at, which count for `effective` drawn evenly."""

    share: float
    low: float
    high: float
    n: int
    effective: float


@dataclass(frozen=True)
class Mean:
    """A mean and its 95 % interval; of one value alone the interval is not known and as wide as the mean itself."""

    mean: float
    low: float
    high: float
    n: int

    def times(self, count: float) -> "Mean":
        return Mean(self.mean * count, self.low * count, self.high * count, self.n)


def wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's interval of a share (E. B. Wilson, 1927): honest where 0 of 80 were found; n needn't be whole."""
    if n <= 0:
        return 0.0, 1.0
    scale = 1 + Z * Z / n
    middle = (share + Z * Z / (2 * n)) / scale
    half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / scale
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def weighted_share(found: Iterable[tuple[float, bool]]) -> Share | None:
    """The share of all articles, from (weight, whether it counts) of those drawn; None when there are none.

    A weight is one over the chance of being drawn (Hájek's ratio of weighted sums). Uneven weights make a sample worth
    fewer: (sum of w)² / sum of w² (Kish's effective size), which Wilson's interval is taken at.
    """
    rows = list(found)
    total = sum(weight for weight, _ in rows)
    if total <= 0:
        return None
    share = sum(weight for weight, counts in rows if counts) / total
    effective = total**2 / sum(weight**2 for weight, _ in rows)
    return Share(share, *wilson(share, effective), n=len(rows), effective=effective)


def mean_of(values: Sequence[float]) -> Mean | None:
    """None of nothing; the interval is the mean's own, 1.96 standard errors each way, and not below 0 for what can't be."""
    if not values:
        return None
    mean = statistics.fmean(values)
    half = Z * statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else mean
    return Mean(mean, max(0.0, mean - half), mean + half, len(values))


def correlation(left: Sequence[Score], right: Sequence[Score]) -> float | None:
    """Pearson's, over pairs where both are known; None for fewer than three, or where one side never changes."""
    pairs = [(a, b) for a, b in zip(left, right, strict=True) if a is not None and b is not None]
    if len(pairs) < 3:
        return None
    try:
        return statistics.correlation(*zip(*pairs, strict=True))
    except statistics.StatisticsError:
        return None
