"""What a person says of an article: first blind and by themselves, then, with the oracle's scores in sight, for good."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from labeling.models import Review, ReviewTask, ReviewTurn
from labeling.reviewing.answers import checked_comment, checked_evidence, checked_scores, checked_seconds


class AlreadyReviewed(BadInput):
    """The person has said something else of it, in another tab or on another device; `review` is what was kept."""

    def __init__(self, review: Review):
        super().__init__(
            "You have reviewed this article already, in another tab or on another device. Those scores were kept; these were not."
        )
        self.review = review


class TaskDone(BadInput):
    """Enough others reviewed it meanwhile; sent again with `extra`, it is kept beside theirs."""

    def __init__(self, people: int):
        others = "Somebody else has" if people == 1 else f"{people} other people have"
        super().__init__(
            f"{others} reviewed this article meanwhile, and no more were asked for. Nothing of yours is lost: "
            "keep your scores as one more opinion, or go on with the next article."
        )


class TextChanged(BadInput):
    """Its text isn't the one that was read."""

    def __init__(self) -> None:
        super().__init__(
            "The article's text was changed while you were reading. What you gave is still here: look at the new text, "
            "change what it changes, and keep your scores again."
        )


@transaction.atomic
def submit_review(
    *,
    task: ReviewTask,
    reviewer: Any,
    scores: Sequence[float | None],
    comment: str = "",
    evidence: Iterable[Any] = (),
    seconds: float | None = None,
    submission: UUID | None = None,
    read: str = "",
    extra: bool = False,
) -> Review:
    """Keep a person's scores (in the rubric's order, None for "not applicable") beside the oracle's.

    The task closes with the review that was still wanted. The same `submission` again returns the review it made: a browser
    that heard no answer may send it as often as it likes. `read` is the hash of the text that was read, where known.
    Raises AlreadyReviewed, TaskDone (unless `extra`), TextChanged, or BadInput for what can't be kept.
    """
    row = ReviewTask.objects.select_for_update(of=("self",)).select_related("version", "article").get(pk=task.pk)
    kept = row.reviews.filter(reviewer=reviewer).first()
    if kept is not None:
        if submission is not None and kept.submission == submission:
            return kept
        raise AlreadyReviewed(kept)
    _check_free(row, submission, read, extra)
    turn = row.turns.filter(reviewer=reviewer).first()
    review = Review.objects.create(
        task=row,
        reviewer=reviewer,
        scores=checked_scores(row.version, scores),
        comment=checked_comment(comment),
        evidence=checked_evidence(row.version, row.article, evidence),
        blind=turn is None or turn.blind,
        seconds=checked_seconds(seconds),
        submission=submission,
        text_sha256=row.article.text_sha256,
    )
    _close(row, turn, review)
    record(reviewer, "article reviewed", row, after={"scores": review.scores, "comment": review.comment})
    return review


def _check_free(task: ReviewTask, submission: UUID | None, read: str, extra: bool) -> None:
    if submission is not None and Review.objects.filter(submission=submission).exists():
        raise BadInput("Another review was sent under this name already; reload the page and send this one again.")
    if task.done_at is not None and not extra:
        raise TaskDone(task.reviews.count())
    if read and read != task.article.text_sha256:
        raise TextChanged


def _close(task: ReviewTask, turn: ReviewTurn | None, review: Review) -> None:
    """The turn is over, and so is the task once everybody who was wanted has spoken."""
    if turn is not None:
        turn.review = review
        turn.save(update_fields=["review"])
    if task.done_at is None and task.reviews.count() >= task.wanted:
        task.done_at = timezone.now()
        task.save(update_fields=["done_at"])


@transaction.atomic
def finish_review(*, review: Review, scores: Sequence[float | None], comment: str | None = None) -> Review:
    """What stands after a look at the oracle's scores, confirmed or changed; those given first stay beside it.

    Sent twice with the same scores it is kept once; other scores after that are refused.
    """
    row = Review.objects.select_for_update(of=("self",)).select_related("task__version").get(pk=review.pk)
    final = checked_scores(row.task.version, scores)
    if row.final is not None:
        if row.final == final:
            return row
        raise BadInput("You have settled this review already; its scores stand.")
    before = {"scores": row.scores, "comment": row.comment}
    row.final, row.final_at = final, timezone.now()
    row.comment = row.comment if comment is None else checked_comment(comment)
    row.save(update_fields=["final", "final_at", "comment"])
    action = "review confirmed" if final == row.scores else "review changed after the oracle's scores"
    record(row.reviewer, action, row, before=before, after={"scores": final, "comment": row.comment})
    return row
