"""Money before it is spent: the worst case of each call is reserved under the caps of the run, its filter and the month.

Rows are locked in one order everywhere (month, filter, run), so no two calls anywhere spend the same cent. A reservation
without a reply (a worker died, a connection broke) is booked as lost: the provider may have charged it.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from distillery_site.common.errors import BadInput, DistilleryError, LeaseLost
from distillery_site.common.runs import RunState
from labeling.models import LabelingItem, LabelingRun, LabelingShard, OracleCall, Purse
from labeling.oracles.base import ZERO
from labeling.running.settling import month_of, move, purse_of

Call = OracleCall.State
REACHED = "The cap of"  # how the sentence begins that a run pauses with


class OverBudget(DistilleryError):
    """The next call could pass a cap."""


class Paused(DistilleryError):
    """A person, or another shard, stopped the run; what is out is still settled."""


def dollars(amount: Decimal | None) -> str:
    return f"${amount or ZERO:,.4f}"


@dataclass(frozen=True)
class Cap:
    """One limit on spending; `out` is reserved by calls whose price is not known yet, so it may come back."""

    what: str
    limit: Decimal | None
    spent: Decimal
    out: Decimal

    @property
    def room(self) -> Decimal | None:
        return None if self.limit is None else self.limit - self.spent

    def sentence(self, need: Decimal) -> str:
        return (
            f"{REACHED} {dollars(self.limit)} for {self.what} is reached: {dollars(self.spent)} is paid, lost or out, and the "
            f"next call could cost {dollars(need)}. Raise the cap and resume."
        )


def monthly_cap() -> Decimal | None:
    """ORACLE_MONTHLY_CAP_USD, or None. Raises BadInput for what is no amount."""
    text = settings.ORACLE_MONTHLY_CAP_USD
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        raise BadInput(f"ORACLE_MONTHLY_CAP_USD must be an amount in dollars, not {text!r}.") from None


def caps(run: LabelingRun, purses: dict[str, Purse], month: str) -> list[Cap]:
    """Those that bind `run`, whose row and purses were read or locked by the caller."""
    ours, filters = purses[month], purses[purse_of(run)]
    filter_ = run.version.filter
    return [
        Cap("this run", run.budget_usd, run.spent_usd, run.reserved_usd),
        Cap(f"the filter {filter_.slug}", filter_.budget_usd, filters.spent_usd, filters.reserved_usd),
        Cap("this month", monthly_cap(), ours.spent_usd, ours.reserved_usd),
    ]


def lock(run: LabelingRun, month: str) -> tuple[LabelingRun, dict[str, Purse]]:
    """The run's row and its purses as they are now, locked until the transaction ends. Raises Paused."""
    purses = _lock_purses([month, purse_of(run)])
    rows = LabelingRun.objects.select_for_update(of=("self",)).select_related("version__filter")
    row = rows.get(pk=run.pk)
    if row.state != RunState.RUNNING or row.cancel_requested:
        raise Paused(f"{row} is {row.get_state_display()}.")
    return row, purses


def _lock_purses(names: list[str]) -> dict[str, Purse]:
    found = {purse.name: purse for purse in Purse.objects.select_for_update().filter(name__in=names).order_by("name")}
    if len(found) == len(names):
        return found
    Purse.objects.bulk_create([Purse(name=name) for name in names], ignore_conflicts=True)
    return _lock_purses(names)


def check_owned(shard: LabelingShard) -> None:
    """Raises LeaseLost when another worker owns the shard."""
    rows = LabelingShard.objects.filter(pk=shard.pk, state=RunState.RUNNING, lease_token=shard.lease_token)
    if not rows.exists():
        raise LeaseLost(f"{shard} is no longer held by this worker.")


@transaction.atomic
def reserve(run: LabelingRun, shard: LabelingShard, calls: Sequence[OracleCall]) -> tuple[list[OracleCall], Cap | None]:
    """Write down those of these calls that every cap has room for; (those, the cap that stopped the next one).

    A question that another run has out at this moment is left out too, without a cap to blame.
    """
    month = month_of(timezone.now())
    row, purses = lock(run, month)
    check_owned(shard)
    limits = caps(row, purses, month)
    room = min((cap.room for cap in limits if cap.room is not None), default=None)
    affordable, total = [], ZERO
    for call in calls:
        if room is not None and total + call.reserved_usd > room:
            break
        total += call.reserved_usd
        affordable.append(call)
    written = _write(affordable)
    move(row, month, reserved=sum((call.reserved_usd for call in written), ZERO))
    if len(affordable) == len(calls):
        return written, None
    tight = min((cap for cap in limits if cap.room is not None), key=lambda cap: cap.room or ZERO)
    return written, tight


WRITE = """
INSERT INTO labeling_oraclecall (key, run_id, item_id, shard_id, batch_id, state, repair, room, text_sha256, flags, prompt_hash,
  request_hash, reserved_usd, cost_usd, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, request_id,
  response_model, sdk, error_class, error, raw_answer, seconds, sent_at)
SELECT r.key, r.run_id, r.item_id, r.shard_id, r.batch_id, 'out', r.repair, r.room, r.text_sha256, r.flags::jsonb, r.prompt_hash,
  r.request_hash, r.reserved_usd, 0, 0, 0, 0, 0, '', '', '', '', '', '', 0, %s
FROM json_to_recordset(%s::json) AS r(key text, run_id bigint, item_id bigint, shard_id bigint, batch_id bigint, repair bool,
  room int, text_sha256 text, flags json, prompt_hash text, request_hash text, reserved_usd numeric)
ON CONFLICT DO NOTHING RETURNING key
"""
WRITTEN = (
    *("key", "run_id", "item_id", "shard_id", "batch_id", "repair", "room", "text_sha256", "flags", "prompt_hash"),
    "request_hash",
)


def _write(calls: Sequence[OracleCall]) -> list[OracleCall]:
    """All at once, past the ORM: this is done for every question; those that are out already are not written."""
    if not calls:
        return []
    rows = [{**{name: getattr(call, name) for name in WRITTEN}, "reserved_usd": str(call.reserved_usd)} for call in calls]
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [timezone.now(), json.dumps(rows)])
        keys = {key for (key,) in cursor.fetchall()}
    return [call for call in calls if call.key in keys]


@transaction.atomic
def book_lost(run: LabelingRun, shard: LabelingShard) -> int:
    """Book what an earlier worker had out and never settled, and let go of its articles; returns how many calls."""
    found = OracleCall.objects.select_for_update().filter(shard=shard, state=Call.OUT, batch=None)
    _close(run, list(found), Call.LOST)
    LabelingItem.objects.filter(shard=shard, state=LabelingItem.State.WAITING).exclude(
        calls__state=Call.OUT  # with the provider, in a batch
    ).update(shard=None)
    return len(found)


@transaction.atomic
def release_unsent(run: LabelingRun, calls: Collection[str]) -> None:
    """Free what was reserved for calls that never left this machine; their articles wait again."""
    found = list(OracleCall.objects.select_for_update().filter(key__in=list(calls), state=Call.OUT))
    _close(run, found, Call.UNSENT)
    LabelingItem.objects.filter(pk__in=[call.item_id for call in found]).update(shard=None)


def _close(run: LabelingRun, calls: Sequence[OracleCall], state: str) -> None:
    OracleCall.objects.filter(pk__in=[call.pk for call in calls]).update(state=state, settled_at=timezone.now())
    months: dict[str, Decimal] = {}
    for call in calls:
        month = month_of(call.sent_at)
        months[month] = months.get(month, ZERO) + call.reserved_usd
    for month, amount in sorted(months.items()):
        move(run, month, reserved=-amount, lost=amount if state == Call.LOST else ZERO)
