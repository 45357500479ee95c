"""Gemini, asked through Google's SDK. Pure: no Django, no tables.

A request is one dictionary in the API's own words, whether it is sent alone or as a line of a batch. Batches go as files:
results come back under their keys then, which inlined ones were seen to lose, and can be read line by line.
"""

import asyncio
import io
import json
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import anyio
import httpx2
from google import genai
from google.genai import errors, types

from distillery_site.common.errors import BadInput
from labeling.oracles import gemini_replies as replies
from labeling.oracles import params as rules
from labeling.oracles.base import BatchLimits, BatchStatus, OracleError, Question, Reply, Result, Tokens
from labeling.oracles.pool import Lanes, trust
from labeling.oracles.prices import Prices
from labeling.oracles.wire import NOT_SENT

LEVELS = ("minimal", "low", "medium", "high", "xhigh")
RULES = {
    "max_tokens": rules.ROOM,
    "temperature": rules.number(0, 2),
    "seed": rules.whole(-(2**31), 2**31 - 1),
    "thinking_level": rules.one_of(*LEVELS),
    "thinking_budget": rules.whole(-1, rules.MAX_TOKENS),  # 0: none, -1: as the model likes
}
OVERHEAD_TOKENS = 2_000  # what the provider adds around our text: frame, schema, instructions for the format
CONCURRENCY = 400  # the shared rate is the limit; this is only so many sockets
PAGE = 100
SDK = f"google-genai {genai.__version__}"
ON_THE_WAY = (httpx2.HTTPError, OSError, anyio.EndOfStream)  # some failures of TLS reach us as they are
ENDED = {"SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"}


class GeminiOracle:
    """`params`: max_tokens (thoughts included) and, where set, temperature, seed, thinking_level or thinking_budget."""

    provider = "gemini"
    batch_limits: BatchLimits | None = BatchLimits()  # a file may hold 2 GB
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
        if not api_key:
            raise OracleError("auth", "GEMINI_API_KEY is not set; set it and resume the run.")
        _check_params(params)
        self.model, self.params, self.concurrency = model, params, concurrency
        self._prices, self._timeout = prices, timeout
        self._http = Lanes(timeout, concurrency)
        self._client = _client(api_key, base_url, timeout, self._http)
        self._ordered: tuple[dict[str, Any], dict[str, Any]] = ({}, {})  # the last schema and what is sent for it

    def worst_cost(self, question: Question, *, batch: bool = False) -> Decimal:
        """A token is at least one byte, so bytes bound the input; the output is bounded by max_tokens, thoughts included."""
        return self._prices.cost(Tokens(fresh=question.size + OVERHEAD_TOKENS, output=self._room(question)), batch)

    def _room(self, question: Question) -> int:
        """Output tokens allowed: twice as many each time an answer was cut off."""
        return min(self.params["max_tokens"] * 2**question.room, rules.MAX_TOKENS)

    async def ask(self, question: Question) -> Reply:
        start = time.monotonic()
        request = self._request(question)
        contents = request.pop("contents")
        with self._known_failures():
            async with asyncio.timeout(self._timeout):  # the client's own is for each piece of the answer
                response = await self._client.aio.models.generate_content(
                    model=self.model, contents=contents, config=_as_it_is(request)
                )
        body = response.sdk_http_response.body if response.sdk_http_response else None
        return replies.reply(_loads(body or ""), self._prices, seconds=time.monotonic() - start, sdk=SDK)

    def _request(self, question: Question) -> dict[str, Any]:
        """GenerateContentRequest."""
        said = (question.user, *question.turns)
        contents = [{"role": ("user", "model")[place % 2], "parts": [{"text": text}]} for place, text in enumerate(said)]
        config: dict[str, Any] = {
            "responseMimeType": "application/json",
            "responseJsonSchema": self._schema(question.schema),
            "maxOutputTokens": self._room(question),
        }
        config |= {name: self.params[name] for name in ("temperature", "seed") if name in self.params}
        if "thinking_level" in self.params:
            config["thinkingConfig"] = {"thinkingLevel": self.params["thinking_level"].upper()}
        if "thinking_budget" in self.params:
            config["thinkingConfig"] = {"thinkingBudget": self.params["thinking_budget"]}
        system = {"parts": [{"text": question.system}]}
        return {"contents": contents, "systemInstruction": system, "generationConfig": config}

    def _schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        if self._ordered[0] is not schema:
            self._ordered = (schema, ordered(schema))
        return self._ordered[1]

    async def count_tokens(self, question: Question) -> int | None:
        """The API counts contents only, so all that costs input is counted as one text."""
        text = "\n".join((question.system, json.dumps(question.schema), question.user, *question.turns))
        with self._known_failures(billed=False):
            return (await self._client.aio.models.count_tokens(model=self.model, contents=text)).total_tokens

    async def probe(self) -> str:
        with self._known_failures(billed=False):
            found = await self._client.aio.models.get(model=self.model)
        return f"Gemini answers and has {found.display_name or self.model}."

    async def submit(self, marker: str, questions: Sequence[Question]) -> str:
        with self._known_failures(billed=False):  # a file alone costs nothing
            config = types.UploadFileConfig(display_name=marker, mime_type="jsonl")
            file = await self._client.aio.files.upload(file=self._lines(questions), config=config)
        with self._known_failures():
            named = types.CreateBatchJobConfig(display_name=marker)
            job = await self._client.aio.batches.create(model=self.model, src=file.name or "", config=named)
        if not job.name:
            raise replies.broken()
        return job.name

    def _lines(self, questions: Sequence[Question]) -> io.BytesIO:
        file = io.BytesIO()
        for question in questions:
            line = {"key": question.key, "request": self._request(question)}
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        file.seek(0)
        return file

    async def find(self, marker: str, *, keys: Collection[str], since: datetime, known: Collection[str]) -> str | None:
        with self._known_failures(billed=False):
            async for job in await self._client.aio.batches.list(config={"page_size": PAGE}):
                if job.display_name == marker and job.name not in known:
                    return job.name
        return None

    async def poll(self, batch_id: str) -> BatchStatus:
        batch = await self._batch(batch_id)
        if batch.state != "FAILED":
            return BatchStatus(batch.state in ENDED, batch.done)
        return BatchStatus(True, batch.done, f"Gemini could not work on the batch: {batch.problem or 'it gave no reason.'}")

    async def _batch(self, batch_id: str) -> replies.Batch:
        """As it came: the SDK's own object leaves out how far the batch is and why it failed."""
        with self._known_failures(billed=False):
            response = await self._client._api_client.async_request("get", batch_id, {})
        return replies.batch(_loads(response.body or "", lost=False))

    async def results(self, batch_id: str) -> AsyncIterator[Result]:
        """None where the batch expired or was cancelled before it wrote any: that costs nothing.

        A file that ends early is an error: what is missing in it would look unbilled.
        """
        batch = await self._batch(batch_id)
        if not batch.results:
            return
        count = 0
        with tempfile.TemporaryFile() as file:
            with self._known_failures(billed=False):
                await self._client.aio.files.download(file=batch.results, destination=file)
            file.seek(0)
            for line in file:
                count += 1
                yield replies.batch_line(_loads(line, lost=False), self._prices, self.model, SDK)
        if batch.state == "SUCCEEDED" and count < batch.done:
            raise replies.cut_short(count, batch.done)

    async def cancel(self, batch_id: str) -> None:
        try:
            with self._known_failures(billed=False):
                await self._client.aio.batches.cancel(name=batch_id)
        except OracleError:
            if not (await self.poll(batch_id)).ended:
                raise

    async def aclose(self) -> None:
        await self._http.aclose()

    @contextmanager
    def _known_failures(self, *, billed: bool = True) -> Iterator[None]:
        """Whatever goes wrong on the way, as an OracleError; `billed`: a reply that was lost may cost money."""
        try:
            yield
        except (errors.APIError, *ON_THE_WAY, ValueError, LookupError, TypeError) as error:
            known = self._known(error)
            known.lost = known.lost and billed
            raise known from None

    def _known(self, error: Exception) -> OracleError:
        if isinstance(error, errors.APIError):
            return replies.refused(error, self.model)
        if isinstance(error, ON_THE_WAY):
            return replies.unreachable(sent=not isinstance(error, NOT_SENT))
        return replies.broken(str(error))


def ordered(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with the order in which an object's properties are to be written: evidence, reasoning, scores."""
    properties = schema.get("properties")
    if not properties:
        return schema
    return {
        **schema,
        "properties": {name: ordered(part) for name, part in properties.items()},
        "propertyOrdering": list(properties),
    }


def _client(api_key: str, base_url: str, timeout: float, http: Lanes) -> genai.Client:
    options = types.HttpOptions(
        base_url=base_url,
        timeout=int(timeout * 1000),
        httpx_client=httpx2.Client(verify=trust()),  # never used, but made anew otherwise, with all its certificates
        httpx_async_client=http,
    )
    return genai.Client(vertexai=False, api_key=api_key, http_options=options)


def _as_it_is(request: dict[str, Any]) -> types.GenerateContentConfig:
    """Send this as the rest of the body and hand the answer on unread."""
    return types.GenerateContentConfig(
        http_options=types.HttpOptions(extra_body=request),
        should_return_http_response=True,
        automatic_continuation=False,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )


def _loads(body: str | bytes, *, lost: bool = True) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise replies.broken(body if isinstance(body, str) else body.decode(errors="replace"), lost=lost) from None


def _check_params(params: dict[str, Any]) -> None:
    rules.check(params, RULES)
    if "thinking_level" in params and "thinking_budget" in params:
        raise BadInput("The oracle's parameters don't work: set thinking_level or thinking_budget, not both.")
