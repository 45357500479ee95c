"""The labels of one run and how each article was drawn: distributions, correlations, and what they say of all articles.

Articles may have been drawn with unequal chances, so whatever is said of all of them is weighted by one over the chance.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labeling.figures import HIGH, Distribution
from labeling.models import FilterVersion, LabelingItem, LabelingRun, OracleLabel
from labeling.planning import estimates
from labeling.planning.estimates import Score, Share
from labeling.planning.measuring import labels_like

ENOUGH = 20  # fewer scores say nothing about a scale
RARE = 0.05
ANSWERED = (LabelingItem.State.LABELLED, LabelingItem.State.STORED)


@dataclass(frozen=True)
class Sampled:
    """The label of one article, and how that came into the run: `picked` as a likely positive, or else unscreened."""

    article: int
    scores: tuple[Score, ...]
    flags: tuple[str, ...]
    quotes: tuple[dict[str, Any], ...]
    weight: float
    picked: bool


@dataclass(frozen=True)
class Scale:
    """One dimension: its scores, how many different ones there are, and the share of 7 and more in all articles."""

    distribution: Distribution
    distinct: int
    high: Share | None

    @property
    def name(self) -> str:
        return self.distribution.name

    @property
    def rare(self) -> bool:
        """Hardly any article scores 7 or more."""
        return self.high is not None and self.distribution.n >= ENOUGH and self.high.share <= RARE


@dataclass(frozen=True)
class Lift:
    """7 and more among the likely ones that were picked, among those drawn unscreened, and in all articles by the weights."""

    name: str
    picked: Share | None
    unscreened: Share | None
    whole: Share | None


@dataclass(frozen=True)
class RubricReport:
    """What a run says of one rubric; `rows` pairs each scale with its correlations to those before it."""

    version: FilterVersion
    n: int
    rows: tuple[tuple[Scale, tuple[float | None, ...]], ...]
    lifts: tuple[Lift, ...]

    @property
    def scales(self) -> list[Scale]:
        return [scale for scale, _ in self.rows]

    @property
    def triangle(self) -> list[tuple[Scale, list[tuple[float | None, float]]]]:
        """Each scale with its correlations to those before it, and how strong they are: 0 to 1."""
        return [(scale, [(found, abs(found or 0.0)) for found in row]) for scale, row in self.rows]

    @property
    def rare(self) -> list[Scale]:
        return [scale for scale in self.scales if scale.rare]


def samples(run: LabelingRun, version: FilterVersion) -> list[Sampled]:
    """A label for each answered article of the run: the run's own where there is one, else the one that was stored."""
    items = run.items.filter(state__in=ANSWERED).values_list("article", "weight", "drawn")
    drawn = {article: (weight, how) for article, weight, how in items}
    own = OracleLabel.objects.filter(run=run, version=version)  # in the words of its day, should ours change
    labels = (labels_like(run, version) | own).filter(article__in=drawn)
    rows = labels.order_by("pk").values_list("article", "run", "scores", "flags", "evidence")
    found = {row[0]: row for row in sorted(rows, key=lambda row: row[1] == run.pk)}
    return [_sampled(row, *drawn[article]) for article, row in found.items()]


def _sampled(row: tuple[Any, ...], weight: float, drawn: str) -> Sampled:
    article, _, scores, flags, quotes = row
    return Sampled(article, tuple(scores), tuple(flags), tuple(quotes), weight, drawn == LabelingItem.Drawn.ENRICHED)


def rubric_report(version: FilterVersion, found: Sequence[Sampled]) -> RubricReport:
    columns = [[one.scores[place] for one in found] for place in range(len(version.keys))]
    rows = tuple(
        (
            Scale(distribution(dimension, column), len({score for score in column if score is not None}), _high(found, place)),
            tuple(estimates.correlation(column, columns[other]) for other in range(place)),
        )
        for place, (dimension, column) in enumerate(zip(version.dimensions, columns, strict=True))
    )
    lifts = tuple(_lift(dimension["name"], found, place) for place, dimension in enumerate(version.dimensions))
    return RubricReport(version, len(found), rows, lifts)


def distribution(dimension: dict[str, Any], column: Sequence[Score]) -> Distribution:
    scores = [score for score in column if score is not None]
    counts = tuple(sum(int(score) == place for score in scores) for place in range(11))
    mean = statistics.fmean(scores) if scores else None
    zeros, high = sum(score == 0 for score in scores), sum(score >= HIGH for score in scores)
    nulls = len(column) - len(scores)
    return Distribution(dimension["key"], dimension["name"], counts, len(scores), nulls, zeros, high, mean)


def _high(found: Sequence[Sampled], place: int) -> Share | None:
    """The share of 7 and more in all articles that the sample stands for; one without a score has none."""
    scored = ((one.weight, one.scores[place]) for one in found)
    return estimates.weighted_share((weight, score >= HIGH) for weight, score in scored if score is not None)


def _lift(name: str, found: Sequence[Sampled], place: int) -> Lift:
    """Those picked count alike, and so do those drawn unscreened: within each the chances were equal."""
    picked = _evenly([one for one in found if one.picked], place)
    unscreened = _evenly([one for one in found if not one.picked], place)
    return Lift(name, picked, unscreened, _high(found, place))


def _evenly(found: Sequence[Sampled], place: int) -> Share | None:
    scores = [one.scores[place] for one in found]
    return estimates.weighted_share((1.0, score >= HIGH) for score in scores if score is not None)
