"""All that one person's review page shows of one task, and no more than may be seen yet."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.utils import timezone

from distillery_site.common.errors import BadInput
from labeling.articles.judged import Column, oracles_on, split_at_words
from labeling.models import Article, Review, ReviewTask, ReviewTurn
from labeling.reviewing.sheet import Scale, Sheet, scales, written
from labeling.reviewing.turns import take_turn


@dataclass
class Desk:
    """`turn` is None where the person has none: they are done with it, or it isn't theirs (`refused` says why).

    Oracles' scores are read only where they may be shown: beside one's own once these are in, or from the start in a
    turn that was drawn to be shown open.
    """

    task: ReviewTask
    reviewer: Any
    turn: ReviewTurn | None = None
    own: Review | None = None
    refused: str = ""
    sheet: Sheet | None = None
    problems: Sequence[str] = ()
    done: bool = False
    typed: dict[str, str] = field(default_factory=dict)

    @property
    def article(self) -> Article:
        return self.task.article

    @property
    def state(self) -> str:
        """score, settle (confirm or change after the oracle's scores), kept, or refused."""
        if self.own is None:
            return "refused" if self.refused else "score"
        return "settle" if self.reveals and self.own.final is None else "kept"

    @cached_property
    def reveals(self) -> bool:
        """Whether keeping the scores shows something new: an oracle's, not seen before."""
        return self.blind and self.task.article.labels.current().filter(version=self.task.version).exists()

    @property
    def blind(self) -> bool:
        return self.own.blind if self.own else self.turn is None or self.turn.blind

    @cached_property
    def oracles(self) -> list[Column]:
        return oracles_on(self.article, self.task.version) if self.own or not self.blind else []

    @property
    def several(self) -> bool:
        """Whether more than one oracle has spoken, so that each needs its name."""
        return len({column.name for column in self.oracles}) > 1

    @cached_property
    def parts(self) -> tuple[str, str]:
        """What the oracle read, and the rest."""
        return split_at_words(self.article.text, self.task.version.view["max_words"])

    @cached_property
    def scales(self) -> list[Scale]:
        version, first = self.task.version, self.own.scores if self.own else ()
        said = dict(zip(version.keys, map(written, self.own.said), strict=True)) if self.own else {}
        problems = {name: [str(one) for one in found] for name, found in self.sheet.errors.items()} if self.sheet else {}
        return scales(version, {**said, **self.typed}, oracles=self.oracles, first=first, problems=problems)

    @property
    def rows(self) -> list[tuple[Scale, float | None, float | None]]:
        """Each scale with what the person gave first and for good."""
        return list(zip(self.scales, self.own.scores, self.own.said, strict=True)) if self.own else []

    @property
    def comment(self) -> str:
        return self.sheet.data.get("comment", "") if self.sheet else self.own.comment if self.own else ""

    @cached_property
    def waiting(self) -> int:
        """Open tasks of this rubric besides this one."""
        return ReviewTask.objects.open().filter(version=self.task.version_id).exclude(pk=self.task.pk).count()

    @cached_property
    def today(self) -> int:
        """Reviews by this person since midnight."""
        midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        return Review.objects.filter(reviewer=self.reviewer, created_at__gte=midnight).count()


def open_desk(task: ReviewTask, reviewer: Any) -> Desk:
    """The person's own review, or their turn at the task, taken now; or the sentence that says why it isn't theirs."""
    own = task.reviews.filter(reviewer=reviewer).first()
    if own is not None:
        return Desk(task, reviewer, own=own)
    try:
        return Desk(task, reviewer, turn=take_turn(task=task, reviewer=reviewer))
    except BadInput as error:
        done = task.reviews.count() >= task.wanted or task.done_at is not None
        return Desk(task, reviewer, refused=str(error), done=done)
