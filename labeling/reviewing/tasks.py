"""The articles that people should look at."""

from collections.abc import Sequence

from django.db import transaction

from labeling.comparing.disagreements import Disagreement, disagreements
from labeling.models import Article, FilterVersion, Oracle, ReviewTask


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
