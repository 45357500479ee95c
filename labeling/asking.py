"""A claimed labelling run at work: take a handful of articles, reserve, ask, settle; in several lanes at once.

One path for free and for paid oracles: they differ in how many questions make a handful (`oracle.chunk`) and how many
lanes there are (`oracle.concurrency`). Tables are only touched from the thread that called `work`; each handful is
settled in one transaction, so a killed worker leaves whole handfuls behind and the next one goes on from there.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction

from distillery_site.common.errors import DistilleryError
from labeling import budget, prompts
from labeling.budget import dollars
from labeling.models import LabelingItem, LabelingRun, OracleLabel
from labeling.oracles.base import ZERO, Judgement, Oracle, OracleError, Question, retry_after, usd

BEAT_SECONDS = 2.0
State = LabelingItem.State


@dataclass(frozen=True)
class Ask:
    """One item's question on its way, and what is reserved for it."""

    item: LabelingItem
    question: Question
    request_hash: str
    reserved: Decimal

    def again(self, oracle: Oracle) -> "Ask":
        question = self.question.again()
        return replace(self, question=question, reserved=usd(oracle.worst_cost(question)))


Reply = tuple[Ask, Judgement | OracleError]


@dataclass
class Settled:
    """What one handful of replies came to."""

    labels: list[OracleLabel] = field(default_factory=list)
    states: dict[State, list[int]] = field(default_factory=dict)
    failed: list[LabelingItem] = field(default_factory=list)
    again: list[Ask] = field(default_factory=list)
    wait: float = 0.0
    cost: Decimal = ZERO
    lost: Decimal = ZERO

    def put(self, state: State, item: LabelingItem) -> None:
        self.states.setdefault(state, []).append(item.pk)

    @property
    def finished(self) -> int:
        return sum(len(items) for state, items in self.states.items() if state != State.WAITING) + len(self.failed)


class Asking:
    def __init__(self, run: LabelingRun, oracle: Oracle):
        self.run, self.oracle, self.version = run, oracle, run.version
        self.last = 0  # items up to this one were taken
        self.turned_back: deque[Ask] = deque()  # taken, but there was no money for them
        self.out = 0  # questions whose replies are not settled yet
        self.shaky = False  # the last thing heard of the provider was a failure of its own
        self.stop: DistilleryError | None = None

    def work(self) -> None:
        """Until nothing waits. Raises what stopped it: Cancelled, LeaseLost, OverBudget or an OracleError."""
        async_to_sync(self._work)()
        if self.stop is not None:
            raise self.stop

    async def _work(self) -> None:
        pulse = asyncio.create_task(self._pulse())
        try:
            async with asyncio.TaskGroup() as lanes:
                for _ in range(self.oracle.concurrency):
                    lanes.create_task(self._lane())
        finally:
            pulse.cancel()
            await asyncio.gather(pulse, return_exceptions=True)
            await self.oracle.aclose()

    async def _pulse(self) -> None:
        while self.stop is None:
            await asyncio.sleep(BEAT_SECONDS)
            await self._in_db(self.run.beat)

    async def _in_db(self, work: Callable[..., Any], *args: Any) -> Any:
        """Run `work` in the caller's thread; what goes wrong in a known way stops all lanes."""
        try:
            return await sync_to_async(work)(*args)
        except DistilleryError as error:
            self.stop = self.stop or error
            return None

    async def _lane(self) -> None:
        while self.stop is None and (asks := await self._in_db(self._take)):
            while asks:
                replies = await asyncio.gather(*(self._ask(ask) for ask in asks))
                settled = await self._in_db(self._settle, replies)
                asks = await self._ask_again(settled) if settled else []

    async def _ask(self, ask: Ask) -> Reply:
        try:
            return ask, await self.oracle.judge(ask.question)
        except OracleError as error:
            return ask, error

    async def _ask_again(self, settled: Settled) -> list[Ask]:
        if not settled.again:
            return []
        await asyncio.sleep(settled.wait)
        return await self._in_db(self._hold, settled.again) or [] if self.stop is None else []

    def _take(self) -> list[Ask]:
        """The next handful with money behind it; empty when all is done, or when other lanes hold what money is left."""
        while asks := self._turned_back() or self._next():
            if held := self._hold(asks):
                return held
            if self.out:
                return []
            raise budget.OverBudget(self._cap_sentence(min(ask.reserved for ask in asks)))
        return []

    def _cap_sentence(self, need: Decimal) -> str:
        run = self.run
        run.refresh_from_db(fields=budget.MONEY)
        return (
            f"The cap of {dollars(run.budget_usd)} is reached: {dollars(run.cost_usd)} paid, {dollars(run.lost_usd)} booked for "
            f"replies that never came, and the next call could cost {dollars(need)}. Raise the cap and resume."
        )

    def _turned_back(self) -> list[Ask]:
        return [self.turned_back.popleft() for _ in range(min(self.oracle.chunk, len(self.turned_back)))]

    def _hold(self, asks: list[Ask]) -> list[Ask]:
        """Those that could be paid for; the others wait in `turned_back`."""
        fits = budget.reserve(self.run, {ask.item.pk: ask.reserved for ask in asks})
        self.turned_back.extend(ask for ask in asks if ask.item.pk not in fits)
        held = [ask for ask in asks if ask.item.pk in fits]
        self.out += len(held)
        return held

    def _next(self) -> list[Ask]:
        """The next items that nobody has answered yet, as questions."""
        waiting = self.run.items.filter(state=State.WAITING).select_related("article").order_by("pk")
        while items := list(waiting.filter(pk__gt=self.last)[: self.oracle.chunk]):
            self.last = items[-1].pk
            if asks := self._unanswered(items):
                return asks
        return []

    def _unanswered(self, items: list[LabelingItem]) -> list[Ask]:
        hashes = {item.pk: self._request_hash(item) for item in items}
        labels = OracleLabel.objects.filter(version=self.version, article__in=[item.article_id for item in items])
        stored = set(labels.filter(request_hash__in=hashes.values()).values_list("request_hash", flat=True))
        answered = [item.pk for item in items if hashes[item.pk] in stored]
        if answered:
            self._mark_stored(answered)
        return [self._question(item, hashes[item.pk]) for item in items if hashes[item.pk] not in stored]

    def _request_hash(self, item: LabelingItem) -> str:
        return OracleLabel.request_hash_of(item.article.text_sha256, self.version, self.run.oracle, self.run.reading)

    @transaction.atomic
    def _mark_stored(self, items: list[int]) -> None:
        row = budget.lock(self.run)
        row.items.filter(pk__in=items).update(state=State.STORED)
        row.progress_done += len(items)
        row.save(update_fields=["progress_done"])

    def _question(self, item: LabelingItem, request_hash: str) -> Ask:
        article = item.article
        text = article.rendered(self.version.view)
        system, user, schema = prompts.build(self.version.dimensions, self.version.prompt, text)
        question = Question(
            article_key=f"{article.source}:{article.external_id}",
            text=text,
            system=system,
            user=user,
            schema=schema,
            keys=tuple(self.version.keys),
            reading=self.run.reading,
        )
        return Ask(item, question, request_hash, usd(self.oracle.worst_cost(question)))

    def _settle(self, replies: list[Reply]) -> Settled:
        settled = Settled()
        for ask, answer in replies:
            self._sort(settled, ask, answer)
        with transaction.atomic():
            self._store(settled, replies)
        self.out -= len(replies)
        return settled

    def _sort(self, settled: Settled, ask: Ask, answer: Judgement | OracleError) -> None:
        """Decide what becomes of one item, and what its call cost."""
        settled.cost += usd(answer.cost_usd)
        if isinstance(answer, Judgement):
            self.shaky = False
            settled.labels.append(self._label(ask, answer))
            settled.put(State.LABELLED, ask.item)
            return
        settled.lost += ask.reserved if answer.lost else ZERO
        wait = retry_after(answer, ask.question.attempt)
        if answer.kind == "absent":
            settled.put(State.ABSENT, ask.item)
        elif wait is not None:
            settled.put(State.WAITING, ask.item)
            settled.again.append(ask.again(self.oracle))
            settled.wait = max(settled.wait, wait)
        elif self._is_about_everyone(answer):
            settled.put(State.WAITING, ask.item)
            self.stop = self.stop or answer
        else:
            item = ask.item
            item.state, item.reserved_usd, item.error_class = State.FAILED, None, answer.label[:40]
            item.error, item.raw_answer = str(answer), answer.raw.replace("\x00", "")
            settled.failed.append(item)

    def _is_about_everyone(self, error: OracleError) -> bool:
        """Whether the whole run should stop rather than this one article fail.

        A server error that stays is this article's the first time; a second one without a success between is an outage.
        """
        outage = error.kind == "server" and self.shaky
        self.shaky = error.kind == "server"
        return error.pauses_run or error.kind in ("rate", "network") or outage

    def _label(self, ask: Ask, answer: Judgement) -> OracleLabel:
        run, article, version = self.run, ask.item.article, self.version
        return OracleLabel(
            run=run,
            version=version,
            article=article,
            oracle=run.oracle,
            reading=run.reading,
            scores=list(answer.scores),
            reasoning=answer.reasoning,
            raw_answer=answer.raw.replace("\x00", ""),
            flags=list(answer.flags),
            text_sha256=article.text_sha256,
            rubric_hash=version.rubric_hash,
            request_hash=ask.request_hash,
            request_id=answer.request_id[:120],
            response_model=answer.model[:120],
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            cost_usd=usd(answer.cost_usd),
            seconds=answer.seconds,
        )

    def _store(self, settled: Settled, replies: list[Reply]) -> None:
        row = budget.lock(self.run)
        OracleLabel.objects.bulk_create(settled.labels, ignore_conflicts=True)  # another run may have been faster
        for state, items in settled.states.items():
            row.items.filter(pk__in=items).update(state=state, reserved_usd=None)
        LabelingItem.objects.bulk_update(settled.failed, ["state", "reserved_usd", "error_class", "error", "raw_answer"])
        reserved = sum((ask.reserved for ask, _ in replies), ZERO)
        if passed := budget.charge(row, reserved=reserved, cost=settled.cost, lost=settled.lost):
            self.stop = self.stop or budget.OverBudget(passed)
        row.progress_done += settled.finished
        row.attempts = 0 if settled.finished else row.attempts  # only starts without progress count
        row.save(update_fields=[*budget.MONEY, "progress_done", "attempts"])
        self.run.attempts = row.attempts
