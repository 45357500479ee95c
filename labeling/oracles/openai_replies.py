"""Chat completions, errors and batch results of OpenAI and of servers that speak like it, read into ours. Pure.

Read as plain JSON: compatible servers leave out and add what they like, and the SDK's models cost time.
"""

from typing import Any

import openai

from labeling.oracles.base import Limits, OracleError, Reply, Tokens, usd
from labeling.oracles.prices import Prices
from labeling.oracles.wire import MAX_RAW, Headers, limit, retry_after

STRANGER = "Something that is not an OpenAI-compatible API answered; look at OPENAI_BASE_URL and at proxies between."
MAX_SAID = 500  # characters of the provider's words in a sentence of ours
FINISHED = {"", "stop", "eos"}
PAYMENT_CODES = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance"}
REFUSAL_CODES = {"content_filter", "content_policy_violation", "invalid_prompt", "cyber_policy_violation"}
TOO_LONG_CODES = {"context_length_exceeded", "string_above_max_length", "exceed_context_size_error"}
TOO_LONG = ("context length", "context window", "context size", "too long", "too many tokens", "max_model_len")
MISSED = {"batch_expired": "The batch ran out of time before it came to this article."}
MISSED |= {"batch_cancelled": "The batch was cancelled before it came to this article."}


def reply(
    value: Any,
    prices: Prices,
    headers: Headers,
    *,
    seconds: float = 0.0,
    sdk: str,
    unsaid: Tokens | None = None,
    batch: bool = False,
) -> Reply:
    """The completion as a Reply. Raises OracleError, with cost and tokens, where it holds no whole answer.

    `unsaid`: counted where the server doesn't say what was used.
    """
    choice = _choice(value)
    tokens = usage(value)
    if tokens is None:
        if unsaid is None:
            raise OracleError("server", "The server doesn't say what was used.", raw=str(value)[:MAX_RAW], lost=True)
        tokens, sdk = unsaid, f"{sdk}, tokens not told"
    cost = usd(prices.cost(tokens, batch))
    text, model, id, found = _text(choice), str(value.get("model", "")), headers.get("x-request-id", ""), limits(headers)
    id = id or str(value.get("id", ""))
    if problem := _problem(choice, text):
        kind, message, category = problem
        raise OracleError(
            kind,
            message,
            category=category,
            raw=(text or str(value))[:MAX_RAW],
            cost_usd=cost,
            tokens=tokens,
            request_id=id,
            model=model,
            limits=found,
        )
    return Reply(text, model, tokens, cost, seconds, id, sdk, found)


def _choice(value: Any) -> dict[str, Any]:
    try:
        choice = value["choices"][0]
        return {"finish_reason": choice.get("finish_reason"), **choice["message"]}
    except (KeyError, IndexError, TypeError, AttributeError):
        raise OracleError("server", STRANGER, raw=str(value)[:MAX_RAW], lost=True) from None


def usage(value: Any) -> Tokens | None:
    """What was used; the prompt's count includes what the cache gave and took. None where the server is silent."""
    try:
        used = value["usage"]
        prompt, output = int(used["prompt_tokens"]), int(used.get("completion_tokens") or 0)
        details = used.get("prompt_tokens_details") or {}
        read = min(prompt, int(details.get("cached_tokens") or 0))
        written = min(prompt - read, int(details.get("cache_write_tokens") or 0))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return Tokens(prompt - read - written, read, written, output)


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _problem(message: dict[str, Any], text: str) -> tuple[str, str, str] | None:
    """Why there is no whole answer: kind, sentence, category."""
    reason = str(message.get("finish_reason") or "")
    if said := message.get("refusal"):
        return "refusal", f"The model refused. {str(said)[:MAX_SAID]}", "unnamed"
    if reason == "content_filter":
        return "refusal", "The provider's content filter took the answer away.", "content_filter"
    if reason == "length":
        return "truncated", "The answer was cut off at max_tokens.", ""
    return None if reason in FINISHED or text else ("invalid", f"The model stopped without an answer ({reason}).", "")


def limits(headers: Headers) -> Limits | None:
    """Requests and tokens a minute that the key is allowed; the tokens are those of input and output together."""
    requests, tokens = (limit(headers, f"x-ratelimit-limit-{name}") for name in ("requests", "tokens"))
    return Limits(requests, tokens) if requests or tokens else None


def refused(error: openai.APIStatusError, model: str) -> OracleError:
    """An HTTP error."""
    headers = error.response.headers
    found = failure(error.status_code, error.body, model, raw=error.response.text)
    found.retry_after, found.limits, found.request_id = retry_after(headers), limits(headers), error.request_id or ""
    found.lost = error.status_code in (502, 504) and not isinstance(error.body, dict)  # a gateway gave up
    return found


def failure(status: int, body: Any, model: str, raw: str = "") -> OracleError:
    """{"message", "type", "param", "code"} or whatever a compatible server makes of it, under an HTTP status."""
    error = _error(body)
    said = str(error.get("message") or error.get("detail") or "no reason given").strip()[:MAX_SAID]
    codes = {str(error.get("code")), str(error.get("type"))}
    kind = _kind(status, codes, said.lower())
    texts = {
        "auth": f"The server does not accept the key ({status}): {said} Set OPENAI_API_KEY and resume.",
        "payment": f"The provider wants payment or a higher limit: {said} Settle it there and resume.",
        "request": _request_text(status, codes, said, model),
        "rate": f"The server asks for patience ({status}): {said}",
        "server": f"The server failed ({status}): {said}",
        "context": f"The article is too long for {model}: {said}",
        "refusal": f"The provider refused the article: {said}",
    }
    category = next(iter(codes & REFUSAL_CODES), "") if kind == "refusal" else ""
    return OracleError(kind, texts[kind], category=category, raw=raw[:MAX_RAW])


def _error(body: Any) -> dict[str, Any]:
    inner = body.get("error", body) if isinstance(body, dict) else body
    return inner if isinstance(inner, dict) else {"message": inner}


def _request_text(status: int, codes: set[str], said: str, model: str) -> str:
    if status == 404 and ("model_not_found" in codes or model in said):
        return f"There is no model {model} for this key; it may be misspelt or retired: choose another one."
    if status == 404:
        return f"No such API is at OPENAI_BASE_URL (404): {said}"
    if status < 400:
        return f"OPENAI_BASE_URL answers with a redirect ({status}), which is not followed; set where it leads."
    return f"The server refused the request as such ({status}): {said}"


def _kind(status: int, codes: set[str], said: str) -> str:
    if status == 402 or codes & PAYMENT_CODES:
        return "payment"
    if status in (401, 403):
        return "auth"
    if status in (429, 503, 529):
        return "rate"
    if status >= 500 or status in (408, 409):
        return "server"
    if status == 413 or codes & TOO_LONG_CODES or any(words in said for words in TOO_LONG):
        return "context"
    return "refusal" if codes & REFUSAL_CODES else "request"


def batch_line(line: dict[str, Any], prices: Prices, model: str, sdk: str) -> tuple[str, Reply | OracleError]:
    """One line of a batch's results: the key it was asked under, and what came of it."""
    key, response = str(line.get("custom_id", "")), line.get("response") or {}
    if error := line.get("error"):
        return key, _batch_failure(error, model)
    status, body = int(response.get("status_code") or 500), response.get("body")
    if status != 200:
        return key, failure(status, body, model, raw=str(body))
    try:
        headers = {"x-request-id": str(response.get("request_id") or "")}
        return key, reply(body, prices, headers, sdk=sdk, batch=True)
    except OracleError as known:
        return key, known


def _batch_failure(error: dict[str, Any], model: str) -> OracleError:
    """Of a request that was never worked on, so unbilled."""
    code = str(error.get("code"))
    if code in MISSED:
        return OracleError("expired", MISSED[code], category="" if code == "batch_expired" else "cancelled")
    return failure(500, error, model, raw=str(error))


def unreachable(sent: bool) -> OracleError:
    broke, never = "The answer did not come; it may have been billed.", "The server can't be reached; is it there?"
    return OracleError("network", broke if sent else never, lost=sent)


def broken(raw: str = "", *, lost: bool = True) -> OracleError:
    return OracleError("server", "The server's reply broke off or is not JSON.", raw=raw[:MAX_RAW], lost=lost)


def cut_short(found: int, expected: int) -> OracleError:
    return OracleError("server", f"Only {found} of the batch's {expected} results came.")
