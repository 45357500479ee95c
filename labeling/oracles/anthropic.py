"""Claude, asked through Anthropic's SDK. Pure: no Django, no tables.

The SDK's own retries are off: it would sleep out a retry-after of an hour inside the call and nobody would see it.
What a call cost is read before anything else of its answer is, so a refused or cut answer is still in the books.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Sequence
from contextlib import aclosing, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import anthropic
import httpx2
from anthropic.types.messages import MessageBatch

from labeling.oracles import claude
from labeling.oracles.base import BatchLimits, BatchStatus, OracleError, Question, Reply, Result, Tokens
from labeling.oracles.params import MAX_TOKENS, ROOM, check, one_of
from labeling.oracles.pool import Lanes, lines
from labeling.oracles.prices import Prices
from labeling.oracles.wire import was_sent

RULES = {"effort": one_of("low", "medium", "high", "xhigh", "max"), "max_tokens": ROOM}
OVERHEAD_TOKENS = 2_000  # what the provider adds around our text: frame, schema, instructions for the format
CONCURRENCY = 400  # the shared rate is the limit; this is only so many sockets
SDK = f"anthropic {anthropic.__version__}"
BATCHES = "/v1/messages/batches"
BATCH_SECONDS = 600.0  # for a batch of some 20 MB to arrive and be checked
PAGE = 100
CLOCKS = timedelta(minutes=5)  # by which ours and theirs may differ
LATEST = timedelta(hours=1)  # a batch that is made later than this after its submit is another one
IN_DOUBT_SECONDS = 60.0

log = logging.getLogger(__name__)


class AnthropicOracle:
    """`params`: max_tokens (thinking included) and effort. There is no temperature any more: repeatability is measured."""

    provider = "anthropic"
    batch_limits: BatchLimits | None = BatchLimits()  # the provider's own: 100,000 requests or 256 MB

    def __init__(
        self,
        model: str,
        params: dict[str, Any],
        *,
        api_key: str,
        base_url: str,
        prices: Prices,
        timeout: float = 120.0,
        concurrency: int = CONCURRENCY,
    ):
        if not api_key:
            raise OracleError("auth", "ANTHROPIC_API_KEY is not set; set it and resume the run.")
        check(params, RULES)
        self.model, self.params, self.concurrency = model, params, concurrency
        self._prices, self._timeout = prices, timeout
        self._cache_from = claude.cache_minimum(model)
        self._client = anthropic.AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            timeout=timeout,
            http_client=Lanes(timeout, concurrency),
            open_telemetry=False,  # articles leave for the provider and for nobody else
        )
        self.notice = claude.retirement(model)
        if self.notice:
            log.warning("%s", self.notice)

    def worst_cost(self, question: Question, *, batch: bool = False) -> Decimal:
        """A token is at least one byte, so bytes bound the input; the output is bounded by max_tokens."""
        size, output = question.size + OVERHEAD_TOKENS, self._room(question)
        written = len(question.system.encode()) if not batch and self._cached(question) else 0
        return self._prices.cost(Tokens(fresh=size - written, cache_write=written, output=output), batch)

    def _room(self, question: Question) -> int:
        """Output tokens allowed: twice as many each time an answer was cut off."""
        return min(self.params["max_tokens"] * 2**question.room, MAX_TOKENS)

    def _cached(self, question: Question) -> bool:
        """Whether the system part may be long enough to be kept by the provider; the usage says whether it was."""
        return len(question.system) // claude.SHORTEST_TOKEN >= self._cache_from

    async def ask(self, question: Question) -> Reply:
        start = time.monotonic()
        with self._known_failures():
            async with asyncio.timeout(self._timeout):  # the client's own is for each piece of the answer
                response = await self._client.messages.with_raw_response.create(**self._request(question))
                body = await response.read()
        return claude.reply(_loads(body), self._prices, response.headers, seconds=time.monotonic() - start, sdk=SDK)

    def _request(self, question: Question, *, batch: bool = False) -> dict[str, Any]:
        """The parts of a batch don't see what the others wrote into the cache, so there it would only cost."""
        system: Any = question.system
        if not batch and self._cached(question):
            system = [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]
        output: dict[str, Any] = {"format": {"type": "json_schema", "schema": question.schema}}
        if "effort" in self.params:
            output["effort"] = self.params["effort"]
        said = (question.user, *question.turns)
        return {
            "model": self.model,
            "max_tokens": self._room(question),
            "system": system,
            "messages": [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)],
            "output_config": output,
        }

    async def count_tokens(self, question: Question) -> int | None:
        request = self._request(question)
        del request["max_tokens"]
        with self._known_failures(billed=False):
            return (await self._client.messages.count_tokens(**request)).input_tokens

    async def probe(self) -> str:
        """The model's entry says whether it is on its way out; one token of an answer, that the key may use it."""
        leaving = await self._lifecycle()
        hello: Any = [{"role": "user", "content": "Say yes."}]
        with self._known_failures():
            said = await self._client.messages.create(model=self.model, max_tokens=1, messages=hello)
        cost = self._prices.cost(claude.usage(said.model_dump()))
        return f"Anthropic answers as {said.model}; asking cost ${cost:.7f}. {leaving}".rstrip()

    async def _lifecycle(self) -> str:
        """A gateway may have no list of models; then the message that follows tells whether this one is there."""
        try:
            with self._known_failures(billed=False):
                entry = await self._client.models.retrieve(self.model)
        except OracleError as error:
            if error.kind != "request":
                raise
            return self.notice
        return claude.lifecycle(entry)

    async def submit(self, marker: str, questions: Sequence[Question]) -> str:
        """The body is put together here: the SDK would copy every value of every request first."""
        content = await asyncio.to_thread(self._lines, questions)
        with self._known_failures():
            made = await self._client.post(BATCHES, cast_to=MessageBatch, content=content, options={"timeout": BATCH_SECONDS})
        if not isinstance(made, MessageBatch) or not made.id:
            raise claude.broken()
        return made.id

    def _lines(self, questions: Sequence[Question]) -> bytes:
        each = ({"custom_id": question.key, "params": self._request(question, batch=True)} for question in questions)
        return b'{"requests": [' + b",\n".join(json.dumps(one, ensure_ascii=False).encode() for one in each) + b"]}"

    async def find(self, marker: str, *, keys: Collection[str], since: datetime, known: Collection[str]) -> str | None:
        """A batch has no name here: it is told by its size, its age and, once it has ended, by a key in its results."""
        under_way = []
        async for batch in self._made_since(since - CLOCKS):
            counted = _total(batch) == len(keys) and batch.created_at < since + LATEST
            if batch.id in known or not counted:
                continue
            if batch.processing_status != "ended":
                under_way.append(batch.id)
            elif await self._first_key(batch.id) in keys:
                return batch.id
        if len(under_way) > 1:
            why = f"Which of {len(under_way)} batches is ours can't be told until they have ended."
            raise OracleError("server", why, retry_after=IN_DOUBT_SECONDS)
        return under_way[0] if under_way else None

    async def _made_since(self, start: datetime) -> AsyncIterator[MessageBatch]:
        """Newest first, as they are listed."""
        with self._known_failures(billed=False):
            async for batch in self._client.messages.batches.list(limit=PAGE):
                if batch.created_at < start:
                    return
                yield batch

    async def _first_key(self, batch_id: str) -> str | None:
        async with aclosing(self._result_lines(batch_id)) as found:
            async for line in found:
                return str(line.get("custom_id"))
        return None

    async def poll(self, batch_id: str) -> BatchStatus:
        with self._known_failures(billed=False):
            batch = await self._client.messages.batches.retrieve(batch_id)
        return BatchStatus(batch.processing_status == "ended", _total(batch) - batch.request_counts.processing)

    async def results(self, batch_id: str) -> AsyncIterator[Result]:
        """A file that ends early is an error: what is missing in it would look unbilled."""
        with self._known_failures(billed=False):
            expected = _total(await self._client.messages.batches.retrieve(batch_id))
        count = 0
        async with aclosing(self._result_lines(batch_id)) as found:
            async for line in found:
                count += 1
                yield claude.result(line, self._prices, self.model, SDK)
        if count < expected:
            raise claude.broken(f"{count} of {expected} results came.")

    async def _result_lines(self, batch_id: str) -> AsyncGenerator[dict[str, Any]]:
        """Read at the address that was checked, whatever results_url says; one line in memory at a time."""
        with self._known_failures(billed=False):
            path, stream = f"{BATCHES}/{batch_id}/results", anthropic.AsyncStream[Any]
            response = await self._client.get(path, cast_to=httpx2.Response, stream=True, stream_cls=stream)
            assert isinstance(response, httpx2.Response)
            try:
                async for line in lines(response.aiter_bytes()):
                    yield json.loads(line)
            finally:
                await response.aclose()

    async def cancel(self, batch_id: str) -> None:
        try:
            with self._known_failures(billed=False):
                await self._client.messages.batches.cancel(batch_id)
        except OracleError as error:
            if error.kind != "request":  # it has ended meanwhile
                raise

    async def aclose(self) -> None:
        await self._client.close()

    @contextmanager
    def _known_failures(self, *, billed: bool = True) -> Iterator[None]:
        """Whatever goes wrong on the way, as an OracleError. `billed`: whether what is asked for here costs anything."""
        try:
            yield
        except (anthropic.AnthropicError, httpx2.HTTPError, TimeoutError, ValueError) as error:
            known = self._known(error)
            known.lost = known.lost and billed
            raise known from None

    def _known(self, error: Exception) -> OracleError:
        if isinstance(error, anthropic.APIStatusError):
            return claude.refused(error, self.model)
        if isinstance(error, anthropic.APIConnectionError):
            return claude.unreachable(was_sent(error))
        return claude.unreachable(sent=True) if isinstance(error, TimeoutError) else claude.broken()


def _total(batch: MessageBatch) -> int:
    counts = batch.request_counts
    return counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired


def _loads(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise claude.broken(body.decode(errors="replace")) from None
