"""Chat completions through OpenAI's SDK: OpenAI itself, or any server that speaks like it (vLLM, Ollama). Pure.

A request is one dictionary in the API's own words, whether it is sent alone or as a line of a batch. Servers that don't
know all of them say so once, for free, and are then asked in simpler ones.
"""

import asyncio
import io
import ipaddress
import json
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import httpx2
import openai
from openai.types import Batch

from distillery_site.common.errors import BadInput
from labeling.oracles import openai_replies as replies
from labeling.oracles import params as rules
from labeling.oracles.base import NO_MODEL, BatchLimits, BatchStatus, OracleError, Question, Reply, Result, Tokens
from labeling.oracles.pool import Lanes, lines
from labeling.oracles.prices import Prices
from labeling.oracles.wire import was_sent

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
RULES = {
    "max_tokens": rules.ROOM,
    "temperature": rules.number(0, 2),
    "seed": rules.whole(-(2**63), 2**63 - 1),
    "reasoning_effort": rules.one_of(*EFFORTS),
    "host": rules.Rule(lambda value: isinstance(value, str) and bool(value), "the host that this oracle is asked at"),
}
SENT = ("temperature", "seed", "reasoning_effort")
OVERHEAD_TOKENS = 2_000  # what the provider adds around our text: frame, schema, instructions for the format
CONCURRENCY = 64
PAGE = 100
SDK = f"openai {openai.__version__}"
ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
ENDED = {"completed", "failed", "expired", "cancelled"}
IN_WORDS = "Answer with one JSON object that fits this JSON schema, and with nothing else:"
UNKNOWN = ("unsupported", "not support", "unrecognized", "unknown", "unexpected", "extra", "not permitted", "not allowed")


@dataclass
class Dialect:
    """What the server understands: a schema, or only that JSON is wanted; and what it calls the limit of an answer."""

    schema: bool = True
    room: str = "max_completion_tokens"

    def learn(self, used: "Dialect", said: str) -> bool:
        """Take from a refusal what it can't do; False where `used` has nothing to do with it."""
        if used.schema and ("response_format" in said or "json_schema" in said) and "invalid schema" not in said:
            self.schema = False
        elif used.room != "max_tokens" and used.room in said and any(word in said for word in UNKNOWN):
            self.room = "max_tokens"
        else:
            return False
        return True


class OpenAIOracle:
    """`params`: max_tokens (thoughts included) and, where set, temperature, seed, reasoning_effort.

    `host` among them names a server that isn't OpenAI's: the same model's name elsewhere is another judge.
    """

    provider = "openai"
    batch_limits: BatchLimits | None = BatchLimits()  # OpenAI takes 50,000 requests and 200 MB
    notice = ""

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
        if not api_key and not _is_loopback(base_url):
            raise OracleError("auth", "OPENAI_API_KEY is not set; set it and resume the run.")
        _check_params(params, base_url)
        self.model, self.params, self.concurrency = model, params, concurrency
        self._prices, self._timeout, self._dialect = prices, timeout, Dialect()
        self._client = openai.AsyncOpenAI(
            api_key=api_key or "none",  # a server of one's own asks for none
            base_url=base_url,
            max_retries=0,
            timeout=timeout,
            http_client=Lanes(timeout, concurrency),
        )

    def worst_cost(self, question: Question, *, batch: bool = False) -> Decimal:
        """A token is at least one byte, so bytes bound the input; the output is bounded by max_tokens, thoughts included."""
        return self._prices.cost(Tokens(cache_write=_most(question), output=self._room(question)), batch)

    def _room(self, question: Question) -> int:
        """Output tokens allowed: twice as many each time an answer was cut off."""
        return min(self.params["max_tokens"] * 2**question.room, rules.MAX_TOKENS)

    async def ask(self, question: Question) -> Reply:
        start = time.monotonic()
        with self._known_failures():
            async with asyncio.timeout(self._timeout):  # the client's own is for each piece of the answer
                response = await self._post(question)
        return replies.reply(
            _loads(response.content),
            self._prices,
            response.headers,
            seconds=time.monotonic() - start,
            sdk=SDK if self._dialect.schema else f"{SDK}, schema in words",
            unsaid=Tokens(fresh=_most(question), output=self._room(question)),
        )

    async def _post(self, question: Question) -> httpx2.Response:
        """Through the SDK, but for its models of request and reply, which take as long as all the rest."""
        while True:
            used = replace(self._dialect)
            try:
                body = self._request(question, used)
                return await self._client.post("/chat/completions", cast_to=httpx2.Response, body=body)
            except openai.APIStatusError as error:
                known = replies.refused(error, self.model)
                if known.kind != "request" or not self._dialect.learn(used, known.raw.lower()):
                    raise known from None

    def _request(self, question: Question, dialect: Dialect) -> dict[str, Any]:
        system = question.system
        form: dict[str, Any] = {"type": "json_object"}
        if dialect.schema:
            schema = {"name": "judgement", "schema": question.schema, "strict": True}
            form = {"type": "json_schema", "json_schema": schema}
        else:
            system = f"{system}\n\n{IN_WORDS}\n{json.dumps(question.schema)}"
        said = (question.user, *question.turns)
        turns = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)]
        return {
            "model": self.model,
            "messages": [{"role": "system", "content": system}, *turns],
            "response_format": form,
            dialect.room: self._room(question),
            **{name: self.params[name] for name in SENT if name in self.params},
        }

    async def count_tokens(self, question: Question) -> int | None:
        return None  # there is no such call

    async def probe(self) -> str:
        with self._known_failures(billed=False):
            names = [model.id async for model in self._client.models.list()]
        if self.model not in names and f"{self.model}:latest" not in names:
            raise OracleError("request", f"The server answers, but has no model {self.model} for this key.", category=NO_MODEL)
        return f"The server answers and has {self.model}."

    async def submit(self, marker: str, questions: Sequence[Question]) -> str:
        with self._known_failures(billed=False):  # a file alone costs nothing
            file = await self._client.files.create(file=(f"{marker}.jsonl", self._lines(questions)), purpose="batch")
            file_id = file.id
        with self._known_failures():
            batch = await self._client.batches.create(
                input_file_id=file_id, endpoint=ENDPOINT, completion_window="24h", metadata={"marker": marker}
            )
            return batch.id

    def _lines(self, questions: Sequence[Question]) -> io.BytesIO:
        file = io.BytesIO()
        for question in questions:
            request = self._request(question, self._dialect)
            line = {"custom_id": question.key, "method": "POST", "url": ENDPOINT, "body": request}
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        file.seek(0)
        return file

    async def find(self, marker: str, *, keys: Collection[str], since: datetime, known: Collection[str]) -> str | None:
        with self._known_failures(billed=False):
            async for batch in self._client.batches.list(limit=PAGE):
                if (batch.metadata or {}).get("marker") == marker and batch.id not in known:
                    return batch.id
        return None

    async def poll(self, batch_id: str) -> BatchStatus:
        with self._known_failures(billed=False):
            batch = await self._client.batches.retrieve(batch_id)
            failed = _why(batch) if batch.status == "failed" else ""
            return BatchStatus(batch.status in ENDED, _done(batch), failed)

    async def results(self, batch_id: str) -> AsyncIterator[Result]:
        """What was answered is in one file, what failed in another; what was never begun may be in none.

        Files that end early are an error: what is missing in them would look unbilled.
        """
        count = 0
        with self._known_failures(billed=False):
            batch = await self._client.batches.retrieve(batch_id)
            for file_id in (batch.output_file_id, batch.error_file_id):
                if file_id:
                    async with self._client.files.with_streaming_response.content(file_id) as response:
                        async for line in lines(response.iter_bytes()):
                            count += 1
                            yield replies.batch_line(_loads(line, lost=False), self._prices, self.model, SDK)
        if batch.status == "completed" and count < _done(batch):
            raise replies.cut_short(count, _done(batch))

    async def cancel(self, batch_id: str) -> None:
        try:
            with self._known_failures(billed=False):
                await self._client.batches.cancel(batch_id)
        except OracleError:
            if not (await self.poll(batch_id)).ended:
                raise

    async def aclose(self) -> None:
        await self._client.close()

    @contextmanager
    def _known_failures(self, *, billed: bool = True) -> Iterator[None]:
        """Whatever goes wrong on the way, as an OracleError; `billed`: a reply that was lost may cost money."""
        try:
            yield
        except (openai.OpenAIError, httpx2.HTTPError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            known = self._known(error)
            known.lost = known.lost and billed
            raise known from None

    def _known(self, error: Exception) -> OracleError:
        if isinstance(error, openai.APIStatusError):
            return replies.refused(error, self.model)
        if isinstance(error, (openai.APIConnectionError, httpx2.HTTPError, OSError)):
            return replies.unreachable(was_sent(error))
        return replies.broken(str(error))


def _is_loopback(url: str) -> bool:
    host = httpx2.URL(url).host
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_params(params: dict[str, Any], base_url: str) -> None:
    rules.check(params, RULES)
    host = rules.host_of(base_url)
    if params.get("host", host) != host:
        raise BadInput(f"This oracle is the one at {params['host']}, but OPENAI_BASE_URL leads to {host}.")


def _most(question: Question) -> int:
    """Tokens that go in, at most."""
    return question.size + OVERHEAD_TOKENS


def _done(batch: Batch) -> int:
    return batch.request_counts.completed + batch.request_counts.failed if batch.request_counts else 0


def _why(batch: Batch) -> str:
    problems = (batch.errors and batch.errors.data) or []
    said = [f"{each.message or each.code}{f' (line {each.line})' if each.line else ''}" for each in problems[:3]]
    return f"The provider did not take the batch: {'; '.join(said) or 'it gave no reason.'}"


def _loads(body: bytes, *, lost: bool = True) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise replies.broken(body.decode(errors="replace"), lost=lost) from None
