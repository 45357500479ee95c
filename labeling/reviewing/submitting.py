"""What a person says of an article, kept beside what the oracle said."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from labeling.models import FilterVersion, Review, ReviewTask


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
