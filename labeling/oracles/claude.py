"""Anthropic's replies, errors and batch results as plain JSON, read into ours. Pure, and without the SDK's models.

A message is read as the dictionary that came: building the SDK's objects for it costs more time than all the rest.
"""

from typing import Any

import anthropic

from labeling.oracles.base import Limits, OracleError, Reply, Tokens
from labeling.oracles.prices import Prices
from labeling.oracles.wire import MAX_RAW, Headers, limit, retry_after

RATE = {429, 503, 529}
STRANGER = "Something that is not Anthropic's API answered; look at ANTHROPIC_BASE_URL and at proxies between."


def reply(value: Any, prices: Prices, headers: Headers, *, seconds: float, sdk: str, batch: bool = False) -> Reply:
    """The message as a Reply. Raises OracleError, with cost and tokens, where it holds no whole answer."""
    tokens = usage(value)
    cost = prices.cost(tokens, batch)
    text = "".join(block.get("text", "") for block in value["content"] if block.get("type") == "text")  # thinking comes first
    id, model, found = headers.get("request-id", ""), str(value.get("model", "")), limits(headers)
    if problem := _problem(value):
        kind, message, category = problem
        raise OracleError(
            kind,
            message,
            category=category,
            raw=text[:MAX_RAW],
            cost_usd=cost,
            tokens=tokens,
            request_id=id,
            model=model,
            limits=found,
        )
    return Reply(text, model, tokens, cost, seconds, id, sdk, found)


def usage(value: Any) -> Tokens:
    """What was used, by the message's own count; anything that lacks it is not Anthropic's."""
    try:
        used = value["usage"]
        return Tokens(
            int(used["input_tokens"]),
            int(used.get("cache_read_input_tokens") or 0),
            int(used.get("cache_creation_input_tokens") or 0),
            int(used["output_tokens"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise OracleError("server", STRANGER, raw=str(value)[:MAX_RAW], lost=True) from None


def _problem(value: dict[str, Any]) -> tuple[str, str, str] | None:
    """Why the model stopped, where that leaves no whole answer: kind, sentence, category."""
    stopped = value.get("stop_reason")
    if stopped == "refusal":
        details = value.get("stop_details") or {}
        category = details.get("category") or "unnamed"
        return "refusal", f"Claude refused ({category}). {details.get('explanation') or 'No reason was given.'}", category
    if stopped == "max_tokens":
        return "truncated", "The answer was cut off at max_tokens.", ""
    if stopped == "model_context_window_exceeded":
        return "context", "The article is too long for the model.", ""
    return None


def limits(headers: Headers) -> Limits | None:
    """Requests, input and output tokens a minute that the key is allowed."""
    names = ("requests", "input-tokens", "output-tokens")
    found = [limit(headers, f"anthropic-ratelimit-{name}-limit") for name in names]
    return Limits(*found) if any(found) else None


def refused(error: anthropic.APIStatusError, model: str) -> OracleError:
    said = error.api_message or error.message
    kind = _kind(error, said.lower())
    texts = {
        "auth": f"Anthropic does not accept the key ({error.status_code}): {said} Set ANTHROPIC_API_KEY and resume.",
        "payment": f"Anthropic wants payment or a higher spending limit: {said} Settle it there and resume.",
        "request": _request_text(error, said, model),
        "rate": f"Anthropic asks for patience ({error.status_code}): {said}",
        "server": f"Anthropic failed ({error.status_code}): {said}",
        "context": f"The article is too long for {model}: {said}",
    }
    headers = error.response.headers
    return OracleError(
        kind,
        texts[kind],
        retry_after=retry_after(headers),
        raw=error.response.text[:MAX_RAW],
        request_id=error.request_id or "",
        lost=error.status_code in (502, 504) and error.type is None,  # a gateway gave up; what is behind it may not have
        limits=limits(headers),
    )


def _request_text(error: anthropic.APIStatusError, said: str, model: str) -> str:
    if error.status_code == 404 and error.type == "not_found_error" and model in said:
        return f"Anthropic has no model {model} for this key; it may be misspelt or retired: choose another one."
    if error.status_code == 404:
        return f"Anthropic's API is not at ANTHROPIC_BASE_URL (404): {said}"
    if error.status_code < 400:
        return f"ANTHROPIC_BASE_URL answers with a redirect ({error.status_code}), which is not followed; set where it leads."
    return f"Anthropic refused the request as such ({error.status_code}): {said}"


def _kind(error: anthropic.APIStatusError, said: str) -> str:
    status, code = error.status_code, error.error_code or ""
    if status == 402 or error.type == "billing_error" or "spend_limit" in code or "credit balance" in said:
        return "payment"
    if status in (401, 403):
        return "auth"
    if status in RATE:
        return "rate"
    if status >= 500 or status in (408, 409):
        return "server"
    return "context" if status == 413 or "too long" in said else "request"


def unreachable(sent: bool) -> OracleError:
    broke, never = "The answer did not come; it may have been billed.", "Anthropic can't be reached; is there a network?"
    return OracleError("network", broke if sent else never, lost=sent)


def broken(raw: str = "") -> OracleError:
    return OracleError("server", "Anthropic's reply broke off or is not JSON.", raw=raw[:MAX_RAW], lost=True)
