"""What reviewers gave against what the site has kept."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F

from distillery_site.common.models import AuditEntry
from labeling.models import FilterVersion, Review, ReviewTask
from scripts.bench.say import tell


@dataclass
class Said:
    """What a person gave for a task: first, and after the oracle's scores were shown (None: none were)."""

    person: str
    task: int
    scores: list[float | None]
    final: list[float | None] | None = None
    submission: str = ""


def books(version: FilterVersion, sent: Collection[Said]) -> dict[str, Any]:
    """lost: reviews without a row that says the same; doubled: rows that nobody sent, tasks with more reviews than were
    wanted, and reviews that the audit log tells more than once."""
    people = {said.person for said in sent}
    found = Review.objects.filter(task__version=version, reviewer__username__in=people).select_related("reviewer")
    rows = {(row.reviewer.get_username(), row.task_id): row for row in found}
    over = ReviewTask.objects.filter(version=version).annotate(n=Count("reviews")).filter(n__gt=F("wanted")).count()
    told = AuditEntry.objects.filter(action="article reviewed", actor__username__in=people).count()
    lost = [said for said in sent if not is_kept(rows.get((said.person, said.task)), said)]
    for said in lost:
        row = rows.get((said.person, said.task))
        tell(f"lost: {said}; kept: {row and (row.scores, row.final, row.submission)}")
    strays = rows.keys() - {(said.person, said.task) for said in sent}
    return {
        "reviews": len(sent),
        "lost": len(lost),
        "doubled": len(strays) + over + max(0, told - len(rows)),
    }


def is_kept(row: Review | None, said: Said) -> bool:
    """With the very scores, first and final, under the name that it was sent by."""
    if row is None or row.scores != said.scores or row.final != said.final:
        return False
    return said.submission in ("", str(row.submission))
