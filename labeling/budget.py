"""A run's money. Every change happens under the lock of the run's row, so no two calls spend the same cent.

Before a call its worst case is reserved; afterwards what it did cost is booked and the reservation freed. A reservation
without a reply (a worker died, a connection broke) is booked as lost: the provider may have charged it.
"""

from collections.abc import Mapping
from decimal import Decimal

from django.db import transaction

from distillery_site.common.errors import DistilleryError, LeaseLost
from distillery_site.common.runs import RunState
from labeling.models import LabelingItem, LabelingRun
from labeling.oracles.base import ZERO

MONEY = ("cost_usd", "reserved_usd", "lost_usd", "budget_usd")


class OverBudget(DistilleryError):
    """The next call could pass the cap."""


def dollars(amount: Decimal | None) -> str:
    return f"${amount or ZERO:.4f}"


def lock(run: LabelingRun) -> LabelingRun:
    """The run's row as it is now, locked until the transaction ends. Raises LeaseLost when another worker owns it."""
    rows = LabelingRun.objects.select_for_update(of=("self",))
    row = rows.filter(pk=run.pk, state=RunState.RUNNING, lease_token=run.lease_token).first()
    if row is None:
        raise LeaseLost(f"{run} is no longer held by this worker.")
    return row


def spent(run: LabelingRun) -> Decimal:
    """All that counts against the cap: paid, lost and out at the moment."""
    return run.cost_usd + run.lost_usd + run.reserved_usd


@transaction.atomic
def reserve(run: LabelingRun, costs: Mapping[int, Decimal]) -> set[int]:
    """Reserve the worst cost of these items; returns those that fit under the cap, in the order given."""
    row = lock(run)
    fits: dict[Decimal, list[int]] = {}
    for item, cost in costs.items():
        if row.budget_usd is None or spent(row) + cost <= row.budget_usd:
            row.reserved_usd += cost
            fits.setdefault(cost, []).append(item)
    for cost, items in fits.items():
        LabelingItem.objects.filter(pk__in=items).update(reserved_usd=cost)
    row.save(update_fields=["reserved_usd"])
    return {item for items in fits.values() for item in items}


def charge(row: LabelingRun, *, reserved: Decimal, cost: Decimal, lost: Decimal) -> str:
    """Book finished calls on a locked row and free what was reserved for them; the caller saves MONEY.

    Returns a sentence when the provider charged more than its worst case and passed the cap: then the cap is lifted to
    what was truly spent, because the books must be right, and the run has to stop.
    """
    row.reserved_usd -= reserved
    row.cost_usd += cost
    row.lost_usd += lost
    if row.budget_usd is None or spent(row) <= row.budget_usd:
        return ""
    passed, row.budget_usd = row.budget_usd, spent(row)
    return f"A call cost more than its worst case: {dollars(row.budget_usd)} is spent or out, the cap was {dollars(passed)}."


@transaction.atomic
def book_lost_replies(run: LabelingRun) -> Decimal:
    """Book what an earlier worker had reserved and never settled; its items wait to be asked again."""
    row = lock(run)
    lost = row.reserved_usd
    row.lost_usd, row.reserved_usd = row.lost_usd + lost, ZERO
    row.save(update_fields=["lost_usd", "reserved_usd"])
    row.items.exclude(reserved_usd=None).update(reserved_usd=None)
    return lost
