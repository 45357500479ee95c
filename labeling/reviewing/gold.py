"""Gold: what people say of an article once they have settled it, and the articles that a lead has yet to settle.

A lead's newest decision is gold. Without one it is the mean of what people say, dimension by dimension, where they lie
within the filter's threshold of each other on all of them; beyond it the article has none until a lead decides. Only
what was said of the text as it is now counts, and of a person who reviewed an article twice only the later review.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from django.db.models import F, Q, QuerySet

from labeling.models import Article, Decision, FilterVersion, Review, ReviewRules

Scores: TypeAlias = list[float | None]
How: TypeAlias = Literal["decided", "agreed", "single"]
DECIMALS = 6  # of a mean; what was given stays as it is
SLACK = 1e-9


@dataclass(frozen=True)
class Voice:
    """What one person says of an article's present text."""

    reviewer: int
    scores: Scores
    comment: str
    evidence: list[dict]
    at: datetime


@dataclass(frozen=True)
class Gold:
    """Scores in the rubric's order, None where nobody could say; `people` reviewed it, `at` is when the last word fell."""

    scores: Scores
    how: How
    people: int
    at: datetime
    decision: Decision | None = None


@dataclass(frozen=True)
class Dispute:
    """An article on which people lie further apart than the threshold; `voices` stand in an order that gives no one away."""

    version: FilterVersion
    article: Article
    voices: list[Voice]
    gaps: list[float | None]

    @property
    def most(self) -> float:
        return widest(self.gaps)

    @property
    def dimension(self) -> str:
        """The name of the one they lie furthest apart on."""
        return str(self.version.dimensions[turning(self.gaps)]["name"])


def voices(version: FilterVersion, articles: Iterable[int] | None = None) -> dict[int, list[Voice]]:
    """article → what each person says of its text as it is now, of all articles or of these."""
    rows = Review.objects.filter(Q(text_sha256="") | Q(text_sha256=F("task__article__text_sha256")), task__version=version)
    if articles is not None:
        rows = rows.filter(task__article__in=list(articles))
    newest: dict[tuple[int, int], Voice] = {}
    for row in rows.order_by("pk").annotate(article=F("task__article")):
        at = row.final_at or row.created_at
        newest[row.article, row.reviewer_id] = Voice(row.reviewer_id, row.said, row.comment, row.evidence, at)
    found: defaultdict[int, list[Voice]] = defaultdict(list)
    for (article, _), voice in newest.items():
        found[article].append(voice)
    return dict(found)


def decided(version: FilterVersion) -> QuerySet[Decision]:
    """The newest decision on each article, of the text as it is now."""
    newest = Decision.objects.filter(version=version).order_by("article", "-pk").distinct("article")
    return Decision.objects.filter(pk__in=newest.values("pk"), text_sha256=F("article__text_sha256"))


def gold(version: FilterVersion) -> dict[int, Gold]:
    """article → gold; three statements."""
    limit, said = threshold(version), voices(version)
    words = {decision.article_id: decision for decision in decided(version).select_related("lead")}
    found = {pk: _decided(decision, said.get(pk, [])) for pk, decision in words.items()}
    found |= {pk: _agreed(people) for pk, people in said.items() if pk not in words and widest(gaps(people)) <= limit + SLACK}
    return found


def _decided(decision: Decision, people: Sequence[Voice]) -> Gold:
    return Gold(decision.scores, "decided", len(people), decision.created_at, decision)


def _agreed(people: Sequence[Voice]) -> Gold:
    how: How = "agreed" if len(people) > 1 else "single"
    return Gold(middle(people), how, len(people), max(voice.at for voice in people))


def middle(people: Sequence[Voice]) -> Scores:
    """The mean of those who could say, of each dimension."""
    return [round(sum(known) / len(known), DECIMALS) if known else None for known in _columns(people)]


def gaps(people: Sequence[Voice]) -> list[float | None]:
    """From the lowest to the highest score of each dimension; None where fewer than two gave one."""
    return [max(known) - min(known) if len(known) > 1 else None for known in _columns(people)]


def _columns(people: Sequence[Voice]) -> list[list[float]]:
    columns = zip(*(voice.scores for voice in people), strict=True)
    return [[score for score in column if score is not None] for column in columns]


def widest(apart: Sequence[float | None]) -> float:
    return max((gap for gap in apart if gap is not None), default=0.0)


def turning(apart: Sequence[float | None]) -> int:
    """The place of the dimension that people lie furthest apart on."""
    return max(range(len(apart)), key=lambda place: apart[place] or 0.0)


def threshold(version: FilterVersion) -> float:
    return ReviewRules.of(version.filter).threshold


def disputes(version: FilterVersion) -> list[Dispute]:
    """Those that wait for a lead, the largest first; ties by article."""
    limit = threshold(version)
    settled = set(decided(version).values_list("article", flat=True))
    said = {pk: people for pk, people in voices(version).items() if pk not in settled and len(people) > 1}
    apart = {pk: gaps(people) for pk, people in said.items()}
    wide = [pk for pk, each in apart.items() if widest(each) > limit + SLACK]
    articles = Article.objects.defer("text").in_bulk(wide)
    found = [Dispute(version, articles[pk], in_hiding(pk, said[pk]), apart[pk]) for pk in wide]
    return sorted(found, key=lambda one: (-one.most, one.article.pk))


def in_hiding(article: int, people: Iterable[Voice]) -> list[Voice]:
    """In an order that is the same every time and another for every article, so that A isn't always the same person."""
    return sorted(people, key=lambda voice: hashlib.sha256(f"{article} {voice.reviewer}".encode()).digest())
