"""Labels that people should look at, and what they said."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from labeling.comparing.disagreements import Disagreement, disagreements
from labeling.models import Article, FilterVersion, Oracle, Review, ReviewTask


@transaction.atomic
def open_review(*, version: FilterVersion, article: Article, reason: str, detail: str = "", priority: float = 0.0) -> ReviewTask:
    """The open task for this article: a new one, or the one that is there, moved up when this reason weighs more."""
    defaults = {"reason": reason, "detail": detail[:300], "priority": priority}
    task, created = ReviewTask.objects.get_or_create(version=version, article=article, done_at=None, defaults=defaults)
    if not created and priority > task.priority:
        task.reason, task.detail, task.priority = reason, detail[:300], priority
        task.save(update_fields=["reason", "detail", "priority"])
    return task


@transaction.atomic
def review_disagreements(
    *, version: FilterVersion, oracle: Oracle, other: Oracle | None = None, limit: int = 10
) -> list[ReviewTask]:
    """Open a task for the articles on which the oracle's readings differ most, or on which it and another oracle do."""
    return send_disagreements(found=disagreements(version, oracle, other, limit))


@transaction.atomic
def send_disagreements(*, found: Sequence[Disagreement]) -> list[ReviewTask]:
    return [
        open_review(version=one.version, article=one.article, reason=one.reason, priority=one.mean, detail=one.detail)
        for one in found
    ]


@transaction.atomic
def submit_review(*, task: ReviewTask, reviewer: Any, scores: Sequence[float | None], comment: str = "") -> Review:
    """Keep a person's scores (in the rubric's order, None for "can't say") beside the oracle's, and close the task."""
    row = ReviewTask.objects.select_for_update(of=("self",)).select_related("version").get(pk=task.pk)
    if row.reviews.filter(reviewer=reviewer).exists():
        raise BadInput("You have reviewed this article already.")
    review = Review.objects.create(task=row, reviewer=reviewer, scores=_checked(row.version, scores), comment=comment.strip())
    if row.done_at is None:
        row.done_at = timezone.now()
        row.save(update_fields=["done_at"])
    record(reviewer, "article reviewed", row, after={"scores": review.scores, "comment": review.comment})
    return review


def _checked(version: FilterVersion, scores: Sequence[float | None]) -> list[float | None]:
    keys = version.keys
    if len(scores) != len(keys):
        raise BadInput(f"{version} has {len(keys)} dimensions; {len(scores)} scores were given.")
    if off := [(key, score) for key, score in zip(keys, scores, strict=True) if _is_off(score)]:
        raise BadInput(*(f"{key} must be between 0 and 10, not {score:g}." for key, score in off))
    return [None if score is None else float(score) for score in scores]


def _is_off(score: float | None) -> bool:
    return score is not None and not 0 <= score <= 10
