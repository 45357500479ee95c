"""Which articles people should look at, as far as labels alone can say; the policies that need a student are scoring's."""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from django.db import transaction

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from labeling.comparing.disagreements import between_oracles, between_readings
from labeling.comparing.readings import Source, fitting, sources
from labeling.current import latest_policy
from labeling.models import Article, FilterVersion, OracleLabel, PrefilterVerdict, ReviewTask
from labeling.reviewing.tasks import DRAWN, Pick, Sent, open_reviews, pick_of, reviewed

Reason = ReviewTask.Reason
Find: TypeAlias = Callable[[FilterVersion, int], list[Pick]]
SAMPLE_WEIGHT = 1.0  # points: a sample that waited behind all that looks worse would never be done
MOST = 500  # at a time, and days of work for one person
SALT = "review"  # so that the sample is another than the one that oracles read again


@dataclass(frozen=True)
class Queue:
    """A policy: `find` gives its first so many articles, best first. Raises BadInput where it has nothing to go by."""

    name: str
    words: str
    why: str
    find: Find


@transaction.atomic
def fill_queue(*, version: FilterVersion, queue: Queue, limit: int, actor: Any = None) -> Sent:
    """Put the policy's next `limit` articles into the queue, past those that people have reviewed or that it has sent before."""
    if not 1 <= limit <= MOST:
        raise BadInput(f"Between 1 and {MOST} articles can be added at a time, not {limit}.")
    known = reviewed(version)
    ranked = queue.find(version, limit + len(known) + ReviewTask.objects.open().filter(version=version).count())
    known |= _sent(version, {pick.reason for pick in ranked})
    sent = open_reviews(version=version, picks=list(islice((pick for pick in ranked if pick.article not in known), limit)))
    after = {"policy": queue.name, "asked": limit, "waiting": len(sent.tasks), "new": sent.new}
    record(actor, "review queue filled", version, after=after)
    return sent


def _sent(version: FilterVersion, reasons: Collection[str]) -> set[int]:
    waiting = ReviewTask.objects.open().filter(version=version, reason__in=reasons)
    return set(waiting.values_list("article", flat=True))


def in_draw_order(articles: Collection[int]) -> list[int]:
    """The order of every random sample: by a hash of the article's name, so a longer sample holds the shorter one."""
    names = Article.objects.filter(pk__in=articles).values_list("pk", "source", "external_id")
    drawn = sorted(names, key=lambda row: hashlib.sha256(f"{SALT}\n{row[1]}\n{row[2]}".encode()).digest())
    return [pk for pk, _, _ in drawn]


def drawn(version: FilterVersion, among: Collection[int]) -> set[int]:
    """The random sample of `among`: as far as drawing has come, whatever reason each was reviewed for.

    Statistics over all articles may use reviews of these and of no others: the rest was picked because it looked wrong.
    """
    tasks = ReviewTask.objects.filter(version=version, reason=DRAWN)
    asked, order = set(tasks.values_list("article", flat=True)), in_draw_order(among)
    last = max((place for place, article in enumerate(order) if article in asked), default=-1)
    return set(order[: last + 1])


def draw(articles: Collection[int], n: int, detail: str, reason: str = DRAWN) -> list[Pick]:
    return [Pick(article, reason, detail, SAMPLE_WEIGHT) for article in in_draw_order(articles)[:n]]


def random(version: FilterVersion, n: int) -> list[Pick]:
    """Of the labelled articles, so that people can be compared with the oracle; of those that passed while none is."""
    first = next(iter(sources(version, reading=1)), None)
    if first:
        return draw(first.scores().keys(), n, f"Drawn at random from the {first.labels:,} articles that {first.name} labelled.")
    policy = latest_policy(version)
    passed = Article.objects.passed(policy) if policy else Article.objects.none()
    if not passed.exists():
        raise BadInput(f"There is nothing to draw from: no article has been labelled by {version} or has passed its prefilter.")
    return draw(passed.values_list("pk", flat=True), n, "Drawn at random from the articles that passed the prefilter.")


def readings(version: FilterVersion, n: int) -> list[Pick]:
    first = _labelled(version)
    if first.readings < 2:
        raise BadInput(f"{first.name} has read every article once; let it read some again on the agreement page.")
    return [pick_of(found) for found in between_readings(first, n)]


def oracles(version: FilterVersion, n: int) -> list[Pick]:
    """The one with most labels against the next that is another oracle."""
    first = _labelled(version)
    other = next((one for one in sources(version) if one.oracle != first.oracle), None)
    if other is None:
        raise BadInput(f"{first.name} is the only oracle that has labelled articles by {version}.")
    return [pick_of(found) for found in between_oracles(first, other, n)]


def quotes(version: FilterVersion, n: int) -> list[Pick]:
    """Most missing quotes first: an oracle that makes up its evidence may have made up the score."""
    found = fitting(version).first_readings().filter(evidence__contains=[{"found": False}]).order_by("pk")
    picks = [_unquoted(label) for label in found.select_related("oracle").only("article", "evidence", "oracle__name")]
    if not picks:
        raise BadInput(f"Every quote that an oracle gave by {version} is in its article.")
    return sorted(picks, key=lambda pick: -pick.priority)[:n]


def _unquoted(label: OracleLabel) -> Pick:
    missing = sum(not quote["found"] for quote in label.evidence)
    detail = f"{missing} of {len(label.evidence)} quotes that {label.oracle} gave are not in the article."
    return Pick(label.article_id, Reason.QUOTES, detail, float(missing))


def blocked(version: FilterVersion, n: int) -> list[Pick]:
    """A sample of what no oracle will ever see: the only way to learn what the prefilter costs."""
    stopped = dict(PrefilterVerdict.objects.filter(policy=latest_policy(version), passed=False).values_list("article", "reason"))
    if not stopped:
        raise BadInput(f"The prefilter of {version} has stopped no article.")
    order = in_draw_order(stopped)[:n]
    return [Pick(article, Reason.BLOCKED, f"Stopped as “{stopped[article]}”.", SAMPLE_WEIGHT) for article in order]


def _labelled(version: FilterVersion) -> Source:
    found = next(iter(sources(version)), None)
    if found is None:
        raise BadInput(f"No oracle has labelled an article by {version} yet.")
    return found


QUEUES = {
    queue.name: queue
    for queue in (
        Queue("random", "Random sample", "What statistics can trust: how good the oracle is, in people's terms.", random),
        Queue("readings", "Oracle's readings differ", "Asked twice, it said something else.", readings),
        Queue("oracles", "Two oracles differ", "Who of them is right?", oracles),
        Queue("quotes", "Quotes not in the article", "The oracle gave evidence that isn't there.", quotes),
        Queue("blocked", "Stopped by the prefilter", "A sample of what nobody scores: is anything good lost?", blocked),
    )
}
