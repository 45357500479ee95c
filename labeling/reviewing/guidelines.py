"""How the rubric is meant: its dimensions with the cases that leads decided and chose to show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db.models import QuerySet

from labeling.models import Decision, FilterVersion, ReviewTask
from labeling.reviewing.gold import Voice, decided, gaps, turning, voices

Score: TypeAlias = float | None


@dataclass(frozen=True)
class Case:
    """A decided case of the guidelines, under the dimension that people were furthest apart on; None where they weren't."""

    decision: Decision
    place: int | None
    low: Score = None
    high: Score = None

    @property
    def scores(self) -> list[tuple[str, Score]]:
        names = (dimension["name"] for dimension in self.decision.version.dimensions)
        return list(zip(names, self.decision.scores, strict=True))


@dataclass(frozen=True)
class Chapter:
    """A dimension of the rubric with the cases that show how it is meant."""

    dimension: dict[str, Any]
    cases: list[Case]


@dataclass(frozen=True)
class Guidelines:
    chapters: list[Chapter]
    others: list[Case]

    @property
    def any(self) -> bool:
        return bool(self.others) or any(chapter.cases for chapter in self.chapters)


def guidelines(version: FilterVersion, reader: Any) -> Guidelines:
    """Every case but those that this reader is yet to review: they are to be judged unprompted."""
    found = cases(version, reader)
    chapters = [
        Chapter(dimension, [case for case in found if case.place == place]) for place, dimension in enumerate(version.dimensions)
    ]
    return Guidelines(chapters, [case for case in found if case.place is None])


def cases(version: FilterVersion, reader: Any) -> list[Case]:
    """The newest first."""
    rows = list(shown_to(version, reader).order_by("-pk"))
    said = voices(version, [row.article_id for row in rows])
    return [case_of(row, said.get(row.article_id, [])) for row in rows]


def shown_to(version: FilterVersion, reader: Any) -> QuerySet[Decision]:
    to_come = ReviewTask.objects.filter(version=version).open().exclude(reviews__reviewer=reader)
    shown = decided(version).filter(guideline=True).exclude(article__in=to_come.values("article"))
    return shown.select_related("article", "lead", "version")


def case_of(decision: Decision, people: Sequence[Voice]) -> Case:
    apart = gaps(people)
    if not any(apart):
        return Case(decision, None)
    place = turning(apart)
    known = [score for voice in people if (score := voice.scores[place]) is not None]
    return Case(decision, place, min(known), max(known))
