"""One article as every oracle and person judged it, filter by filter, for the article's page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from labeling.current import latest_policy
from labeling.models import Article, Filter, FilterVersion, OracleLabel, PrefilterVerdict, Review, ReviewTask


@dataclass(frozen=True)
class Column:
    """One judge's scores; `kind` is oracle or person, `stale` says that the text was edited since."""

    kind: str
    name: str
    reading: int
    scores: list[float | None]
    reasoning: str
    at: datetime
    stale: bool = False

    @property
    def short(self) -> str:
        """The head of its column; a second reading stands beside the first."""
        return f"reading {self.reading}" if self.reading > 1 else self.name


@dataclass(frozen=True)
class Judged:
    """One rubric's view of an article: columns of scores, the prefilter's verdict and what is asked of reviewers."""

    version: FilterVersion
    columns: list[Column] = field(default_factory=list)
    verdict: PrefilterVerdict | None = None
    open_task: ReviewTask | None = None

    @property
    def rows(self) -> Iterator[tuple[dict, list[tuple[Column, float | None]]]]:
        """Each dimension with its columns and their scores."""
        for place, dimension in enumerate(self.version.dimensions):
            yield dimension, [(column, column.scores[place]) for column in self.columns]

    @property
    def reasons(self) -> list[Column]:
        return [column for column in self.columns if column.reasoning]


def judged(article: Article, first: Filter | None) -> list[Judged]:
    """Every rubric that judged the article and the latest of each filter; `first`'s come first, newest version first."""
    labels = list(article.labels.select_related("version__filter", "oracle").order_by("oracle_id", "reading", "pk"))
    said = Review.objects.filter(task__article=article).order_by("pk")
    reviews = list(said.select_related("task__version__filter", "reviewer"))
    versions = {label.version for label in labels} | {review.task.version for review in reviews}
    versions |= {filter_.latest for filter_ in Filter.objects.all()} - {None}
    order = sorted(versions, key=lambda v: (v.filter != first, v.filter.slug, -v.number))
    return [_judged(article, version, labels, reviews) for version in order]


def _judged(article: Article, version: FilterVersion, labels: list[OracleLabel], reviews: list[Review]) -> Judged:
    columns = [_oracle(label, article) for label in labels if label.version_id == version.pk]
    columns += [_person(review) for review in reviews if review.task.version_id == version.pk]
    verdict = article.verdicts.filter(policy=latest_policy(version)).first()
    task = article.review_tasks.filter(version=version, done_at=None).first()
    return Judged(version, columns, verdict, task)


def _oracle(label: OracleLabel, article: Article) -> Column:
    stale = label.text_sha256 != article.text_sha256
    return Column("oracle", str(label.oracle), label.reading, label.scores, label.reasoning, label.created_at, stale)


def _person(review: Review) -> Column:
    return Column("person", review.reviewer.get_username(), 1, review.scores, review.comment, review.created_at)


def split_at_words(text: str, limit: int) -> tuple[str, str]:
    """The first `limit` words with their line breaks, and the rest that oracle and student don't read."""
    found = re.match(rf"(?:\s*\S++){{{limit}}}", text)  # possessive: a shorter text must not be tried in every way
    return (found.group(0), text[found.end() :]) if found else (text, "")
