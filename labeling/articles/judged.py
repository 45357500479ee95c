"""One article as every oracle and person judged it, filter by filter, for the article's page."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet

from labeling.comparing.readings import prompt_name, sources
from labeling.current import latest_policy
from labeling.models import Article, Filter, FilterVersion, OracleLabel, PrefilterVerdict, Review, ReviewTask

ORDER = ("oracle_id", "prompt_hash", "reading", "pk")


@dataclass(frozen=True)
class Column:
    """One judge's scores; `kind` is oracle or person, `stale` says that the text was edited since.

    `prompt` names the words an oracle was asked in, where it judged the article in several.
    """

    kind: str
    name: str
    reading: int
    scores: list[float | None]
    reasoning: str
    at: datetime
    stale: bool = False
    prompt: str = ""
    label: OracleLabel | None = None

    @property
    def short(self) -> str:
        """The head of its column; a second reading stands beside the first."""
        return f"reading {self.reading}" if self.reading > 1 else self.name

    @property
    def notes(self) -> list[str]:
        """What keeps its scores from being compared with the others' at once."""
        return [note for note in (self.prompt, "earlier text" if self.stale else "") if note]


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


def judged(article: Article, first: Filter | None, own: QuerySet[Filter] | None = None) -> list[Judged]:
    """Every rubric of one's own filters that judged the article, and their latest; `first`'s come first, newest version first."""
    labels = list(
        article.labels.select_related("version__filter", "oracle", "call").order_by("oracle_id", "prompt_hash", "reading", "pk")
    )
    said = Review.objects.filter(task__article=article).order_by("pk")
    reviews = list(said.select_related("task__version__filter", "reviewer"))
    versions = {label.version for label in labels} | {review.task.version for review in reviews}
    own = Filter.objects.all() if own is None else own
    versions |= {filter_.latest for filter_ in own} - {None}
    theirs = set(own.values_list("pk", flat=True))
    shown = [version for version in versions if version.filter_id in theirs]
    order = sorted(shown, key=lambda v: (v.filter != first, v.filter.slug, -v.number))
    return [_judged(article, version, labels, reviews) for version in order]


def _judged(article: Article, version: FilterVersion, labels: list[OracleLabel], reviews: list[Review]) -> Judged:
    columns = _oracles([label for label in labels if label.version_id == version.pk], article)
    columns += [_person(review) for review in reviews if review.task.version_id == version.pk]
    verdict = article.verdicts.filter(policy=latest_policy(version)).first()
    task = article.review_tasks.filter(version=version, done_at=None).first()
    return Judged(version, columns, verdict, task)


def oracles_on(article: Article, version: FilterVersion) -> list[Column]:
    """What oracles say of the text as it is now; the one whose labels students learn from comes first."""
    labels = list(article.labels.current().filter(version=version).select_related("oracle", "call").order_by(*ORDER))
    if len({(label.oracle_id, label.prompt_hash) for label in labels}) < 2:
        return _oracles(labels, article)  # the common case, without counting all labels of the rubric
    rank = {(one.oracle.pk, one.prompt_hash): place for place, one in enumerate(sources(version))}
    return _oracles(sorted(labels, key=lambda one: rank.get((one.oracle_id, one.prompt_hash), len(rank))), article)


def _oracles(labels: list[OracleLabel], article: Article) -> list[Column]:
    prompts = Counter(oracle for oracle, _ in {(label.oracle_id, label.prompt_hash) for label in labels})
    return [_oracle(label, article, several=prompts[label.oracle_id] > 1) for label in labels]


def _oracle(label: OracleLabel, article: Article, *, several: bool) -> Column:
    stale, prompt = label.text_sha256 != article.text_sha256, prompt_name(label.prompt_hash) if several else ""
    name, at = str(label.oracle), label.created_at
    return Column("oracle", name, label.reading, label.scores, label.reasoning, at, stale, prompt, label)


def _person(review: Review) -> Column:
    return Column("person", review.reviewer.get_username(), 1, review.scores, review.comment, review.created_at)


def split_at_words(text: str, limit: int) -> tuple[str, str]:
    """The first `limit` words with their line breaks, and the rest that oracle and student don't read."""
    found = re.match(rf"(?:\s*\S++){{{limit}}}", text)  # possessive: a shorter text must not be tried in every way
    return (found.group(0), text[found.end() :]) if found else (text, "")
