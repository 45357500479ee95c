"""What the three APIs have in common: admit, remember, answer, bill; each API only words it."""

import asyncio
import itertools
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil
from re import Match, Pattern
from typing import Any, Protocol

from tests.fakes.vendor import answers
from tests.fakes.vendor.answers import Answer, Asked
from tests.fakes.vendor.http import Reply, Request
from tests.fakes.vendor.ledger import Entry, cost
from tests.fakes.vendor.state import Bucket, Fault, State

KEY = "test-key"
# Names of faults that are an error reply; each API has its own words and numbers for them.
ERRORS = ("400", "401", "402", "404", "413", "429", "500", "529", "context", "spend_limit")
Route = tuple[str, Pattern[str], Callable[[Request, Match[str]], Awaitable[Reply]]]


class Refused(Exception):
    """The request isn't taken: `name` is one of ERRORS, or a name that the API itself knows."""

    def __init__(self, name: str, message: str, retry_after: str = ""):
        super().__init__(message)
        self.name, self.message, self.retry_after = name, message, retry_after


class Api(Protocol):
    name: str
    routes: list[Route]

    def render(self, asked: Asked, said: Answer, request_id: str) -> dict[str, Any]: ...

    def error(self, name: str, message: str, request_id: str, retry_after: str) -> Reply: ...

    def headers(self, request_id: str, limits: dict[str, Bucket]) -> dict[str, str]: ...


def body_of(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body or b"{}")
    except ValueError:
        raise Refused("400", "The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise Refused("400", "The body is not an object.")
    return body


def reply_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(value, ensure_ascii=False).encode(), headers or {})


@dataclass
class Core:
    state: State

    def __post_init__(self) -> None:
        self._numbers, self._prefix = itertools.count(1), secrets.token_hex(4)

    def new_id(self) -> str:
        return f"{self._prefix}{next(self._numbers):010d}"

    async def ask(self, api: Api, request: dict[str, Any], asked: Asked) -> Reply:
        """One request for one article, taken and answered, or failed as the script says."""
        self._admit(asked)
        fault = self.state.next_fault(asked.article, asked.article_hash)
        self.state.accept(request, fault)
        if fault and fault.name in ERRORS:
            raise Refused(fault.name, f"scripted {fault.name}", fault.retry_after)
        said = answers.answer(asked, self.state, fault)
        if "output" in self.state.limits:
            self.state.limits["output"].take(said.tokens.output)
        request_id = f"req_{self.new_id()}"
        entry = self.entry(api.name, asked, said, request_id, fault)
        self.state.ledger.append(entry)
        await self._work(entry, self.state.seconds + (fault.seconds if fault else 0.0))
        body = json.dumps(api.render(asked, said, request_id), ensure_ascii=False).encode()
        reply = Reply(200, body, api.headers(request_id, self.state.limits), [entry])
        if fault and fault.name in WIRE:
            entry.delivered, reply.entries = False, []
            WIRE[fault.name](reply)
        return reply

    def _admit(self, asked: Asked) -> None:
        size = answers.count(asked.system + asked.user + "".join(asked.turns))
        if wait := self.state.admit({"requests": 1, "input": size, "output": 1}):
            self.state.counts["limited"] += 1
            raise Refused("429", "This request would exceed your organization's rate limit.", str(ceil(wait)))

    def entry(self, api: str, asked: Asked, said: Answer, request_id: str, fault: Fault | None, custom_id: str = "") -> Entry:
        """`custom_id`: of a request in a batch, which costs half."""
        batch, wrong = bool(custom_id), fault.name if fault else ""
        price = cost(asked.model, said.tokens, batch=batch)
        about = (api, asked.article_hash, asked.model, said.tokens, price, request_id, batch, custom_id)
        return Entry(*about, fault=wrong, usable=said.usable)

    async def _work(self, entry: Entry, seconds: float) -> None:
        """The model runs to its end, though nobody may be there any more to read what it says."""
        self.state.enter()
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            entry.delivered = False
            raise
        finally:
            self.state.busy -= 1


def _html(reply: Reply) -> None:
    reply.body = b"<html><body>Please log in to the hotel network</body></html>"
    reply.headers["content-type"] = "text/html"


def _other_json(reply: Reply) -> None:
    reply.body = b'{"status": "ok"}'


def _truncated_json(reply: Reply) -> None:
    reply.body = reply.body[:80]


def _drop(reply: Reply) -> None:
    reply.drop = "before"


def _drop_middle(reply: Reply) -> None:
    reply.drop = "middle"


# What goes wrong on the way, after the model was paid: whatever arrives, it isn't the answer.
WIRE = {
    "html": _html,
    "other_json": _other_json,
    "truncated_json": _truncated_json,
    "drop": _drop,
    "drop_middle": _drop_middle,
}
