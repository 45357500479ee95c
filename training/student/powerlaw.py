"""How an error falls with the number of labels, MAE(n) = a + b · (n / N)^(−c), and how sure that is. NumPy only.

N is the number of labels there are, so a + b is the error they give and b the part of it that more of them can take
away. Learning curves of text classifiers follow this inverse power law (R. L. Figueroa et al. 2012, "Predicting sample
size required for classification performance", BMC Medical Informatics and Decision Making 12:8), those of neural
networks too (J. Hestness et al. 2017, "Deep learning scaling is predictable, empirically", arXiv:1712.00409).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from distillery_site.common.errors import BadInput
from distillery_site.common.statistics import Interval, interval, mean_of_columns, resampled_means

from .data import Floats

DRAWS = 500
LEVEL = 0.95
NOTHING = 0.0005  # of a point on the scale from 0 to 10
UNSURE = 0.05  # of the error: a fall of which even this much is possible was not ruled out
FEWEST_SIZES = 4  # three parameters, and one point to contradict them
FURTHEST = 4  # times the labels there are; beyond it even a good fit on this many points is a guess
_STEEPEST, _FLATTEST, _GRID, _ZOOM, _ZOOMS = 2.0, 0.01, 64, 9, 3


def fit(shares: ArrayLike, errors: ArrayLike, weights: ArrayLike) -> Floats:
    """[draws, 3] of (a, b, c) with a ≥ 0, b ≥ 0, 0 < c ≤ 2, for [draws, sizes] errors at [sizes] shares n / N.

    Weighted least squares, by variable projection (G. Golub & V. Pereyra 1973): for a given c the best a and b have a
    closed form, so only c is searched, on a grid and then closer and closer to its best value. No start to choose, no local
    minimum to be caught in.
    """
    x, y, w = (np.asarray(values, dtype=np.float64) for values in (shares, errors, weights))
    candidates = np.broadcast_to(np.geomspace(_FLATTEST, _STEEPEST, _GRID), (len(y), _GRID))
    for _ in range(_ZOOMS):
        at = _best(x, y, w, candidates)[1]
        low, high = (
            np.take_along_axis(candidates, np.clip(at + step, 0, candidates.shape[1] - 1)[:, None], 1) for step in (-1, 1)
        )
        candidates = np.linspace(low[:, 0], high[:, 0], _ZOOM, axis=1)
    return _best(x, y, w, candidates)[0]


def _best(x: Floats, y: Floats, w: Floats, steepness: Floats) -> tuple[Floats, Any]:
    """For each draw the best of its [draws, candidates] of c, and which one it was."""
    basis = x ** -steepness[:, :, None]  # [draws, candidates, sizes]
    total, sp, spp = w.sum(), basis @ w, basis**2 @ w
    sy, spy = (y @ w)[:, None], np.einsum("dgk,dk->dg", basis, y * w)
    below = np.maximum(total * spp - sp**2, 1e-300)
    b = (total * spy - sp * sy) / below
    a = (sy - b * sp) / total
    a, b = np.where(b < 0, sy / total, a), np.maximum(b, 0.0)
    a, b = np.maximum(a, 0.0), np.where(a < 0, spy / spp, b)
    loss = ((a[:, :, None] + b[:, :, None] * basis - y[:, None, :]) ** 2) @ w
    at = loss.argmin(axis=1)
    rows = np.arange(len(y))
    return np.stack([a[rows, at], b[rows, at], steepness[rows, at]], axis=1), at


def value(law: ArrayLike, share: ArrayLike) -> Floats:
    """The error at n / N = `share`, of (a, b, c) or of [draws, 3] of them."""
    a, b, c = np.moveaxis(np.asarray(law, dtype=np.float64), -1, 0)
    found: Floats = a + b * np.asarray(share, dtype=np.float64) ** -c
    return found


@dataclass(frozen=True)
class Measured:
    """What was measured at each size: [sizes] means over seeds and the same for [draws, sizes] resamples."""

    sizes: tuple[int, ...]
    mean: Floats
    drawn: Floats

    @property
    def shares(self) -> Floats:
        return np.array(self.sizes, dtype=np.float64) / self.sizes[-1]

    @property
    def weights(self) -> Floats:
        """One over the variance of a size's error beside those of the other sizes.

        What moves all sizes alike (these validation articles are easy) says nothing of the curve's shape. No size
        counts more than four times the average: three seeds can agree by chance.
        """
        spread = (self.drawn - self.drawn.mean(axis=1, keepdims=True)).var(axis=0)
        return 1.0 / np.maximum(spread, max(float(spread.mean()) / 4, 1e-12))

    def upto(self, count: int) -> "Measured":
        return Measured(self.sizes[:count], self.mean[:count], self.drawn[:, :count])

    def law(self) -> Floats:
        return fit(self.shares, self.mean[None, :], self.weights)[0]

    def laws(self) -> Floats:
        """[draws, 3]: each resample's law, moved by as much as its rows are harder or easier with all labels than they are.

        On these very rows the error with all labels is known; what is left is how unsure the curve is on them. How far
        they stand for other rows is the points' interval.
        """
        found = fit(self.shares, self.drawn, self.weights)
        found[:, 0] -= self.drawn[:, -1] - self.mean[-1]
        return found


def measured(errors: Mapping[int, Sequence[Floats]], *, seed: int = 0, draws: int = DRAWS) -> Measured:
    """From {size: [validation rows, outputs] absolute errors of each seed}, resampling rows and seeds together.

    The same rows, and the same seeds, are drawn for every size, so that differences between sizes keep what pairing
    gives them. Seeds are few, so their resampled means are stretched by √(k / (k − 1)) around their mean: without it
    their variance would come out too small (J. N. K. Rao & C. F. J. Wu 1988, the rescaled bootstrap). A size with one
    seed alone has nothing to draw among.
    """
    sizes = tuple(sorted(errors))
    most = max(len(errors[size]) for size in sizes)
    picks = np.random.default_rng(seed).multinomial(most, [1 / most] * most, size=draws) / most
    stretch = np.sqrt(most / (most - 1)) if most > 1 else 0.0
    picks = 1 / most + stretch * (picks - 1 / most)
    drawn, mean = np.empty((draws, len(sizes))), np.empty(len(sizes))
    for place, size in enumerate(sizes):
        each = np.stack([resampled_means(rows, seed, draws) for rows in errors[size]], axis=1)
        own = picks if len(errors[size]) == most else np.full((draws, len(errors[size])), 1 / len(errors[size]))
        drawn[:, place] = (each * own).sum(axis=1)
        mean[place] = np.mean([mean_of_columns(rows) for rows in errors[size]])
    return Measured(sizes, mean, drawn)


def half(of: Interval) -> float:
    """Half an interval's width, for “± 0.02”."""
    return (of.high - of.low) / 2


@dataclass(frozen=True)
class Forecast:
    """What the curve says of `labels`: the error there, and how much lower it is than with the labels there are.

    then, gain: on these same validation rows. level: by how much, up or down, both errors may differ on other rows.
    """

    labels: int
    now: float
    then: Interval
    gain: Interval
    level: float

    @property
    def margin(self) -> float:
        return half(self.then)


@dataclass(frozen=True)
class BackTest:
    """What the curve without its last size foretold for it, what was found, and found − foretold on the same resamples."""

    sizes: tuple[int, ...]
    foretold: float
    found: float
    off: Interval

    @property
    def held(self) -> bool:
        """Whether the truth lay within what resampling leaves open, or beside it by what rounds to nothing."""
        return self.off.low <= 0 <= self.off.high or abs(self.off.value) < NOTHING


@dataclass(frozen=True)
class Curve:
    """One filter's (or dimension's) learning curve: what was measured, the law through it, and [draws, 3] resampled laws.

    fell: by how much the error fell from the last size that is at most half of all labels to all of them.
    """

    sizes: tuple[int, ...]
    points: tuple[Interval, ...]
    law: Floats
    laws: Floats
    fell_from: int
    fell: Interval
    back_test: BackTest | None = None

    @classmethod
    def of(cls, found: Measured, rows: int) -> "Curve":
        """Raises BadInput where too few sizes were measured to fit anything."""
        if len(found.sizes) < FEWEST_SIZES:
            raise BadInput(f"A curve takes {FEWEST_SIZES} sizes or more; {len(found.sizes)} were measured.")
        points = tuple(interval(float(mean), found.drawn[:, place], rows, LEVEL) for place, mean in enumerate(found.mean))
        middle = max([place for place, size in enumerate(found.sizes) if 2 * size <= found.sizes[-1]], default=0)
        drop = interval(
            float(found.mean[middle] - found.mean[-1]), found.drawn[:, middle] - found.drawn[:, -1], rows, LEVEL
        )  # fmt: skip
        tested = _back_test(found, rows) if len(found.sizes) > FEWEST_SIZES else None
        return cls(found.sizes, points, found.law(), found.laws(), found.sizes[middle], drop, tested)

    @property
    def labels(self) -> int:
        return self.sizes[-1]

    @property
    def falls(self) -> bool:
        """Whether more labels helped for sure, the last time they were doubled."""
        return self.fell.low > 0

    def refusal(self, more: int) -> str:
        """Why nothing is foretold for `more` labels, in a sentence; empty where something is."""
        if more < 1:
            return "Ask for one more label or several."
        if not self.falls:
            return self._flat()
        if self.labels + more > FURTHEST * self.labels:
            most = (FURTHEST - 1) * self.labels
            return (
                f"{self.labels:,} labels say nothing sure about more than {FURTHEST} times as many. Ask for {most:,} more at "
                "most, and draw the curve again when some of them are there."
            )
        return ""

    def _flat(self) -> str:
        """A fall that is too small to matter is told from one that too few validation rows could not show."""
        fell = f"{self.fell.value:.3f} points ({self.fell.low:.3f} to {self.fell.high:.3f})".replace("-", "−")
        said = f"From {self.fell_from:,} to {self.labels:,} labels the error fell by {fell}"
        if self.fell.high > UNSURE * self.points[-1].value:
            return (
                f"{said}; {self.fell.n:,} validation articles can't tell that from nothing, so what more would give isn't known."
            )
        return f"{said}, which may be nothing: more labels would not help what this student can learn."

    def forecast(self, more: int) -> Forecast:
        """Raises BadInput with the refusal's sentence."""
        if sentence := self.refusal(more):
            raise BadInput(sentence)
        share, rows = (self.labels + more) / self.labels, self.points[-1].n
        now, then = self.value(1.0), self.value(share)
        drawn = value(self.laws, share)
        gain = interval(now - then, value(self.laws, 1.0) - drawn, rows, LEVEL)
        return Forecast(self.labels + more, now, interval(then, drawn, rows, LEVEL), gain, half(self.points[-1]))

    def value(self, share: float) -> float:
        return float(value(self.law, share))

    def band(self, share: float) -> Interval:
        return interval(self.value(share), value(self.laws, share), self.points[-1].n, LEVEL)

    def to_json(self) -> dict[str, Any]:
        tested = self.back_test
        return {
            "sizes": list(self.sizes),
            "points": [_bounds(point) for point in self.points],
            "law": _short(self.law),
            "laws": _short(self.laws),
            "fell_from": self.fell_from,
            "fell": _bounds(self.fell),
            "rows": self.points[-1].n,
            "back_test": tested
            and {"foretold": round(tested.foretold, 6), "found": round(tested.found, 6), "off": _bounds(tested.off)},
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Curve":
        rows, sizes, tested = told["rows"], tuple(told["sizes"]), told["back_test"]
        return cls(
            sizes=sizes,
            points=tuple(_interval(bounds, rows) for bounds in told["points"]),
            law=np.array(told["law"]),
            laws=np.array(told["laws"]),
            fell_from=told["fell_from"],
            fell=_interval(told["fell"], rows),
            back_test=tested and BackTest(sizes[:-1], tested["foretold"], tested["found"], _interval(tested["off"], rows)),
        )


def _back_test(found: Measured, rows: int) -> BackTest:
    """As if the last size had not been measured yet."""
    known, share = found.upto(len(found.sizes) - 1), found.sizes[-1] / found.sizes[-2]
    foretold, truth = float(value(known.law(), share)), float(found.mean[-1])
    drawn = found.drawn[:, -1] - value(fit(known.shares, known.drawn, known.weights), share)
    return BackTest(known.sizes, foretold, truth, interval(truth - foretold, drawn, rows, LEVEL))


def _bounds(of: Interval) -> list[float]:
    return [round(bound, 6) for bound in (of.value, of.low, of.high)]


def _interval(bounds: Sequence[float], rows: int) -> Interval:
    middle, low, high = bounds
    return Interval(middle, low, high, rows)


def _short(values: Floats) -> list[Any]:
    """Six digits of each: a page needs no more, and a row in the database gets smaller."""
    return np.array([float(f"{one:.6g}") for one in values.ravel()]).reshape(values.shape).tolist()
