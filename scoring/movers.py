"""The articles behind a comparison: those whose scores two versions see most differently, and those both should have known."""

from dataclasses import dataclass

import numpy as np

from distillery_site.common.statistics import Floats
from labeling.models import Article
from scoring.comparing import Comparison
from scoring.figures import reasons_of


@dataclass(frozen=True)
class Scores:
    """One dimension of an article: what the oracle said (None where it said nothing), and both versions."""

    dimension: str
    oracle: float | None
    first: float
    second: float

    @property
    def moved(self) -> float:
        return abs(self.first - self.second)

    @property
    def error(self) -> float:
        """The larger of the two errors; 0 where the oracle said nothing."""
        return 0.0 if self.oracle is None else max(abs(self.first - self.oracle), abs(self.second - self.oracle))


@dataclass(frozen=True)
class Seen:
    """An article as both versions see it; both errors are means over its dimensions, NaN without any score of the oracle."""

    article: Article
    moved: float
    first_error: float
    second_error: float
    scores: list[Scores]
    reason: str

    @property
    def by_move(self) -> list[Scores]:
        return sorted(self.scores, key=lambda one: -one.moved)

    @property
    def by_error(self) -> list[Scores]:
        return sorted(self.scores, key=lambda one: -one.error)


def movers(found: Comparison, n: int = 10) -> list[Seen]:
    """Those whose scores differ most between the two, on average over the dimensions."""
    return _told(found, np.abs(found.ours - found.theirs).mean(axis=1), n)


def worst(found: Comparison, n: int = 10) -> list[Seen]:
    """Those that one of the two misses most, on average over the dimensions."""
    errors = [_row_means(np.abs(said - found.truth)) for said in (found.ours, found.theirs)]
    return _told(found, np.nan_to_num(np.maximum(*errors)), n)


def _told(found: Comparison, by: Floats, n: int) -> list[Seen]:
    order = [int(place) for place in np.argsort(-by, kind="stable")[:n] if by[place] > 0]
    articles = Article.objects.in_bulk([found.article_ids[place] for place in order])
    reasons = reasons_of(found.dataset, articles)
    slug = found.version.filter.slug
    return [_seen(found, place, articles, reasons.get(found.article_ids[place], {}).get(slug, "")) for place in order]


def _seen(found: Comparison, place: int, articles: dict[int, Article], reason: str) -> Seen:
    truth, ours, theirs = found.truth[place], found.ours[place], found.theirs[place]
    off = [float(_row_means(np.abs(said - truth)[None])[0]) for said in (ours, theirs)]
    rows = zip(found.names.values(), truth, ours, theirs, strict=True)
    return Seen(
        articles[found.article_ids[place]],
        float(np.abs(ours - theirs).mean()),
        off[0],
        off[1],
        [Scores(name, None if np.isnan(said) else float(said), float(a), float(b)) for name, said, a, b in rows],
        reason,
    )


def _row_means(values: Floats) -> Floats:
    """[n] means over the known columns; NaN where none is."""
    known = ~np.isnan(values)
    sums, sizes = np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1)
    means: Floats = np.divide(sums, sizes, out=np.full(len(values), np.nan), where=sizes > 0)
    return means
