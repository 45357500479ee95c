"""The articles that people should look at: sent by hand, from a list, or by a policy that ranks them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from distillery_site.common.models import record
from labeling.comparing.disagreements import Disagreement, disagreements
from labeling.models import Article, FilterVersion, Oracle, Review, ReviewRules, ReviewTask

SENT_WEIGHT = 5.0  # points: what a person sends goes before most of what policies find
MOST_SENT = 200  # from one list, at a time
DRAWN = ReviewTask.Reason.RANDOM


@dataclass(frozen=True)
class Pick:
    """An article (its key) that people should look at, and why. `priority` is in points of the scale: how much may be wrong."""

    article: int
    reason: str
    detail: str = ""
    priority: float = 0.0


@dataclass(frozen=True)
class Sent:
    """What became of a list that was sent: the open tasks in its order, how many are new, what people have reviewed already."""

    tasks: list[ReviewTask]
    new: int
    reviewed: int = 0

    @property
    def sentence(self) -> str:
        """“8 articles wait for a review now; 2 of them did already. 3 were left out: people have reviewed them.”"""
        number, before = len(self.tasks), len(self.tasks) - self.new
        waits = "1 article waits" if number == 1 else f"{number:,} articles wait" if number else "No article waits"
        told = [f"{waits} for a review now" + (f"; {before:,} of them did already." if before else ".")]
        if self.reviewed:
            told.append(f"{self.reviewed:,} left out: people have reviewed {'it' if self.reviewed == 1 else 'them'}.")
        return " ".join(told)


def open_review(
    *,
    version: FilterVersion,
    article: Article,
    reason: str,
    detail: str = "",
    priority: float = 0.0,
    wanted: int | None = None,
    due_at: datetime | None = None,
) -> ReviewTask:
    """The open task for this article: a new one, or the one that is there, moved up when this reason weighs more."""
    pick = Pick(article.pk, reason, detail, priority)
    return open_reviews(version=version, picks=[pick], wanted=wanted, due_at=due_at).tasks[0]


@transaction.atomic
def open_reviews(
    *, version: FilterVersion, picks: Sequence[Pick], wanted: int | None = None, due_at: datetime | None = None
) -> Sent:
    """The same for many, in a handful of statements. How many people and until when is the filter's rules' to say, or yours."""
    rules, now = ReviewRules.of(version.filter), timezone.now()
    chosen = {pick.article: pick for pick in sorted(picks, key=lambda pick: pick.priority)}  # the weightiest of each article
    due_at = due_at or (None if rules.due_days is None else now + timedelta(days=rules.due_days))
    shared = {"version": version, "wanted": wanted or rules.reviewers, "created_at": now, "due_at": due_at}
    there = ReviewTask.objects.open().filter(version=version, article__in=chosen)
    before = set(there.values_list("article", flat=True))
    ReviewTask.objects.bulk_create(
        (ReviewTask(**shared, article_id=pick.article, **_why(pick)) for pick in chosen.values() if pick.article not in before),
        ignore_conflicts=True,  # somebody else may open one at the same moment
    )
    waiting = {task.article_id: task for task in there.select_related("version__filter")}
    changed = [task for article, task in waiting.items() if _joined(task, chosen[article])]
    ReviewTask.objects.bulk_update(changed, ["reason", "detail", "priority"], batch_size=1000)
    order = dict.fromkeys(pick.article for pick in picks)
    return Sent([waiting[article] for article in order if article in waiting], len(waiting.keys() - before))


@transaction.atomic
def send_list(*, version: FilterVersion, picks: Sequence[Pick], actor: Any, what: str) -> Sent:
    """A list to the queue, without what people have reviewed already; `what` names the list in the audit log."""
    known = reviewed(version)
    sent = open_reviews(version=version, picks=[pick for pick in picks if pick.article not in known])
    after = {"list": what, "waiting": len(sent.tasks), "new": sent.new}
    record(actor, "articles sent to review", version, after=after)
    return Sent(sent.tasks, sent.new, len({pick.article for pick in picks} & known))


@transaction.atomic
def send_article(*, version: FilterVersion, article: Article, actor: Any) -> ReviewTask:
    """One article, by a person who wants it looked at, also once more."""
    task = open_reviews(version=version, picks=[sent_by(actor, article.pk)]).tasks[0]
    record(actor, "article sent to review", task, after={"article": article.pk, "version": str(version)})
    return task


def sent_by(person: Any, article: int) -> Pick:
    return Pick(article, ReviewTask.Reason.SENT, f"Sent by {person.get_username()}.", SENT_WEIGHT)


def reviewed(version: FilterVersion) -> set[int]:
    """Articles that somebody has scored by this rubric, in the text that they have now."""
    fits = Q(text_sha256="") | Q(text_sha256=F("task__article__text_sha256"))
    return set(Review.objects.filter(fits, task__version=version).values_list("task__article", flat=True))


def review_disagreements(
    *, version: FilterVersion, oracle: Oracle, other: Oracle | None = None, limit: int = 10
) -> list[ReviewTask]:
    """Open a task for the articles on which the oracle's readings differ most, or on which it and another oracle do."""
    return send_disagreements(found=disagreements(version, oracle, other, limit))


def send_disagreements(*, found: Sequence[Disagreement]) -> list[ReviewTask]:
    """All of one rubric."""
    return open_reviews(version=found[0].version, picks=[pick_of(one) for one in found]).tasks if found else []


def pick_of(found: Disagreement) -> Pick:
    return Pick(found.article.pk, found.reason, found.detail, found.mean)


def _why(pick: Pick) -> dict[str, Any]:
    return {"reason": pick.reason, "detail": pick.detail[:300], "priority": pick.priority}


def _joined(task: ReviewTask, pick: Pick) -> bool:
    """Give a waiting task the weightier reason; whether that changed it.

    What was drawn at random keeps saying so, whatever else is found of it: a sample without its worst cases is none.
    """
    was = (task.reason, task.detail, task.priority)
    heavier, drawn = pick.priority > task.priority, task.reason == DRAWN
    if not drawn and (heavier or pick.reason == DRAWN):
        task.reason, task.detail = pick.reason, pick.detail[:300]
    task.priority = max(task.priority, pick.priority)
    return was != (task.reason, task.detail, task.priority)
