"""A shard at work: settle what came, take what may go, send it; a few times a second until nothing is left to do.

One event loop keeps the questions in the air, one thread talks to the tables, a few rows at a time; neither waits for the
other's every article. A wait that is worth the name becomes `not_before` on the article's row or on the shard's, and the
worker is free for something else.
"""

import asyncio
import logging
import threading
import time
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Min, Q, QuerySet
from django.utils import timezone

from distillery_site.common.errors import Cancelled, DistilleryError, Transient
from distillery_site.common.runs import RunState
from labeling.models import LabelingItem, LabelingRun, LabelingShard
from labeling.oracles import base
from labeling.oracles.base import PROVIDERS_OWN, Oracle, OracleError, Reply, Tokens
from labeling.running import budget
from labeling.running.outcomes import Answers, Ask
from labeling.running.rates import Gate
from labeling.running.settling import Item, settle
from labeling.running.spool import Spool, done

log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
TICK_SECONDS = 0.3
REST_SECONDS = 5.0  # a longer wait frees the worker
SCOUTS, RAMP_SECONDS = 8, 0.5  # out at once before it is known that the provider is there; doubled so often
CONFIRMED = 3  # refusals in a row that mean everyone
OUTAGE_FAILURES, OUTAGE_SECONDS = 8, 10.0  # so many in a row, with no answer for so long
TURN_SECONDS = 300.0  # then another run that waits for a worker is let in
DATABASE_PATIENCE = 120.0
BATCH = 500
LIKELY_OUTPUT = 500.0  # tokens, until the first answers tell


class Rest(DistilleryError):
    """Nothing can be done before `seconds` have passed."""

    def __init__(self, message: str, seconds: float):
        super().__init__(message)
        self.seconds = seconds


Answer = Reply | OracleError


class Asking:
    def __init__(self, shard: LabelingShard, run: LabelingRun, oracle: Oracle, gate: Gate, spool: Spool):
        self.shard, self.run, self.oracle, self.gate, self.spool = shard, run, oracle, gate, spool
        self.answers = Answers(run)
        self.out: dict[str, Ask] = {}
        self.came: list[tuple[Ask, Answer]] = []
        self.lock = threading.Lock()  # what is on disk and not stored is always in `came`
        self.quiet, self.few = asyncio.Event(), 0  # set when no more than `few` are out
        self.stop: DistilleryError | None = None
        self.finished = False
        self.idle_until = 0.0  # nothing can be taken before (monotonic)
        self.answered, self.failures = 0, 0  # since it began; in a row
        self.began = self.last_answer = time.monotonic()
        self.patience = 0.0  # longest that the provider asked for in this row
        self.usual = Tokens()  # of the answers so far, summed
        self.due_beat = 0.0

    def work(self) -> None:
        """Until nothing waits that this shard could take. Raises what stopped it; what was out is settled all the same."""
        try:
            async_to_sync(self._work)()
        finally:
            self.spool.turn()
        if self.stop is not None:
            raise self.stop

    async def _work(self) -> None:
        try:
            async with asyncio.TaskGroup() as calls:
                while await self._turn(calls):
                    await self._breathe()
        finally:
            await self.oracle.aclose()

    async def _turn(self, calls: asyncio.TaskGroup) -> bool:
        for ask in await sync_to_async(self._step)():
            self.out[ask.key] = ask
            calls.create_task(self._ask(ask))
        return bool(self.out or self.came or not (self.stop or self.finished))

    async def _breathe(self) -> None:
        """A tick; less when half of what is out comes sooner, or nothing is out and nothing has to be waited for."""
        if self.out:
            self.few = len(self.out) // 2
            self.quiet.clear()
            try:
                await asyncio.wait_for(self.quiet.wait(), TICK_SECONDS)
            except TimeoutError:
                return
        elif not self.came:
            await asyncio.sleep(max(0.0, min(TICK_SECONDS, self.idle_until - time.monotonic())))

    async def _ask(self, ask: Ask) -> None:
        assert ask.question is not None
        try:
            answer: Answer = await self.oracle.ask(ask.question)
        except OracleError as error:
            answer = error
        with self.lock:
            if answer.cost_usd:
                self.spool.append({"key": ask.key, **as_row(answer)})
            self.came.append((ask, answer))
        del self.out[ask.key]
        if len(self.out) <= self.few:
            self.quiet.set()

    def _step(self) -> list[Ask]:
        """All that this turn does with the tables, through a database that may go away and come back."""
        patience = time.monotonic() + DATABASE_PATIENCE
        while True:
            try:
                return self._settle_and_take()
            except (OperationalError, InterfaceError) as error:
                connection.close()
                if time.monotonic() > patience:
                    self.stop = Transient(f"The database went away: {error}")
                    return []
                log.warning("The database went away; what is out is kept until it is back: %s", str(error).strip())
                time.sleep(0.5)

    def _settle_and_take(self) -> list[Ask]:
        self._settle()
        if self.stop is not None:
            return []
        try:
            self._beat()
            return self._take() if time.monotonic() >= self.idle_until else []
        except DistilleryError as error:
            self.stop = self.stop or error
            return []

    def _beat(self) -> None:
        if time.monotonic() < self.due_beat:
            return
        self.due_beat = time.monotonic() + BEAT_SECONDS
        self.shard.beat()
        row = LabelingRun.objects.only("state", "cancel_requested").get(pk=self.run.pk)
        if row.cancel_requested:
            raise Cancelled(f"{row} was cancelled.")
        if row.state != RunState.RUNNING:
            raise budget.Paused(f"{row} is {row.get_state_display()}.")
        self._free_forgotten()
        for dead in self.run.shards.dead().exclude(pk=self.shard.pk).values_list("pk", flat=True):
            adopt(self.run, dead)
        others = LabelingShard.objects.due().exclude(run=self.run)
        if time.monotonic() - self.began > TURN_SECONDS and others.exists():
            raise Rest("Another run has its turn.", 0.0)

    def _free_forgotten(self) -> int:
        """A database that died after it had done what was asked, before it could say so, left articles that nobody asks."""
        known = [*self.out.values(), *(ask for ask, _ in self.came)]
        out = self.run.calls.filter(shard=self.shard, state="out", batch=None).values_list("key", flat=True)
        if forgotten := set(out) - {ask.key for ask in known}:
            budget.release_unsent(self.run, forgotten)
        held = self.run.items.filter(shard=self.shard, state=Item.WAITING)
        return len(forgotten) + held.exclude(pk__in=[ask.item_id for ask in known]).update(shard=None)

    # What came

    def _settle(self) -> None:
        with self.lock:
            came, written = list(self.came), self.spool.turn()
        if not came:
            return
        outcomes = [self.answers.outcome(ask, answer) for ask, answer in came]
        settle(self.run, outcomes, self.shard)
        done(written)
        del self.came[: len(came)]
        for _, answer in came:
            self._note(answer)
        self._count([answer for _, answer in came])

    def _note(self, answer: Answer) -> None:
        """What an answer says about the provider: it is well, it wants patience, it is away, or a person must act."""
        self.gate.learn(answer.limits)
        if isinstance(answer, Reply) or answer.kind not in PROVIDERS_OWN:
            self.answered, self.failures, self.patience = self.answered + 1, 0, 0.0
            self.last_answer = time.monotonic()
            if isinstance(answer, OracleError) and answer.pauses_run:
                self.stop = self.stop or answer
            return
        self.failures += 1
        if not self.answered:  # a provider that is away is not hammered
            pace = min(base.BACKOFF_SECONDS * self.failures / SCOUTS, REST_SECONDS)
            self.idle_until = time.monotonic() + pace
        self.patience = max(self.patience, answer.retry_after or 0.0)
        if answer.kind == "rate":  # slower for one; a wait for all when others confirm it
            confirmed = self.failures >= CONFIRMED
            self.gate.slow_down(min(answer.retry_after or 1.0, REST_SECONDS) if confirmed else 0.0)
        if self.failures >= OUTAGE_FAILURES and time.monotonic() - self.last_answer > OUTAGE_SECONDS:
            self.stop = self.stop or OracleError(answer.kind, str(answer), retry_after=self.patience)

    def _count(self, answers: list[Answer]) -> None:
        """Correct what was taken from the bucket by what was used."""
        used_in = sum(answer.tokens.input for answer in answers)
        used_out = sum(answer.tokens.output for answer in answers)
        each_in, each_out = self._each()
        self.gate.use(0, used_in - len(answers) * each_in, used_out - len(answers) * each_out)
        self.usual = Tokens(fresh=self.usual.fresh + used_in, output=self.usual.output + used_out)

    def _each(self) -> tuple[float, float]:
        """Input and output tokens that one question is likely to take."""
        if not self.answered or not self.usual.output:
            return 0.0, LIKELY_OUTPUT
        return self.usual.fresh / self.answered, self.usual.output / self.answered

    # What may go

    def _take(self) -> list[Ask]:
        """The next questions with money and permission behind them; sets `finished` or raises Rest when there are none."""
        free = min(self._lanes() - len(self.out), BATCH)
        if free <= 0 or not self._any_due():
            return []
        each = self._each()
        grant = self.gate.take(free, *each)
        if not grant.count:
            self._wait(grant.wait, "The provider's rate limit asks for patience.")
            return []
        asks = self._reserve(self._next(grant.count))
        unused = grant.count - len(asks)
        self.gate.use(-unused, -unused * each[0], -unused * each[1])
        return asks

    def _lanes(self) -> int:
        """How many may be out: a few until the first answer, doubling as long as no failure comes instead of it."""
        if self.answered:
            return self.oracle.concurrency
        waited = 0.0 if self.failures else time.monotonic() - self.began
        return min(self.oracle.concurrency, SCOUTS * 2 ** min(int(waited / RAMP_SECONDS), 10))

    def _waiting(self) -> QuerySet[LabelingItem]:
        return self.run.items.filter(state=Item.WAITING, shard=None)

    def _any_due(self) -> bool:
        """Whether anything could be taken now; if not, how long until it can, or that nothing is left."""
        now, self.finished = timezone.now(), False
        if self._waiting().filter(due(now)).exists() or (not self.out and self._free_forgotten()):
            return True
        soonest: datetime | None = self._waiting().aggregate(soonest=Min("not_before"))["soonest"]
        if soonest is not None:
            self._wait((soonest - now).total_seconds(), "Only articles are left that have to wait.")
        elif not self.out:
            self.finished = True
        return False

    def _wait(self, seconds: float, why: str) -> None:
        self.idle_until = time.monotonic() + min(max(seconds, TICK_SECONDS), REST_SECONDS)
        if seconds > REST_SECONDS and not self.out and not self.came:
            raise Rest(why, seconds)

    def _next(self, count: int) -> list[Ask]:
        """The next articles that nobody has answered yet, as questions; they are this shard's from here on."""
        while items := self._claim(count):
            stored = self.answers.stored(items)
            if stored:
                self._mark_stored(stored)
            if fresh := [item for item in items if item.pk not in stored]:
                return self.answers.asks(fresh, self.oracle)
        return []

    @transaction.atomic
    def _claim(self, count: int) -> list[LabelingItem]:
        order = ("pk",) if self.answered else ("attempts", "pk")  # an outage costs no article all its tries
        free = self._waiting().filter(due(timezone.now())).select_related("article").order_by(*order)
        items = list(free.select_for_update(skip_locked=True, of=("self",))[:count])
        LabelingItem.objects.filter(pk__in=[item.pk for item in items]).update(shard=self.shard)
        return items

    def _mark_stored(self, items: set[int]) -> None:
        mark_stored(self.run, items)

    def _reserve(self, asks: list[Ask]) -> list[Ask]:
        """Those that are written down and paid for; the others go back."""
        if not asks:
            return []
        calls = [ask.call for ask in asks if ask.call is not None]
        for call in calls:
            call.shard = self.shard
        try:
            written, cap = budget.reserve(self.run, self.shard, calls)
        except DistilleryError:
            self._put_back([ask.item_id for ask in asks], None)
            raise
        keys = {call.key for call in written}
        held = [ask for ask in asks if ask.key in keys]
        if back := [ask.item_id for ask in asks if ask.key not in keys]:
            self._put_back(back, None if cap else timezone.now() + timedelta(seconds=REST_SECONDS))
        if cap is not None:
            self._near_cap(cap, min(call.reserved_usd for call in calls), len(held))
        return held

    def _near_cap(self, cap: budget.Cap, need: Decimal, held: int) -> None:
        """The last cents would be spent a call at a time, for minutes: a run that had room for many stops before."""
        few = min(SCOUTS, int((cap.limit or need) / need / 10))
        if self.answered and len(self.out) + held < few:
            self.stop = self.stop or budget.OverBudget(cap.sentence(need))
        elif not held:
            self._at_cap(cap, need)

    def _put_back(self, items: list[int], not_before: datetime | None) -> None:
        """Without money now, or somebody else asks the very same at this moment."""
        LabelingItem.objects.filter(pk__in=items).update(shard=None, not_before=not_before)

    def _at_cap(self, cap: budget.Cap, need: Decimal) -> None:
        """Reservations that are settled may leave room again; when none is out, only a person can help."""
        if self.out or self.came or (cap.out > 0 and cap.limit is not None and need <= cap.limit - cap.spent + cap.out):
            self._wait(REST_SECONDS if not self.out else TICK_SECONDS, "")
        else:
            raise budget.OverBudget(cap.sentence(need))


def due(now: datetime) -> Q:
    return Q(not_before=None) | Q(not_before__lte=now)


@transaction.atomic
def mark_stored(run: LabelingRun, items: set[int]) -> None:
    changed = run.items.filter(pk__in=items, state=Item.WAITING).update(state=Item.STORED, shard=None)
    row = LabelingRun.objects.select_for_update().only("pk", "progress_done").get(pk=run.pk)
    row.progress_done += changed
    row.save(update_fields=["progress_done"])


def as_row(answer: Answer) -> dict[str, Any]:
    """An answer as JSON, for the spool."""
    if isinstance(answer, Reply):
        return {"reply": {**asdict(answer), "cost_usd": str(answer.cost_usd), "limits": None}}
    kept = ("kind", "category", "retry_after", "raw", "request_id", "model", "lost")
    fields = {name: getattr(answer, name) for name in kept}
    return {"error": {**fields, "message": str(answer), "cost_usd": str(answer.cost_usd), "tokens": asdict(answer.tokens)}}


def of_row(row: dict[str, Any]) -> Answer:
    kind = "reply" if "reply" in row else "error"
    fields = {**row[kind], "cost_usd": Decimal(row[kind]["cost_usd"]), "tokens": Tokens(**row[kind]["tokens"])}
    return Reply(**fields) if kind == "reply" else OracleError(**fields)


def spool_of(shard: LabelingShard) -> Spool:
    return Spool(settings.VAR / "spool" / str(shard.pk))


def recover(run: LabelingRun, shard: LabelingShard, spool: Spool) -> None:
    """Put in order what an earlier worker left of a shard that was just claimed."""
    replay(run, shard, spool)
    budget.book_lost(run, shard)


def adopt(run: LabelingRun, pk: int) -> None:
    """Close a shard of this run whose worker died: its articles are anybody's, and its money is free again."""
    shard = LabelingShard.objects.claim(pk)
    if shard is not None:
        recover(run, shard, spool_of(shard))
        shard.finish()


def replay(run: LabelingRun, shard: LabelingShard, spool: Spool) -> int:
    """Settle what an earlier worker had received and could not store; returns how many calls."""
    rows = {row["key"]: of_row(row) for row in spool.left()}
    answers = Answers(run)
    asks = answers.load(rows)
    settled = settle(run, [answers.outcome(ask, rows[key]) for key, ask in asks.items()], shard) if asks else None
    spool.clear()
    return settled.calls if settled else 0
