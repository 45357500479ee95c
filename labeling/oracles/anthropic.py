"""Claude, asked through Anthropic's SDK. Pure: no Django, no tables.

The SDK's own retries are off: it would sleep out a retry-after of an hour inside the call and nobody would see it.
What a call cost is read before anything else of its answer is, so a refused or cut answer is still in the books.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import anthropic
import httpx2

from distillery_site.common.errors import BadInput
from labeling.oracles import claude
from labeling.oracles.base import NoBatches, OracleError, Question, Reply, Tokens
from labeling.oracles.prices import Prices
from labeling.oracles.wire import was_sent

EFFORTS = ("low", "medium", "high", "xhigh", "max")
MIN_TOKENS, MAX_TOKENS = 256, 32_000
OVERHEAD_TOKENS = 2_000  # what the provider adds around our text: frame, schema, instructions for the format
CONCURRENCY = 64
SDK = f"anthropic {anthropic.__version__}"


class AnthropicOracle(NoBatches):
    """`params`: effort and max_tokens (thinking included). There is no temperature any more: repeatability is measured."""

    provider = "anthropic"
    chunk = 1

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
        _check_params(params)
        self.model, self.params, self.concurrency = model, params, concurrency
        self._prices, self._timeout = prices, timeout
        self._client = _client(api_key, base_url, timeout, concurrency)

    def worst_cost(self, question: Question, *, batch: bool = False) -> Decimal:
        """A token is at least one byte, so bytes bound the input; the output is bounded by max_tokens."""
        return self._prices.cost(Tokens(cache_write=question.size + OVERHEAD_TOKENS, output=self._room(question)), batch)

    def _room(self, question: Question) -> int:
        """Output tokens allowed: twice as many each time an answer was cut off."""
        return min(self.params["max_tokens"] * 2**question.room, MAX_TOKENS)

    async def ask(self, question: Question) -> Reply:
        start = time.monotonic()
        with self._known_failures():
            async with asyncio.timeout(self._timeout):  # the client's own is for each piece of the answer
                response = await self._client.messages.with_raw_response.create(**self._request(question))
                body = await response.read()
        value = _loads(body)
        return claude.reply(value, self._prices, response.headers, seconds=time.monotonic() - start, sdk=SDK)

    def _request(self, question: Question) -> dict[str, Any]:
        output = {"format": {"type": "json_schema", "schema": question.schema}, "effort": self.params["effort"]}
        roles = ("user", "assistant")
        said = (question.user, *question.turns)
        messages = [{"role": roles[place % 2], "content": text} for place, text in enumerate(said)]
        return {
            "model": self.model,
            "max_tokens": self._room(question),
            "system": question.system,
            "messages": messages,
            "output_config": output,
        }

    async def count_tokens(self, question: Question) -> int | None:
        request = self._request(question)
        del request["max_tokens"]
        with self._known_failures():
            return (await self._client.messages.count_tokens(**request)).input_tokens

    async def probe(self) -> str:
        with self._known_failures():
            found = await self._client.models.retrieve(self.model)
        return f"Anthropic answers and has {found.display_name}."

    async def aclose(self) -> None:
        await self._client.close()

    @contextmanager
    def _known_failures(self) -> Iterator[None]:
        """Whatever goes wrong on the way, as an OracleError."""
        try:
            yield
        except anthropic.APIStatusError as error:
            raise claude.refused(error, self.model) from None
        except anthropic.APIConnectionError as error:
            raise claude.unreachable(was_sent(error)) from None
        except TimeoutError:
            raise claude.unreachable(sent=True) from None
        except (ValueError, httpx2.HTTPError, anthropic.APIResponseValidationError):
            raise claude.broken() from None


def _client(api_key: str, base_url: str, timeout: float, concurrency: int) -> anthropic.AsyncAnthropic:
    """Every question out at once has a connection of its own, which stays open; only the address checked sees the key."""
    limits = httpx2.Limits(max_connections=concurrency + 4, max_keepalive_connections=concurrency + 4)
    http = anthropic.DefaultAsyncHttpxClient(follow_redirects=False, limits=limits)
    return anthropic.AsyncAnthropic(api_key=api_key, base_url=base_url, max_retries=0, timeout=timeout, http_client=http)


def _loads(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise claude.broken(body.decode(errors="replace")) from None


def _check_params(params: dict[str, Any]) -> None:
    problems = [f"unknown parameter {name}" for name in sorted(set(params) - {"effort", "max_tokens"})]
    if params.get("effort") not in EFFORTS:
        problems.append(f"effort must be one of {', '.join(EFFORTS)}")
    room = params.get("max_tokens")
    if not isinstance(room, int) or not MIN_TOKENS <= room <= MAX_TOKENS:
        problems.append(f"max_tokens must be from {MIN_TOKENS} to {MAX_TOKENS}")
    if problems:
        raise BadInput(f"The oracle's parameters don't work: {'; '.join(problems)}.")
