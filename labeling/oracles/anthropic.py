"""Claude, asked through Anthropic's SDK. Pure: no Django, no tables.

The SDK's own retries are off: it would sleep out a retry-after of an hour inside the call and nobody would see it.
What a call cost is read before its answer is, so a refused, cut or unreadable answer is still paid for in the books.
"""

import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import anthropic
import httpx2
from anthropic.types import Message

from distillery_site.common.errors import BadInput
from labeling.oracles.base import Judgement, OracleError, Question
from labeling.oracles.prices import Prices, Tokens
from labeling.prompts import parse

EFFORTS = ("low", "medium", "high", "xhigh", "max")
MIN_TOKENS, MAX_TOKENS = 256, 16_000
TIMEOUT_SECONDS = 120.0
OVERHEAD_TOKENS = 2_000  # what the provider adds around our text: frame, schema, instructions for the format
MAX_RAW = 20_000
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol, httpx2.ProxyError)
ASKS_FOR_PATIENCE = {429, 502, 503, 504, 529}


class AnthropicOracle:
    """`params`: effort and max_tokens (thinking included). There is no temperature any more: repeatability is measured."""

    provider = "anthropic"
    concurrency = 8
    chunk = 1

    def __init__(self, model: str, params: dict[str, Any], *, api_key: str, base_url: str, prices: Prices):
        if not api_key:
            raise OracleError("auth", "ANTHROPIC_API_KEY is not set; set it and resume the run.")
        _check_params(params)
        self.model, self.params, self._prices = model, params, prices
        # Redirects are not followed: only the address that was checked may see the key.
        http = anthropic.DefaultAsyncHttpxClient(follow_redirects=False)
        self._client = anthropic.AsyncAnthropic(
            api_key=api_key, base_url=base_url, max_retries=0, timeout=TIMEOUT_SECONDS, http_client=http
        )

    def worst_cost(self, question: Question) -> Decimal:
        """A token is at least one byte, so bytes bound the input; the output is bounded by max_tokens."""
        size = len((question.system + question.user + str(question.schema)).encode())
        return self._prices.cost(Tokens(cache_write=size + OVERHEAD_TOKENS, output=self._room(question)))

    def _room(self, question: Question) -> int:
        """Output tokens allowed: twice as many each time an answer was cut off."""
        return min(self.params["max_tokens"] * 2 ** (question.attempt - 1), MAX_TOKENS)

    async def judge(self, question: Question) -> Judgement:
        start = time.monotonic()
        reply = await self._send(question)
        if reply.problem is not None:
            raise reply.problem
        parsed = _parse(reply, question)
        return Judgement(
            parsed.scores,
            parsed.reasoning,
            reply.text,
            reply.message.model,
            reply.tokens.input,
            reply.tokens.output,
            reply.cost,
            time.monotonic() - start,
            reply.request_id,
            parsed.flags,
        )

    async def aclose(self) -> None:
        await self._client.close()

    async def _send(self, question: Question) -> "Reply":
        try:
            response = await self._client.messages.with_raw_response.create(
                model=self.model,
                max_tokens=self._room(question),
                system=question.system,
                messages=[{"role": "user", "content": question.user}],
                output_config={"format": {"type": "json_schema", "schema": question.schema}, "effort": self.params["effort"]},
            )
            body = await response.text()
            message = await response.parse()
        except anthropic.APIStatusError as error:
            raise _from_status(error) from None
        except anthropic.APIConnectionError as error:
            raise _from_connection(error) from None
        except (ValueError, httpx2.HTTPError, anthropic.APIResponseValidationError):
            raise OracleError("server", "Anthropic's reply broke off or is not JSON.", lost=True) from None
        # The SDK hands on a web page as a plain string, and any JSON as a message that lacks what it lacks.
        if not isinstance(message, Message) or getattr(message, "usage", None) is None:
            text = "Something that is not Anthropic's API answered; look at ANTHROPIC_BASE_URL and at proxies between."
            raise OracleError("server", text, raw=body[:MAX_RAW], lost=True)
        return Reply.of(message, response.request_id or "", body, self._prices)


@dataclass(frozen=True)
class Reply:
    """A message whose price is known, whatever it says."""

    message: Message
    text: str
    tokens: Tokens
    cost: Decimal
    request_id: str
    problem: OracleError | None

    @classmethod
    def of(cls, message: Message, request_id: str, body: str, prices: Prices) -> "Reply":
        usage = message.usage
        tokens = Tokens(
            usage.input_tokens, usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0, usage.output_tokens
        )
        cost = prices.cost(tokens)
        text = "".join(block.text for block in message.content if block.type == "text")  # a thinking block may come first
        return cls(message, text, tokens, cost, request_id, _problem(message, text or body[:MAX_RAW], cost))


def _problem(message: Message, raw: str, cost: Decimal) -> OracleError | None:
    """Why the model stopped, where that leaves no judgement."""
    if message.stop_reason == "refusal":
        details = message.stop_details
        category = (details.category if details else None) or "unnamed"
        reason = (details.explanation if details else None) or "No reason was given."
        return OracleError("refusal", f"Claude refused ({category}). {reason}", category=category, raw=raw, cost_usd=cost)
    if message.stop_reason == "max_tokens":
        return OracleError("truncated", "The answer was cut off at max_tokens.", raw=raw, cost_usd=cost)
    if message.stop_reason == "model_context_window_exceeded":
        return OracleError("invalid", "The article is too long for the model.", raw=raw, cost_usd=cost)
    return None


def _parse(reply: Reply, question: Question) -> Any:
    try:
        return parse(reply.text, question.keys)
    except OracleError as error:
        error.cost_usd = reply.cost
        raise


def _from_status(error: anthropic.APIStatusError) -> OracleError:
    said = error.api_message or error.message
    kind = _kind(error, said.lower())
    texts = {
        "auth": f"Anthropic does not accept the key ({error.status_code}): {said} Set ANTHROPIC_API_KEY and resume.",
        "payment": f"Anthropic wants payment or a higher spending limit: {said} Settle it there and resume.",
        "request": f"Anthropic refused the request as such ({error.status_code}): {said}",
        "rate": f"Anthropic asks for patience ({error.status_code}): {said}",
        "server": f"Anthropic failed ({error.status_code}): {said}",
        "invalid": f"Anthropic can't take this article: {said}",
    }
    raw = error.response.text[:MAX_RAW]
    return OracleError(kind, texts[kind], retry_after=_seconds(error.response.headers.get("retry-after")), raw=raw)


def _kind(error: anthropic.APIStatusError, said: str) -> str:
    status, code = error.status_code, error.error_code or ""
    if status == 402 or error.type == "billing_error" or "spend_limit" in code or "credit balance" in said:
        return "payment"
    if status in (401, 403):
        return "auth"
    if status in ASKS_FOR_PATIENCE:
        return "rate"
    if status >= 500 or status in (408, 409):
        return "server"
    return "invalid" if status == 413 or "too long" in said else "request"


def _seconds(header: str | None) -> float | None:
    """The retry-after header; one that is a date is left to our own pace."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None


def _from_connection(error: anthropic.APIConnectionError) -> OracleError:
    sent = not isinstance(error.__cause__, NOT_SENT)
    broke, unreachable = "The answer did not come; it may have been billed.", "Anthropic can't be reached; is there a network?"
    return OracleError("network", broke if sent else unreachable, lost=sent)


def _check_params(params: dict[str, Any]) -> None:
    problems = [f"unknown parameter {name}" for name in sorted(set(params) - {"effort", "max_tokens"})]
    if params.get("effort") not in EFFORTS:
        problems.append(f"effort must be one of {', '.join(EFFORTS)}")
    room = params.get("max_tokens")
    if not isinstance(room, int) or not MIN_TOKENS <= room <= MAX_TOKENS:
        problems.append(f"max_tokens must be from {MIN_TOKENS} to {MAX_TOKENS}")
    if problems:
        raise BadInput(f"The oracle's parameters don't work: {'; '.join(problems)}.")
