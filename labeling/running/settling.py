"""Replies into rows: calls, labels, items and money in one transaction, set by set.

Safe to repeat and safe when late: a call is settled once, whoever comes first, and one that was booked as lost is booked
out again when its reply turns up after all. So a worker that lost its lease, a replayed spool and a batch read twice all
do no harm. Plain SQL over `json_to_recordset`, because row by row this would be most of a label's processor time.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from distillery_site.common.runs import FINAL, RunState
from labeling.models import LabelingItem, LabelingRun, LabelingShard, OracleCall, Purse
from labeling.oracles.base import ZERO, Tokens

MAX_RAW = 20_000
PASSED = "A call cost more than its worst case and passed the cap, which now shows what was truly spent. Look at the prices."
Call, Item = OracleCall.State, LabelingItem.State


@dataclass
class Outcome:
    """What came of one call: how it is booked, what becomes of its article, and the labels it gave."""

    key: str
    state: str
    cost_usd: Decimal = ZERO
    tokens: Tokens = Tokens()
    request_id: str = ""
    model: str = ""
    sdk: str = ""
    seconds: float = 0.0
    raw: str = ""
    error_class: str = ""
    error: str = ""
    item: dict[str, Any] = field(default_factory=dict)
    labels: list[dict[str, Any]] = field(default_factory=list)

    def call_row(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "state": self.state,
            "cost_usd": str(self.cost_usd),
            "input_tokens": self.tokens.input,
            "cache_read_tokens": self.tokens.cache_read,
            "cache_write_tokens": self.tokens.cache_write,
            "output_tokens": self.tokens.output,
            "request_id": self.request_id[:120],
            "response_model": self.model[:120],
            "sdk": self.sdk[:40],
            "seconds": self.seconds,
            "raw_answer": _clean(self.raw)[:MAX_RAW],
            "error_class": self.error_class[:60],
            "error": _clean(self.error),
        }


@dataclass(frozen=True)
class Settled:
    """Sums over what was not settled before; `finished` articles need no further call."""

    calls: int = 0
    labels: int = 0
    finished: int = 0


CALLS = """
UPDATE labeling_oraclecall c SET state = r.state, cost_usd = r.cost_usd, input_tokens = r.input_tokens,
  cache_read_tokens = r.cache_read_tokens, cache_write_tokens = r.cache_write_tokens, output_tokens = r.output_tokens,
  request_id = r.request_id, response_model = r.response_model, sdk = r.sdk, seconds = r.seconds, raw_answer = r.raw_answer,
  error_class = r.error_class, error = r.error, settled_at = %s
FROM json_to_recordset(%s::json) AS r(key text, state text, cost_usd numeric, input_tokens int, cache_read_tokens int,
  cache_write_tokens int, output_tokens int, request_id text, response_model text, sdk text, seconds float8, raw_answer text,
  error_class text, error text)
WHERE c.key = r.key
"""
LABELS = """
INSERT INTO labeling_oraclelabel (run_id, call_id, version_id, article_id, oracle_id, reading, scores, reasoning, evidence,
  raw_answer, flags, text_sha256, rubric_hash, prompt_hash, request_hash, request_id, response_model, input_tokens,
  output_tokens, cost_usd, seconds, created_at)
SELECT c.run_id, c.id, r.version_id, i.article_id, run.oracle_id, run.reading, r.scores, r.reasoning, r.evidence::jsonb,
  r.raw_answer, r.flags::jsonb || c.flags, c.text_sha256, r.rubric_hash, c.prompt_hash, r.request_hash, c.request_id,
  c.response_model, c.input_tokens, c.output_tokens, r.cost_usd, c.seconds, %s
FROM json_to_recordset(%s::json) AS r(key text, version_id bigint, scores float8[], reasoning text, evidence json,
  raw_answer text, flags json, rubric_hash text, request_hash text, cost_usd numeric)
JOIN labeling_oraclecall c ON c.key = r.key
JOIN labeling_labelingitem i ON i.id = c.item_id
JOIN labeling_labelingrun run ON run.id = c.run_id
ON CONFLICT DO NOTHING
"""
ITEMS = """
UPDATE labeling_labelingitem i SET state = r.state, error_class = r.error_class, error = r.error, attempts = r.attempts,
  room = r.room, repair = r.repair, not_before = r.not_before, shard_id = NULL
FROM json_to_recordset(%s::json) AS r(key text, state text, error_class text, error text, attempts int, room int,
  repair bool, not_before timestamptz)
JOIN labeling_oraclecall c ON c.key = r.key
WHERE i.id = c.item_id AND i.state = 'waiting'
RETURNING i.state
"""


@transaction.atomic
def settle(run: LabelingRun, outcomes: Sequence[Outcome], shard: LabelingShard | None = None) -> Settled:
    """Book these outcomes of `run`'s calls; those that were settled before are left as they are."""
    open_calls = _lock_calls([outcome.key for outcome in outcomes])
    fresh = [outcome for outcome in outcomes if outcome.key in open_calls]
    if not fresh:
        return Settled()
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(CALLS, [now, json.dumps([outcome.call_row() for outcome in fresh])])
        labels = [{"key": outcome.key, **label} for outcome in fresh for label in outcome.labels]
        if labels:
            cursor.execute(LABELS, [now, json.dumps(labels)])
        cursor.execute(ITEMS, [json.dumps([{"key": outcome.key, **_item_row(outcome)} for outcome in fresh])])
        finished = sum(state != Item.WAITING for (state,) in cursor.fetchall())
    _book(run, fresh, open_calls)
    LabelingRun.objects.filter(pk=run.pk).update(progress_done=F("progress_done") + finished)
    if shard is not None and finished:
        LabelingShard.objects.filter(pk=shard.pk).update(attempts=0)  # only starts without progress count
        shard.attempts = 0
    return Settled(len(fresh), len(labels), finished)


def _clean(text: str) -> str:
    return text.replace("\x00", "")


def _item_row(outcome: Outcome) -> dict[str, Any]:
    blank = {"state": Item.WAITING, "error_class": "", "error": "", "attempts": 0, "room": 0, "repair": False, "not_before": None}
    row = {**blank, **outcome.item}
    if isinstance(row["not_before"], datetime):
        row["not_before"] = row["not_before"].isoformat()
    return {**row, "error_class": row["error_class"][:60], "error": _clean(row["error"])}


def _lock_calls(keys: list[str]) -> dict[str, tuple[str, Decimal, datetime]]:
    """key → (state, reserved, sent at) of those that are out or were booked as lost."""
    rows = OracleCall.objects.select_for_update().filter(key__in=keys, state__in=(Call.OUT, Call.LOST)).order_by("pk")
    return {key: rest for key, *rest in rows.values_list("key", "state", "reserved_usd", "sent_at")}  # type: ignore[misc]


def _book(run: LabelingRun, fresh: Sequence[Outcome], before: dict[str, tuple[str, Decimal, datetime]]) -> None:
    """Move money from reserved (or from lost, for late replies) to where it belongs, month by month."""
    months: dict[str, list[Decimal]] = {}
    for outcome in fresh:
        was, reserved, sent_at = before[outcome.key]
        sums = months.setdefault(month_of(sent_at), [ZERO, ZERO, ZERO])
        sums[0] += outcome.cost_usd
        sums[1] -= reserved if was == Call.OUT else ZERO
        sums[2] += (reserved if outcome.state == Call.LOST else ZERO) - (reserved if was == Call.LOST else ZERO)
    for month, (cost, reserved, lost) in sorted(months.items()):
        move(run, month, cost=cost, reserved=reserved, lost=lost)


def month_of(moment: datetime) -> str:
    return f"month {moment:%Y-%m}"


def move(run: LabelingRun, month: str, *, cost: Decimal = ZERO, reserved: Decimal = ZERO, lost: Decimal = ZERO) -> None:
    """Add to the sums of the month, the filter and the run, in this order, as everyone who locks them does.

    A provider that charged more than its worst case lifts the run's cap to what was truly spent, for the books must be
    right, and pauses the run.
    """
    if not (cost or reserved or lost):
        return
    changes = {"cost_usd": F("cost_usd") + cost, "reserved_usd": F("reserved_usd") + reserved, "lost_usd": F("lost_usd") + lost}
    for name in (month, purse_of(run)):
        Purse.objects.filter(name=name).update(**changes)
    spent = changes["cost_usd"] + changes["reserved_usd"] + changes["lost_usd"]
    rows = LabelingRun.objects.filter(pk=run.pk)
    lifted = rows.filter(budget_usd__lt=spent).update(budget_usd=spent, **changes)
    if not lifted:
        rows.update(**changes)
    elif not rows.exclude(state__in=FINAL).update(state=RunState.PAUSED, error=PASSED):
        rows.update(error=PASSED)


def purse_of(run: LabelingRun) -> str:
    return f"filter {run.version.filter_id}"
