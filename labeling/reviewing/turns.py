"""Whose turn it is: a task goes to one person at a time for each review it wants, for as long as they are at work on it."""

import random
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from labeling.models import Filter, OracleLabel, ReviewRules, ReviewTask, ReviewTurn

LEASE = timedelta(minutes=20)
HELD = 2  # the article at hand, and the one that is loaded ahead
_UNUSED = Q(review=None, skipped_at=None)
_draw = random.SystemRandom().random


@transaction.atomic
def take_turn(*, task: ReviewTask, reviewer: Any) -> ReviewTurn:
    """A person's turn at this very task, also at one that they skipped; refused where it is theirs no more, or not yet."""
    return _take(ReviewTask.objects.select_for_update(of=("self",)).select_related("version__filter").get(pk=task.pk), reviewer)


def next_turn(*, reviewer: Any, filters: Iterable[Filter], after: ReviewTask | None = None) -> ReviewTurn | None:
    """What to do now that `after` is done with: what one has begun, else the first free task; None where nothing waits."""
    besides = [after.pk] if after else []
    begun = _begun(reviewer, filters, besides)
    if begun is not None:
        return take_turn(task=begun.task, reviewer=reviewer)
    # Rows that somebody holds for a moment are passed by, so eight people don't queue up for one; only where nothing
    # else is left are they waited for.
    return _first(reviewer, filters, besides, skip_locked=True) or _first(reviewer, filters, besides, skip_locked=False)


def peek(reviewer: Any, filters: Iterable[Filter], besides: Collection[int] = ()) -> ReviewTask | None:
    """The task that `next_turn` would give (tasks with the keys `besides` left aside), taken by nobody yet."""
    begun = _begun(reviewer, filters, besides)
    return begun.task if begun else waiting(reviewer, filters).exclude(pk__in=besides).select_related("article").first()


def waiting(reviewer: Any, filters: Iterable[Filter]) -> QuerySet[ReviewTask]:
    """All that this person could still be given, in the order in which they would be."""
    return ReviewTask.objects.free_for(reviewer).filter(version__filter__in=filters).in_order()


def renew(turn: ReviewTurn) -> ReviewTurn:
    """Twenty minutes more. A lease that has lapsed is taken again if the place is still free."""
    now = timezone.now()
    held = ReviewTurn.objects.filter(_UNUSED, pk=turn.pk, lease_until__gt=now)
    if held.update(lease_until=now + LEASE):
        turn.lease_until = now + LEASE
        return turn
    if ReviewTurn.objects.filter(pk=turn.pk).exclude(skipped_at=None).exists():
        raise BadInput(f"You have skipped “{turn.task.article}”; open it again to score it.")
    return take_turn(task=turn.task, reviewer=turn.reviewer)


def release(turn: ReviewTurn) -> None:
    """Let others have it now, without a word on the article: the person may well come back."""
    now = timezone.now()
    ReviewTurn.objects.filter(_UNUSED, pk=turn.pk, lease_until__gt=now).update(lease_until=now)


@transaction.atomic
def skip(turn: ReviewTurn, reason: str) -> None:
    """Leave an article to others; it won't be offered to this person again, but they may open it."""
    row = ReviewTurn.objects.select_for_update(of=("self",)).select_related("task__article").get(pk=turn.pk)
    if row.review_id is not None:
        raise BadInput(f"You have reviewed “{row.task.article}” already; a review can't be skipped.")
    reason = reason.strip()
    if not reason:
        raise BadInput(f"Say why you skip “{row.task.article}”: whoever gets it next can use it.")
    if len(reason) > 300:
        raise BadInput(f"A reason has at most 300 characters; this one has {len(reason):,}.")
    row.skipped_at, row.skip_reason = timezone.now(), reason
    row.save(update_fields=["skipped_at", "skip_reason"])
    record(row.reviewer, "article skipped", row.task, after={"reason": reason})


def _begun(reviewer: Any, filters: Iterable[Filter], besides: Collection[int]) -> ReviewTurn | None:
    """The turn that one holds and began first, at a task that still waits."""
    held = ReviewTurn.objects.filter(_UNUSED, reviewer=reviewer, lease_until__gt=timezone.now())
    waits = held.filter(task__done_at=None, task__version__filter__in=filters).exclude(task__in=besides)
    return waits.select_related("task__article").order_by("opened_at", "pk").first()


def _first(reviewer: Any, filters: Iterable[Filter], besides: Collection[int], *, skip_locked: bool) -> ReviewTurn | None:
    """The first free task, taken; looked at again once its row is ours, since somebody may have been a moment faster."""
    while True:
        with transaction.atomic():
            free = waiting(reviewer, filters).exclude(pk__in=besides)
            held = free.select_for_update(of=("self",), skip_locked=skip_locked).select_related("version__filter").first()
            if held is None:
                return None
            if free.filter(pk=held.pk).exists():
                return _take(held, reviewer)


def _take(task: ReviewTask, reviewer: Any) -> ReviewTurn:
    """The caller has locked the task's row."""
    turn = task.turns.filter(reviewer=reviewer).first()
    _check_place(task, reviewer)
    until = timezone.now() + LEASE
    if turn is None:
        turn = task.turns.create(reviewer=reviewer, blind=_is_blind(task), lease_until=until)
    else:  # whether it is blind was drawn when it was made
        _reopen(turn, until)
    _let_go(reviewer, keep=turn)
    return turn


def _check_place(task: ReviewTask, reviewer: Any) -> None:
    if task.reviews.filter(reviewer=reviewer).exists():
        raise BadInput(f"You have reviewed “{task.article}” already.")
    reviews = task.reviews.count()
    if task.done_at is not None or reviews >= task.wanted:
        people = "one person has" if reviews == 1 else f"{reviews} people have"
        raise BadInput(f"“{task.article}” is done: {people} reviewed it meanwhile. Go on with the next one.")
    others = task.turns.filter(_UNUSED, lease_until__gt=timezone.now()).exclude(reviewer=reviewer)
    if reviews + len(others) >= task.wanted:
        until = timezone.localtime(min(turn.lease_until for turn in others))
        raise BadInput(
            f"Somebody else is at work on “{task.article}”, until {until:%H:%M} unless they take longer. Go on with the next one."
        )


def _is_blind(task: ReviewTask) -> bool:
    """Drawn once a turn; where no oracle has labelled the present text there is nothing to show."""
    labels = OracleLabel.objects.current().filter(version=task.version, article=task.article)
    return _draw() >= ReviewRules.of(task.version.filter).unblinded or not labels.exists()


def _reopen(turn: ReviewTurn, until: datetime) -> None:
    if turn.skipped_at is not None:
        record(turn.reviewer, "skipped article opened", turn.task, before={"reason": turn.skip_reason})
    turn.lease_until, turn.skipped_at, turn.skip_reason = until, None, ""
    turn.save(update_fields=["lease_until", "skipped_at", "skip_reason"])


def _let_go(reviewer: Any, keep: ReviewTurn) -> None:
    """Who takes a third turn lets the one go that lay untouched for longest, or a row of tabs would keep all from others."""
    now = timezone.now()
    held = ReviewTurn.objects.filter(_UNUSED, reviewer=reviewer, lease_until__gt=now).exclude(pk=keep.pk)
    keys = list(held.order_by("-lease_until", "-pk").values_list("pk", flat=True)[HELD - 1 :])
    ReviewTurn.objects.filter(pk__in=keys).update(lease_until=now)
