"""How a filter's review queue stands: what waits, for whom, since when, and how much is done."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from labeling.models import Filter, Review, ReviewRules, ReviewTask, ReviewTurn
from labeling.reviewing.turns import peek, waiting

SOON = timedelta(days=2)


@dataclass(frozen=True)
class Standing:
    """Counts of articles, but for `own` and `today`, which count the person's reviews; `held` are at somebody's desk now."""

    filter: Filter
    rules: ReviewRules
    waiting: int
    held: int
    overdue: int
    soon: int
    done: int
    for_you: int
    next: ReviewTask | None
    begun: bool
    own: int
    today: int

    @property
    def total(self) -> int:
        return self.waiting + self.done

    @property
    def several(self) -> bool:
        """Whether an article is more than one person's."""
        return self.rules.reviewers > 1


def standing(filter_: Filter, person: Any, *, reviews: bool) -> Standing:
    """`reviews`: whether the queue is this person's to work at."""
    tasks, now = ReviewTask.objects.filter(version__filter=filter_), timezone.now()
    held = ReviewTurn.objects.filter(task__in=tasks.open(), review=None, skipped_at=None, lease_until__gt=now)
    counts = tasks.aggregate(
        waiting=Count("pk", filter=Q(done_at=None)),
        done=Count("pk", filter=~Q(done_at=None)),
        overdue=Count("pk", filter=Q(done_at=None, due_at__lt=now)),
        soon=Count("pk", filter=Q(done_at=None, due_at__gte=now, due_at__lt=now + SOON)),
    )
    given = Review.objects.filter(task__version__filter=filter_, reviewer=person)
    following = peek(person, [filter_]) if reviews else None
    return Standing(
        filter=filter_,
        rules=ReviewRules.of(filter_),
        held=held.values("task").distinct().count(),
        for_you=waiting(person, [filter_]).count() if reviews else 0,
        next=following,
        begun=following is not None and held.filter(task=following, reviewer=person).exists(),
        own=given.count(),
        today=given.filter(created_at__gte=timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)).count(),
        **counts,
    )


def listed(filter_: Filter, reason: str = "") -> QuerySet[ReviewTask]:
    """The open tasks in the order in which they are given out, with how many people have scored each (`scored`)."""
    tasks = ReviewTask.objects.open().filter(version__filter=filter_).annotate(scored=Count("reviews"))
    tasks = tasks.filter(reason=reason) if reason in ReviewTask.Reason.values else tasks
    return tasks.select_related("article", "version").defer("article__text").in_order()


def reasons(filter_: Filter) -> list[tuple[str, str, int]]:
    """(value, words, how many wait) of each reason that there is, the most frequent first."""
    rows = ReviewTask.objects.open().filter(version__filter=filter_).values_list("reason").annotate(n=Count("pk"))
    return [(reason, ReviewTask.Reason(reason).label, n) for reason, n in rows.order_by("-n", "reason")]


def skipped(filter_: Filter) -> QuerySet[ReviewTurn]:
    """What people passed by and why, of tasks that still wait, newest first."""
    turns = ReviewTurn.objects.exclude(skipped_at=None).filter(task__done_at=None, task__version__filter=filter_)
    return turns.select_related("task__article", "reviewer").order_by(F("skipped_at").desc())
