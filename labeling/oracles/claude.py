"""Anthropic's replies, errors and batch results as plain JSON, read into ours. Pure.

A message is read as the dictionary that came: the SDK hands on a web page as a string and any JSON as a message that lacks
what it lacks, and building its objects takes longer than all the rest.
"""

import json
from typing import Any

import anthropic
from anthropic.resources.messages.messages import DEPRECATED_MODELS

from labeling.oracles.base import Limits, OracleError, Reply, Result, Tokens
from labeling.oracles.prices import Prices
from labeling.oracles.wire import MAX_RAW, Headers, limit, retry_after, stopped

RATE = {429, 503, 529}
TOO_LONG = ("prompt is too long", "exceed context limit")
STRANGER = "Something that is not Anthropic's API answered; look at ANTHROPIC_BASE_URL and at proxies between."

# Tokens from which a prefix is kept, as documented; a mark on a shorter one does nothing and costs nothing.
CACHE_MINIMUMS = {
    "claude-haiku-4-5": 4096,
    "claude-opus-4-5": 4096,
    "claude-opus-4-6": 4096,
    "claude-opus-5": 512,
    "claude-fable-5": 512,
}
CACHE_MINIMUM = 1024  # of all others
SHORTEST_TOKEN = 3  # characters a token holds on average, at the least

# What went wrong with one request of a batch, which is then not billed.
KINDS = {
    "authentication_error": "auth",
    "permission_error": "auth",
    "billing_error": "payment",
    "invalid_request_error": "request",
    "not_found_error": "request",
    "request_too_large": "context",
    "rate_limit_error": "rate",
    "overloaded_error": "rate",
}


def cache_minimum(model: str) -> int:
    family = max((known for known in CACHE_MINIMUMS if model.startswith(known)), key=len, default="")
    return CACHE_MINIMUMS.get(family, CACHE_MINIMUM)


def retirement(model: str) -> str:
    """A sentence about a model that is on its way out, as far as this SDK knows; else nothing."""
    when = DEPRECATED_MODELS.get(model)
    return f"The last day of {model} is {when}: choose another model." if when else ""


def lifecycle(entry: Any) -> str:
    """The same, from the provider's own list. Raises OracleError for a model that is gone."""
    stage = getattr(entry, "lifecycle", "active")
    if stage == "retired":
        raise OracleError("request", f"{entry.id} is retired: choose another model.")
    if stage != "deprecated":
        return retirement(entry.id)
    when = f"{entry.retires_at:%d %B %Y}" if entry.retires_at else "a day not yet told"
    return f"{entry.id} is deprecated and retires on {when}; choose another one."


def reply(value: Any, prices: Prices, headers: Headers, *, seconds: float, sdk: str, batch: bool = False) -> Reply:
    """The message as a Reply. Raises OracleError, with cost and tokens, where it holds no whole answer."""
    tokens = usage(value)
    cost, text = prices.cost(tokens, batch), _text(value)
    request_id = headers.get("request-id") or str(value.get("id", ""))
    model, found = str(value.get("model", "")), limits(headers)
    if problem := _problem(value):
        kind, message, category = problem
        raise OracleError(
            kind,
            message,
            category=category,
            raw=(text or json.dumps(value))[:MAX_RAW],
            cost_usd=cost,
            tokens=tokens,
            request_id=request_id,
            model=model,
            limits=found,
        )
    return Reply(text, model, tokens, cost, seconds, request_id, sdk, found)


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


def _text(value: dict[str, Any]) -> str:
    """Thinking may come first and is no part of the answer."""
    return "".join(block.get("text", "") for block in value.get("content") or () if block.get("type") == "text")


def _problem(value: dict[str, Any]) -> tuple[str, str, str] | None:
    """Why the model stopped, where that leaves no whole answer: kind, sentence, category."""
    why = value.get("stop_reason")
    if why == "refusal":
        details = value.get("stop_details") or {}
        category = details.get("category") or "unnamed"
        return "refusal", f"Claude refused ({category}). {stopped(details.get('explanation') or 'No reason was given')}", category
    if why == "max_tokens":
        return "truncated", "The answer was cut off at max_tokens.", ""
    if why == "model_context_window_exceeded":
        return "context", "The article is too long for the model.", ""
    return None


def result(line: dict[str, Any], prices: Prices, model: str, sdk: str) -> Result:
    """One line of a batch's results, under the key that it was asked with."""
    key, found = str(line.get("custom_id", "")), line.get("result") or {}
    try:
        return key, _result(found, prices, model, sdk)
    except OracleError as error:
        return key, error


def _result(found: dict[str, Any], prices: Prices, model: str, sdk: str) -> Reply | OracleError:
    how = found.get("type")
    if how == "succeeded":
        return reply(found.get("message"), prices, {}, seconds=0.0, sdk=sdk, batch=True)
    if how == "expired":
        return OracleError("expired", "The batch ran out of time before this article was read.")
    if how == "canceled":
        return OracleError("expired", "The batch was cancelled before this article was read.")
    if how == "errored":
        return _errored((found.get("error") or {}).get("error") or {}, model)
    return OracleError("server", f"A result of the batch is of a kind nobody knows: {how}.", raw=str(found)[:MAX_RAW], lost=True)


def _errored(error: dict[str, Any], model: str) -> OracleError:
    said, kind = stopped(str(error.get("message", ""))), KINDS.get(str(error.get("type")), "server")
    if kind == "request" and is_too_long(said):
        kind = "context"
    if error.get("type") == "not_found_error" and model in said:
        return OracleError("request", _no_model(model), raw=said)
    return OracleError(kind, f"Anthropic could not answer this part of the batch: {said}", raw=str(error)[:MAX_RAW])


def limits(headers: Headers) -> Limits | None:
    """Requests, input and output tokens a minute that the key is allowed."""
    names = ("requests", "input-tokens", "output-tokens")
    found = [limit(headers, f"anthropic-ratelimit-{name}-limit") for name in names]
    return Limits(*found) if any(found) else None


def refused(error: anthropic.APIStatusError, model: str) -> OracleError:
    said = stopped(error.api_message or error.message)
    kind = _kind(error, said)
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
        return _no_model(model)
    if error.status_code == 404:
        return f"Anthropic knows nothing at this address (404); look at ANTHROPIC_BASE_URL: {said}"
    if error.status_code < 400:
        return f"ANTHROPIC_BASE_URL answers with a redirect ({error.status_code}), which is not followed; set where it leads."
    return f"Anthropic refused the request as such ({error.status_code}): {said}"


def _no_model(model: str) -> str:
    return f"Anthropic has no model {model} for this key; it may be misspelt or retired: choose another one."


def _kind(error: anthropic.APIStatusError, said: str) -> str:
    status, code = error.status_code, error.error_code or ""
    if status == 402 or error.type == "billing_error" or "spend_limit" in code or "credit balance" in said.lower():
        return "payment"
    if status in (401, 403):
        return "auth"
    if status in RATE:
        return "rate"
    if status >= 500 or status in (408, 409) or code == "request_body_timeout":
        return "server"
    return "context" if status == 413 or is_too_long(said) else "request"


def is_too_long(said: str) -> bool:
    return any(phrase in said.lower() for phrase in TOO_LONG)


def unreachable(sent: bool) -> OracleError:
    broke, never = "The answer did not come; it may have been billed.", "Anthropic can't be reached; is there a network?"
    return OracleError("network", broke if sent else never, lost=sent)


def broken(raw: str = "") -> OracleError:
    return OracleError("server", "Anthropic's reply broke off or is not JSON.", raw=raw[:MAX_RAW], lost=True)
