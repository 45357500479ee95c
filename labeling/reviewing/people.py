"""People in figures: how alike they are, how far from an oracle or a student, and what seeing the oracle's scores does to them.

Agreement counts what people said first and blind, of the articles' present texts; of a person who reviewed an article
twice, the later review. Rows are articles. For formulas see distillery_site.common.raters and .estimates.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import takewhile

import numpy as np
from django.db.models import Exists, F, OuterRef, Q

from distillery_site.common.estimates import difference, mean_interval, means_of_known
from distillery_site.common.raters import Agreement, agreement
from distillery_site.common.statistics import Floats, Interval
from labeling.comparing.readings import Scores, Source, sources
from labeling.models import FilterVersion, Review, ReviewTurn
from labeling.reviewing.policies import drawn, in_draw_order

FEW = 20  # articles, or turns, below which a figure is shown with a warning
NAN = float("nan")


@dataclass(frozen=True)
class Given:
    """One review: what was said first. `by_lot`: whether it was blind was drawn, so the two kinds may be compared."""

    article: int
    reviewer: int
    scores: Scores
    blind: bool
    by_lot: bool
    seconds: float | None
    at: datetime


def given(version: FilterVersion) -> list[Given]:
    """All reviews of present texts, in the order in which they came."""
    there = Q(text_sha256="") | Q(text_sha256=F("task__article__text_sha256"))
    turn = Exists(ReviewTurn.objects.filter(review=OuterRef("pk")))
    rows = Review.objects.filter(there, task__version=version).annotate(by_lot=turn).order_by("pk")
    names = ("task__article", "reviewer", "scores", "blind", "by_lot", "seconds", "created_at")
    return [Given(*row) for row in rows.values_list(*names)]


@dataclass(frozen=True)
class Beside:
    """People beside another judge. `shift`: the other minus the people's mean; below 0 it is stricter than people."""

    figures: list[Agreement]
    shift: list[Interval]
    articles: int


@dataclass(frozen=True)
class People:
    """Blind first scores, [articles, people, dimensions], NaN where there is none; `articles` and `who` name the places."""

    version: FilterVersion
    articles: list[int]
    who: list[int]
    scores: Floats

    @cached_property
    def mean(self) -> dict[int, Scores]:
        """article → the mean of those who could say, of each dimension."""
        return {article: _listed(means_of_known(self.scores[place], axis=0)) for place, article in enumerate(self.articles)}

    @cached_property
    def together(self) -> int:
        """Articles that two or more have scored."""
        return int(((~np.isnan(self.scores)).any(axis=2).sum(axis=1) >= 2).sum())

    def alike(self) -> list[Agreement]:
        """People beside people, a dimension each."""
        return agreement([self.scores[:, :, place] for place in range(self.scores.shape[2])])

    def beside(self, other: Mapping[int, Scores]) -> Beside | None:
        """Their mean beside what another judge said of the same articles; None where there is none."""
        shared = [article for article in self.articles if article in other]
        if not shared:
            return None
        ours, theirs = (np.array([said[article] for article in shared], dtype=np.float64) for said in (self.mean, other))
        tables = [np.column_stack([ours[:, place], theirs[:, place]]) for place in range(ours.shape[1])]
        return Beside(agreement(tables), [mean_interval(column) for column in (theirs - ours).T], len(shared))

    def among(self, articles: Collection[int]) -> "People":
        keep = [place for place, article in enumerate(self.articles) if article in articles]
        return People(self.version, [self.articles[place] for place in keep], self.who, self.scores[keep])


def people(version: FilterVersion, rows: Sequence[Given] | None = None) -> People:
    """What people have said blind, of all articles."""
    blind = [row for row in (given(version) if rows is None else rows) if row.blind]
    articles, who = (sorted({getattr(row, name) for row in blind}) for name in ("article", "reviewer"))
    scores = np.full((len(articles), len(who), len(version.dimensions)), NAN)
    places, columns = ({name: place for place, name in enumerate(names)} for names in (articles, who))
    for row in blind:
        scores[places[row.article], columns[row.reviewer]] = np.array(row.scores, dtype=np.float64)
    return People(version, articles, who, scores)


def sample(version: FilterVersion, among: Collection[int]) -> set[int]:
    """The part of `among` that was drawn at random and that people are through with, in the order of the draw.

    It ends at the first article that nobody has reviewed or skipped: behind it, what was reviewed sooner than its turn
    was reviewed because it looked wrong, and would make everybody look worse than they are.
    """
    asked = drawn(version, among)
    through = Q(reviews__isnull=False) | Q(turns__skipped_at__isnull=False)
    done = set(version.review_tasks.filter(through, article__in=asked).values_list("article", flat=True))
    return set(takewhile(done.__contains__, in_draw_order(asked)))


@dataclass(frozen=True)
class Anchoring:
    """How many points nearer to the oracle people land with its scores in sight, a dimension each and on average.

    Whether a turn is blind is drawn by lot, so the difference of the mean distances is what the sight does: Welch's
    interval, a review being a row. `blind` and `sighted` count reviews.
    """

    source: Source
    dimensions: list[tuple[str, Interval]]
    mean: Interval
    blind: int
    sighted: int

    @property
    def few(self) -> bool:
        return min(self.blind, self.sighted) < FEW

    @property
    def sentence(self) -> str:
        pull = self.mean
        if np.isnan(pull.low):
            return f"It takes two reviews of each kind to measure; there are {self.blind} blind and {self.sighted} in sight."
        way = "nearer to" if pull.value >= 0 else "further from"
        reach = f"{pull.low:+.2f} to {pull.high:+.2f}".replace("-", "−")
        sure = "" if pull.low > 0 or pull.high < 0 else ", which may be chance"
        return f"With the oracle's scores in sight, people land {abs(pull.value):.2f} points {way} them ({reach}{sure})."


def anchoring(version: FilterVersion, rows: Sequence[Given], oracle: Source | None = None) -> Anchoring | None:
    """None where no oracle has labelled, or nobody has reviewed what it has."""
    source = oracle or next(iter(sources(version, reading=1)), None)
    said = source.scores() if source else {}
    mine = [row for row in rows if row.by_lot and row.article in said]
    if source is None or not mine:
        return None
    away = np.abs(_array([row.scores for row in mine]) - _array([said[row.article] for row in mine]))
    blind = np.array([row.blind for row in mine])
    parts = [difference(column[blind], column[~blind]) for column in (*away.T, means_of_known(away, axis=1))]
    names = [dimension["name"] for dimension in version.dimensions]
    return Anchoring(source, list(zip(names, parts[:-1], strict=True)), parts[-1], int(blind.sum()), int((~blind).sum()))


def _array(rows: Sequence[Scores]) -> Floats:
    return np.array(rows, dtype=np.float64)


def _listed(values: Floats) -> Scores:
    return [None if np.isnan(value) else float(value) for value in values]
