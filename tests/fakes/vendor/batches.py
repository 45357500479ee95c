"""Batches of all three APIs: made, worked off in the background, ended after so many looks, billed where they succeeded."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.vendor import answers
from tests.fakes.vendor.answers import Answer, Asked
from tests.fakes.vendor.core import ERRORS, Core, Refused
from tests.fakes.vendor.http import Reply
from tests.fakes.vendor.ledger import Entry
from tests.fakes.vendor.state import Fault

SLICE = 50  # requests worked off before others get their turn
ENDS = ("errored", "expired", "canceled")


@dataclass(frozen=True)
class Item:
    """One request of a batch; `refused` names the error where the API does not take it, which only its result says."""

    custom_id: str
    asked: Asked | None
    refused: str = ""
    why: str = "scripted"


@dataclass
class Result:
    """kind: succeeded | errored | expired | canceled."""

    custom_id: str
    kind: str
    line: bytes
    entry: Entry | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one request; `error` names one of ERRORS."""

    item: Item
    kind: str
    said: Answer | None = None
    request_id: str = ""
    error: str = ""


Wording = Callable[[Outcome], dict[str, Any]]  # a result in the API's words


@dataclass
class Batch:
    """`name`: what the client called it. `fate`: "", or "failed" or "expired" for the batch as a whole."""

    id: str
    api: str
    model: str
    name: str
    count: int
    polls: int
    fate: str = ""
    created: float = field(default_factory=time.time)
    results: list[Result] = field(default_factory=list)
    worked_off: bool = False
    cancelled: float | None = None
    ended: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> Counter[str]:
        """As the APIs count: all are in work until the batch has ended."""
        if self.ended is None:
            return Counter(processing=self.count)
        return Counter(result.kind for result in self.results)


class Batches:
    def __init__(self, core: Core):
        self._core, self._state = core, core.state
        self.known: dict[str, Batch] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def create(self, batch: Batch, items: list[Item], word: Wording) -> str:
        """The name of what went wrong with the hand-over, or nothing. A lost one is made all the same."""
        fault = self._state.next_fault("", "", "submit_")
        name = fault.name.removeprefix("submit_") if fault else ""
        if fault and name in ERRORS:
            raise Refused(name, f"scripted {name}", fault.retry_after)
        if name == "drop":
            return name
        batch.fate = {"batch_failed": "failed", "batch_expired": "expired"}.get(name, "")
        self.known[batch.id] = batch
        self._state.counts["batches"] += 1
        task = asyncio.ensure_future(self._work_off(batch, items, word))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return name

    async def _work_off(self, batch: Batch, items: list[Item], word: Wording) -> None:
        for start in range(0, len(items), SLICE):
            batch.results += [self._one(batch, item, word) for item in items[start : start + SLICE]]
            await asyncio.sleep(0)
        random.Random(batch.id).shuffle(batch.results)
        batch.worked_off = True

    def _one(self, batch: Batch, item: Item, word: Wording) -> Result:
        request_id = f"req_{self._core.new_id()}"
        asked = item.asked
        if asked is None:
            return worded(Outcome(item, "errored", None, request_id, item.refused), word)
        fault = self._state.next_fault(asked.article, asked.article_hash)
        kind, error = _end(asked, fault, batch, self._state.batch_shares)
        if kind != "succeeded":
            return worded(Outcome(item, kind, None, request_id, error), word)
        said = answers.answer(asked, self._state, fault)
        entry = self._core.entry(batch.api, asked, said, request_id, fault, item.custom_id)
        return worded(Outcome(item, kind, said, request_id), word, entry)

    def look(self, batch: Batch) -> None:
        """One poll, which may be the one that finds it ended."""
        batch.polls -= 1
        if batch.ended is None and batch.worked_off and (batch.polls <= 0 or batch.cancelled):
            batch.ended = time.time()
            self._state.ledger += [result.entry for result in batch.results if result.entry]

    def cancel(self, batch: Batch, word: Wording) -> None:
        """What was not worked on yet, here every other request, is cancelled."""
        if batch.ended or batch.cancelled:
            return
        batch.cancelled = time.time()
        for place, result in enumerate(batch.results):
            if place % 2:
                batch.results[place] = worded(Outcome(Item(result.custom_id, None), "canceled"), word)

    def download(self, batch: Batch, results: list[Result]) -> Reply:
        """JSON lines. With trouble the connection breaks half-way, or before."""
        trouble = self.troubled("results_")
        self._state.downloads.append((batch.id, time.time()))
        sent = results[: len(results) // 2] if trouble == "middle" else results
        return Reply(headers={"content-type": "application/x-jsonl"}, stream=_lines(sent), drop=trouble)

    def troubled(self, stage: str) -> str:
        """What is scripted for this look at a batch or its results: raises it, or says how to drop the connection."""
        fault = self._state.next_fault("", "", stage)
        name = fault.name.removeprefix(stage) if fault else ""
        if fault and name in ERRORS:
            raise Refused(name, f"scripted {name}", fault.retry_after)
        return {"drop": "before", "cut": "middle"}.get(name, "")


def _end(asked: Asked, fault: Fault | None, batch: Batch, shares: dict[str, float]) -> tuple[str, str]:
    """How one request ends, and with which error."""
    if batch.fate:
        return ("expired", "") if batch.fate == "expired" else ("errored", "500")
    if fault and fault.name in ENDS:
        return fault.name, "500"
    if fault and fault.name in ERRORS:
        return "errored", fault.name
    dice = int(asked.article_hash[-8:], 16) / 2**32
    for kind, share in shares.items():
        if dice < share:
            return kind, "500"
        dice -= share
    return "succeeded", ""


def worded(outcome: Outcome, word: Wording, entry: Entry | None = None) -> Result:
    line = json.dumps(word(outcome), ensure_ascii=False).encode()
    return Result(outcome.item.custom_id, outcome.kind, line, entry)


async def _lines(results: list[Result]) -> AsyncIterator[bytes]:
    """An entry counts as delivered once its line was sent."""
    for start in range(0, len(results), SLICE):
        part = results[start : start + SLICE]
        yield b"".join(result.line + b"\n" for result in part)
        for result in part:
            if result.entry:
                result.entry.delivered, result.entry.sent_at = True, time.time()
