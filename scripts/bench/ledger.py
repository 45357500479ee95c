"""What the vendor billed against what the site booked."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from labeling.models import LabelingRun

AS_IT_DIED = 0.25  # seconds before kill -9 in which a reply was read that nobody can have kept


@dataclass(frozen=True)
class Books:
    """difference: over delivered replies, between what each was billed and what is booked for it, summed without signs.

    billed_twice: articles billed again after a usable answer had been read; read_as_it_died: those among them whose
    answer was read in the last moment of a worker that was killed.
    """

    entries: int
    undelivered: int
    billed_twice: int
    read_as_it_died: int
    difference: Decimal


def books_of(run: LabelingRun, ledger: list[dict[str, Any]], killed_at: Iterable[float]) -> Books:
    again = list(billed_again(ledger))
    dying = [first for first in again if any(0 <= moment - first["sent_at"] < AS_IT_DIED for moment in killed_at)]
    booked = {name: cost for *names, cost in run.calls.values_list("key", "request_id", "cost_usd") for name in names}
    delivered = [entry for entry in ledger if entry["delivered"]]
    return Books(
        entries=len(ledger),
        undelivered=len(ledger) - len(delivered),
        billed_twice=len(again),
        read_as_it_died=len(dying),
        difference=sum((_difference(entry, booked) for entry in delivered), Decimal(0)),
    )


def billed_again(ledger: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """The usable answers that were read, after which the same article was billed once more."""
    articles = defaultdict(list)
    for entry in ledger:
        articles[entry["article_hash"]].append(entry)
    for entries in articles.values():
        for first, second in pairwise(entries):
            if first["delivered"] and first["usable"] and first["sent_at"] < second["billed_at"]:
                yield first


def _difference(entry: dict[str, Any], booked: dict[str, Decimal]) -> Decimal:
    name = entry["custom_id"] or entry["request_id"]  # in a batch the call's own key comes back
    return abs(Decimal(entry["cost_usd"]) - booked.get(name, Decimal(0)))
