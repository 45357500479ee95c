"""A run through the provider's batch service: half the price, an answer within a day, and nothing held open meanwhile.

Each start of the shard does what can be done now and rests: find again what was handed over without a reply, look after
what is there, store what has ended, hand over what waits. A batch is written down before it is submitted, with all its
calls; so whatever dies, the next start knows what may be out and asks the provider before it sends anything again.
"""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from distillery_site.common.errors import Cancelled, DistilleryError
from labeling.models import LabelingBatch, LabelingItem, LabelingRun, LabelingShard
from labeling.oracles.base import ZERO, Oracle, OracleError, Reply
from labeling.running import budget
from labeling.running.asking import Rest, due, mark_stored
from labeling.running.outcomes import Answers, Ask
from labeling.running.rates import Gate
from labeling.running.settling import Item, settle
from labeling.running.spool import Spool

GROUP = 500  # articles reserved together
STORE = 2_000  # results stored together
FIRST_POLL, LAST_POLL = 2.0, 60.0  # seconds; in between a tenth of the batch's age
FIND_SECONDS, FIND_AGAIN = 120.0, 15.0  # so long an unanswered submit may take to show up in the provider's list
BEAT_SECONDS = 5.0
UNANSWERED = "A batch was handed over and no reply came."
NOT_TAKEN = frozenset({"rate", "auth", "payment", "request", "context"})  # the provider said no: nothing was made
State = LabelingBatch.State


@dataclass
class Chunk:
    """What goes into one batch."""

    batch: LabelingBatch
    asks: list[Ask] = field(default_factory=list)
    bytes: int = 0


class Batching:
    def __init__(self, shard: LabelingShard, run: LabelingRun, oracle: Oracle, gate: Gate, spool: Spool):
        if oracle.batch_limits is None:
            raise OracleError("request", f"{run.oracle} takes no batches; start the run in direct mode.")
        self.shard, self.run, self.oracle, self.limits = shard, run, oracle, oracle.batch_limits
        self.answers = Answers(run)
        self.stop: DistilleryError | None = None
        self.cap: budget.Cap | None = None

    def work(self) -> None:
        """One round. Raises Rest while something is out or has to wait, and whatever stopped it."""
        async_to_sync(self._work)()

    async def _work(self) -> None:
        pulse = asyncio.create_task(self._pulse())
        try:
            for batch in await _in_db(self._unsettled):
                await self._look_after(batch)
            await self._hand_over()
            await _in_db(self._rest_or_finish)
        finally:
            pulse.cancel()
            await asyncio.gather(pulse, return_exceptions=True)
            await self.oracle.aclose()

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            await _in_db(self.shard.beat)

    def _unsettled(self) -> list[LabelingBatch]:
        return list(self.run.batches.unsettled().order_by("pk"))

    async def _look_after(self, batch: LabelingBatch) -> None:
        if batch.state == State.BUILDING:
            await _in_db(self._drop, batch, "The worker ended before it was handed over.")
        if batch.state == State.SUBMITTING:
            await self._find(batch)
        if batch.state == State.SUBMITTED:
            if await _in_db(self._is_cancelled):
                await self.oracle.cancel(batch.provider_id)
            await self._collect(batch)

    def _is_cancelled(self) -> bool:
        return LabelingRun.objects.filter(pk=self.run.pk, cancel_requested=True).exists()

    # Handing over

    async def _hand_over(self) -> None:
        while chunk := await _in_db(self._chunk):
            await _in_db(self._change, chunk.batch, state=State.SUBMITTING, requests=len(chunk.asks), submitted_at=timezone.now())
            questions = [ask.question for ask in chunk.asks if ask.question is not None]
            try:
                provider_id = await self.oracle.submit(chunk.batch.marker, questions)
            except OracleError as error:
                if error.kind in NOT_TAKEN:
                    await _in_db(self._drop, chunk.batch, str(error))
                else:  # it may have arrived: from now on it can be looked for
                    await _in_db(self._change, chunk.batch, submitted_at=timezone.now(), note=str(error)[:300])
                raise
            await _in_db(self._change, chunk.batch, state=State.SUBMITTED, provider_id=provider_id)

    def _chunk(self) -> Chunk | None:
        """As many waiting articles as fit into one batch and under the caps; None when there are none."""
        if self.cap is not None or self._is_cancelled() or not self._claimable():
            return None
        batch = LabelingBatch.objects.create(run=self.run, marker=f"d{uuid.uuid4().hex}")
        chunk = Chunk(batch)
        while self.cap is None and (asks := self._next(self.limits.requests - len(chunk.asks), self.limits.bytes - chunk.bytes)):
            held = self._reserve(batch, asks)
            chunk.asks += held
            chunk.bytes += sum(_size(ask) for ask in held)
        if chunk.asks:
            return chunk
        batch.delete()
        return None

    def _claimable(self) -> bool:
        return self.run.items.filter(due(timezone.now()), state=Item.WAITING, shard=None).exists()

    def _next(self, requests: int, room: int) -> list[Ask]:
        """The next unanswered articles that fit into `requests` and `room` bytes; the others go back."""
        while requests > 0 and (items := self._claim(min(GROUP, requests))):
            stored = self.answers.stored(items)
            if stored:
                mark_stored(self.run, stored)
            asks = self.answers.asks([item for item in items if item.pk not in stored], self.oracle, batch=True)
            fits, used = [], 0
            for ask in asks:
                used += _size(ask)
                if used <= room:
                    fits.append(ask)
            self._let_go([ask.item_id for ask in asks[len(fits) :]])
            if fits or asks:
                return fits
        return []

    @transaction.atomic
    def _claim(self, count: int) -> list[LabelingItem]:
        free = self.run.items.filter(due(timezone.now()), state=Item.WAITING, shard=None)
        items = list(free.select_related("article").order_by("pk").select_for_update(skip_locked=True, of=("self",))[:count])
        LabelingItem.objects.filter(pk__in=[item.pk for item in items]).update(shard=self.shard)
        return items

    def _let_go(self, items: list[int], seconds: float = 0.0) -> None:
        later = timezone.now() + timedelta(seconds=seconds) if seconds else None
        LabelingItem.objects.filter(pk__in=items).update(shard=None, not_before=later)

    def _reserve(self, batch: LabelingBatch, asks: list[Ask]) -> list[Ask]:
        calls = [ask.call for ask in asks if ask.call is not None]
        for call in calls:
            call.shard, call.batch = self.shard, batch
        try:
            written, self.cap = budget.reserve(self.run, self.shard, calls)
        except DistilleryError:
            self._let_go([ask.item_id for ask in asks])
            raise
        keys = {call.key for call in written}
        self._let_go([ask.item_id for ask in asks if ask.key not in keys], 0.0 if self.cap else LAST_POLL)
        return [ask for ask in asks if ask.key in keys]

    def _change(self, batch: LabelingBatch, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(batch, name, value)
        batch.save(update_fields=list(fields))

    def _drop(self, batch: LabelingBatch, why: str) -> None:
        """It was never made, or came to nothing: its calls cost nothing and its articles wait again."""
        with transaction.atomic():
            budget.release_unsent(self.run, batch.calls.values_list("key", flat=True))
            self._change(batch, state=State.LOST, ended_at=timezone.now(), note=why[:300])

    async def _find(self, batch: LabelingBatch) -> None:
        """Ask the provider for a batch whose submit was never answered; only when it has none is it sent again."""
        keys, known = await _in_db(self._keys_and_known, batch)
        try:
            found = await self.oracle.find(batch.marker, keys=keys, since=batch.created_at, known=known)
        except OracleError as error:
            if error.kind != "server":
                raise
            raise Rest(f"{UNANSWERED} {error}", max(FIND_AGAIN, error.retry_after or 0.0)) from None
        if found is not None:
            await _in_db(self._change, batch, state=State.SUBMITTED, provider_id=found)
        elif (timezone.now() - (batch.submitted_at or batch.created_at)).total_seconds() > FIND_SECONDS:
            await _in_db(self._drop, batch, "It never reached the provider.")
        else:
            raise Rest(f"{UNANSWERED} The provider's list is looked through again.", FIND_AGAIN)

    def _keys_and_known(self, batch: LabelingBatch) -> tuple[set[str], set[str]]:
        known = LabelingBatch.objects.exclude(provider_id="").values_list("provider_id", flat=True)
        return set(batch.calls.values_list("key", flat=True)), set(known)

    # Collecting

    async def _collect(self, batch: LabelingBatch) -> None:
        status = await self.oracle.poll(batch.provider_id)
        if status.failed:
            await _in_db(self._drop, batch, status.failed)
            raise OracleError("request", status.failed)
        if status.ended:
            await self._store(batch)

    async def _store(self, batch: LabelingBatch) -> None:
        """Results as they come, matched by their keys; while one group is stored, the next is read."""
        storing: asyncio.Task | None = None
        group: dict[str, Reply | OracleError] = {}
        async for key, answer in self.oracle.results(batch.provider_id):
            group[key] = answer
            if len(group) >= STORE:
                storing = await _after(storing, self._store_group, group)
                group = {}
        storing = await _after(storing, self._store_group, group)
        await storing
        await _in_db(self._stored, batch)

    def _store_group(self, group: dict[str, Reply | OracleError]) -> None:
        asks = self.answers.load(group)
        stopping = [answer for answer in group.values() if isinstance(answer, OracleError) and answer.pauses_run]
        settle(self.run, [self.answers.outcome(ask, group[key]) for key, ask in asks.items()], self.shard)
        self.stop = self.stop or next(iter(stopping), None)

    def _stored(self, batch: LabelingBatch) -> None:
        """What is still out had no result: it expired unbilled, or was called back."""
        with transaction.atomic():
            budget.release_unsent(self.run, batch.calls.filter(state="out").values_list("key", flat=True))
            answered = batch.calls.filter(state="answered").count()
            self._change(batch, state=State.STORED, ended_at=timezone.now(), answered=answered)

    # Resting

    def _rest_or_finish(self) -> None:
        if self.stop is not None:
            raise self.stop
        pending = self._unsettled()
        if pending:
            age = (timezone.now() - max(batch.submitted_at or batch.created_at for batch in pending)).total_seconds()
            what = f"{len(pending)} batch{'es are' if len(pending) > 1 else ' is'} with the provider."
            raise Rest(what, min(LAST_POLL, max(FIRST_POLL, age / 10)))
        if self._is_cancelled():
            raise Cancelled(f"{self.run} was cancelled.")
        waiting = self.run.items.filter(state=Item.WAITING)
        if self.cap is not None and waiting.exists():
            raise budget.OverBudget(self.cap.sentence(self.cap.room or ZERO))
        if waiting.exists():
            soonest = waiting.aggregate(soonest=Min("not_before"))["soonest"] or timezone.now()
            raise Rest("Only articles are left that have to wait.", max(1.0, (soonest - timezone.now()).total_seconds()))


async def _after(before: asyncio.Task | None, work: Callable[..., Any], *args: Any) -> asyncio.Task:
    if before is not None:
        await before
    return asyncio.create_task(_in_db(work, *args))


async def _in_db(work: Callable[..., Any], *args: Any, **fields: Any) -> Any:
    return await sync_to_async(work)(*args, **fields)


def _size(ask: Ask) -> int:
    return ask.question.size + 300 if ask.question is not None else 0  # with its envelope
