"""How far an oracle can be trusted: against itself, asked again, and against another one on the same articles.

Everything is of one source (oracle, rubric and prompt) or of two, of the articles' present texts, null scores left
out pair by pair. Intervals are bootstraps over articles, seeded; see distillery_site.common.statistics for formulas.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from distillery_site.common.raters import WITHIN, Agreement
from distillery_site.common.raters import agreement as agreement_of
from distillery_site.common.statistics import DRAWS, Floats, Interval, bootstrap_each, bootstrap_mean, spearman
from labeling.comparing.readings import Scores, Source, source
from labeling.models import FilterVersion, Oracle

FELT = 0.1  # a shift below this is not worth a sentence, however sure it is
SHIFTS_TOLD = 3
NAN = float("nan")


@dataclass(frozen=True)
class Row:
    """A line of a table of agreement; `shift` is the other judge minus the first, where there are two."""

    name: str
    figures: Agreement
    shift: Interval | None = None


def named(version: FilterVersion, figures: Sequence[Agreement], shifts: Sequence[Interval] = ()) -> list[Row]:
    """One row a dimension."""
    names = [dimension["name"] for dimension in version.dimensions]
    return [Row(name, figures[place], shifts[place] if shifts else None) for place, name in enumerate(names)]


@dataclass(frozen=True)
class Again:
    """One dimension read k times. `bias`: the mean of reading 2, 3, … minus reading 1."""

    key: str
    name: str
    mae: Interval
    within: Interval
    icc: Interval
    alpha: Interval
    bias: tuple[Interval, ...]


@dataclass(frozen=True)
class Repeat:
    """An oracle against itself. `mae` and `within` are means over the dimensions; n counts articles."""

    source: Source
    readings: tuple[int, ...]
    dimensions: tuple[Again, ...]
    mae: Interval
    within: Interval
    figures: tuple[Agreement, ...]

    @property
    def articles(self) -> int:
        return self.mae.n

    @property
    def rows(self) -> list[Row]:
        return named(self.source.version, self.figures)

    @property
    def sentence(self) -> str:
        times = "twice" if len(self.readings) == 2 else f"{len(self.readings)} times"
        return (
            f"Asked {times}, {self.source.name} differs from itself by {self.mae.value:.2f} points on average "
            f"({self.mae.low:.2f} to {self.mae.high:.2f}); {_percent(self.within.value)} of its scores stay within a point."
        )


@dataclass(frozen=True)
class Against:
    """One dimension by two oracles. `bias`: the mean of the other minus the first; below 0 the other is stricter."""

    key: str
    name: str
    bias: Interval
    mae: Interval
    spearman: float
    icc: Interval
    within: Interval


@dataclass(frozen=True)
class Between:
    """A second oracle against the first, both by their first readings. Means over dimensions as in `Repeat`."""

    source: Source
    other: Source
    dimensions: tuple[Against, ...]
    bias: Interval
    mae: Interval
    within: Interval
    figures: tuple[Agreement, ...]

    @property
    def articles(self) -> int:
        return self.mae.n

    @property
    def rows(self) -> list[Row]:
        return named(self.source.version, self.figures)

    @property
    def shifts(self) -> list[Against]:
        """Dimensions on which the levels differ for sure and by enough to be felt, largest first."""
        sure = [one for one in self.dimensions if abs(one.bias.value) >= FELT and (one.bias.low > 0 or one.bias.high < 0)]
        return sorted(sure, key=lambda one: -abs(one.bias.value))

    @property
    def sentence(self) -> str:
        told = _and([_shift(one) for one in self.shifts[:SHIFTS_TOLD]]) or "is neither stricter nor milder for sure"
        return f"{self.other.name} {told}; it differs from {self.source.name} by {self.mae.value:.2f} points on average."


def _shift(one: Against) -> str:
    word = "stricter" if one.bias.value < 0 else "milder"
    return f"is {abs(one.bias.value):.2f} {word} on {one.name}"


def _and(parts: Sequence[str]) -> str:
    """The verb is said once: is 0.6 stricter on a, 0.3 on b and 0.2 milder on c."""
    rest = [part.removeprefix("is ") for part in parts[1:]]
    if not rest:
        return "".join(parts)
    return f"{', '.join([parts[0], *rest[:-1]])} and {rest[-1]}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u202f%"


def repeat(version: FilterVersion, oracle: Oracle, prompt_hash: str | None = None) -> Repeat | None:
    """An oracle's readings of the same texts in the same words; None where nothing was read twice."""
    found = source(version, oracle, prompt_hash)
    return repeat_of(found) if found else None


def repeat_of(found: Source) -> Repeat | None:
    numbers, scores = read_again(found)
    draws = _draws(len(scores))
    apart, within = (_mean_of_pairs(values) for values in (_apart(scores), _within(_apart(scores))))
    shifts = [scores[:, later] - scores[:, 0] for later in range(1, len(numbers))]
    maes, withins, *biases = _each(apart, within, *shifts, draws=draws)
    figures = tuple(agreement_of([scores[:, :, place] for place in range(scores.shape[2])], draws=draws))
    dimensions = tuple(
        Again(
            key=dimension["key"],
            name=dimension["name"],
            mae=maes[place],
            within=withins[place],
            icc=figures[place].icc,
            alpha=figures[place].alpha,
            bias=tuple(bias[place] for bias in biases),
        )
        for place, dimension in enumerate(found.version.dimensions)
    )
    mae, share = (bootstrap_mean(values, draws=draws) for values in (apart, within))
    return Repeat(found, numbers, dimensions, mae, share, figures) if mae.n else None


def _draws(articles: int) -> int:
    """2,000 resamples; fewer from 4,000 articles on, where a page would wait for them and intervals are narrow anyway."""
    return max(200, min(DRAWS, 8_000_000 // max(1, articles)))


def _each(*measures: Floats, draws: int) -> list[list[Interval]]:
    """For each measure [articles, dimensions] an interval a dimension, all of the same resamples."""
    width = measures[0].shape[1]
    found = bootstrap_each(np.hstack(measures), draws=draws)
    return [found[start : start + width] for start in range(0, len(found), width)]


def repeat_errors(found: Source) -> Floats:
    """[articles, dimensions]: how far an article's readings lie apart. The mean of this is the oracle's repeat error.

    Two readings each carry noise: a student that hit the oracle's mean exactly would show between half of
    this and all of it (this / √2 if the noise is Gaussian) against single readings.
    """
    return _mean_of_pairs(_apart(read_again(found)[1]))


def read_again(found: Source) -> tuple[tuple[int, ...], Floats]:
    """The numbers of the readings, and [articles, readings, dimensions] with NaN for null and for what wasn't read."""
    again = found.read_again()
    numbers = tuple(sorted({number for said in again.values() for number in said})) or (1, 2)
    nothing: Scores = [None] * len(found.version.dimensions)
    rows = [[said.get(number, nothing) for number in numbers] for said in again.values()]
    return numbers, np.array(rows, dtype=np.float64).reshape(len(rows), len(numbers), len(nothing))


def _apart(scores: Floats) -> Floats:
    """[articles, pairs of readings, dimensions] of absolute differences."""
    pairs = list(combinations(range(scores.shape[1]), 2))
    found: Floats = np.abs(np.stack([scores[:, later] - scores[:, first] for first, later in pairs], axis=1))
    return found


def _within(apart: Floats) -> Floats:
    return np.where(np.isnan(apart), NAN, apart <= WITHIN)


def _mean_of_pairs(values: Floats) -> Floats:
    """The mean over axis 1 of what is known there, NaN where nothing is: an article weighs once, however often read."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    found: Floats = np.divide(total, count, out=np.full(total.shape, NAN), where=count > 0)
    return found


def between(version: FilterVersion, oracle: Oracle, other: Oracle) -> Between | None:
    """Two oracles on the same texts, each in the words it was asked with most; None where they share no article."""
    first, second = source(version, oracle), source(version, other)
    return between_of(first, second) if first and second else None


def between_of(first: Source, second: Source) -> Between | None:
    one, two = first.scores(), second.scores()
    shared = sorted(one.keys() & two.keys())
    if not shared:
        return None
    a, b = (np.array([said[article] for article in shared], dtype=np.float64) for said in (one, two))
    bias, draws = b - a, _draws(len(shared))
    apart, within = np.abs(bias), _within(np.abs(bias))
    biases, maes, withins = _each(bias, apart, within, draws=draws)
    tables = [np.stack([a[:, place], b[:, place]], axis=1) for place in range(a.shape[1])]
    figures = tuple(agreement_of(tables, draws=draws))
    dimensions = tuple(
        Against(
            key=dimension["key"],
            name=dimension["name"],
            bias=biases[place],
            mae=maes[place],
            spearman=spearman(a[:, place], b[:, place]),
            icc=figures[place].icc,
            within=withins[place],
        )
        for place, dimension in enumerate(first.version.dimensions)
    )
    shift, mae, share = (bootstrap_mean(values, draws=draws) for values in (bias, apart, within))
    return Between(first, second, dimensions, shift, mae, share, figures) if mae.n else None
