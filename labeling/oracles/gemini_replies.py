"""Gemini's replies, errors and batch results as plain JSON, read into ours. Pure, and without the SDK's models.

Those cost time, and can't hold all that the API says: an error with details inside a batch breaks the whole batch there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.genai import errors

from labeling.oracles.base import OracleError, Reply, Tokens, usd
from labeling.oracles.prices import Prices
from labeling.oracles.wire import MAX_RAW, retry_after

STRANGER = "Something that is not Gemini's API answered; look at GEMINI_BASE_URL and at proxies between."
MAX_SAID = 500  # characters of the provider's words in a sentence of ours
CUT = {"MAX_TOKENS", "CONTINUATION"}
MALFORMED = {"MALFORMED_RESPONSE", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"}
FINISHED = {"", "STOP", "FINISH_REASON_UNSPECIFIED"}
PAYMENT_REASONS = {"BILLING_DISABLED", "CONSUMER_SUSPENDED"}
MONEY_WORDS = ("spending", "spend cap", "credits", "prepay")
KEY_REASONS = {"API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_IP_ADDRESS_BLOCKED"}
KEY_WORDS = ("api key not valid", "api key expired", "api_key_invalid")
TOO_LONG = ("input token count", "exceeds the maximum number of tokens", "payload size exceeds", "context window")
# google.rpc.Code, as the errors of single requests in a batch name it → the HTTP status of the same failure
CODES = {1: 499, 3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 13: 500, 14: 503, 16: 401}
CANCELLED, DEADLINE = (1, 499), (4,)


def reply(value: Any, prices: Prices, *, seconds: float = 0.0, sdk: str, batch: bool = False) -> Reply:
    """The response as a Reply. Raises OracleError, with cost and tokens, where it holds no whole answer."""
    tokens = usage(value)
    cost = usd(prices.cost(tokens, batch))
    text, model, id = text_of(value), str(value.get("modelVersion", "")), str(value.get("responseId", ""))
    if problem := _problem(value):
        kind, message, category = problem
        raw = (text or str(value))[:MAX_RAW]
        raise OracleError(kind, message, category=category, raw=raw, cost_usd=cost, tokens=tokens, request_id=id, model=model)
    return Reply(text, model, tokens, cost, seconds, id, sdk)


def usage(value: Any) -> Tokens:
    """What was used, by the response's own count; the prompt's includes what came from the cache, thoughts are output.

    Counts of zero are left out of the JSON; a response without any count is not Gemini's.
    """
    try:
        used = value["usageMetadata"]
        prompt, cached = _count(used, "promptTokenCount"), _count(used, "cachedContentTokenCount")
        prompt += _count(used, "toolUsePromptTokenCount")
        output = _count(used, "candidatesTokenCount") + _count(used, "thoughtsTokenCount")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise OracleError("server", STRANGER, raw=str(value)[:MAX_RAW], lost=True) from None
    return Tokens(fresh=max(0, prompt - cached), cache_read=cached, output=output)


def _count(used: Any, name: str) -> int:
    return int(used.get(name) or 0)


def text_of(value: Any) -> str:
    """What was answered, without what was thought before."""
    parts = ((_first(value).get("content") or {}).get("parts")) or ()
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


def _first(value: Any) -> dict[str, Any]:
    candidates = value.get("candidates") or [{}]
    return dict(candidates[0])


def _problem(value: Any) -> tuple[str, str, str] | None:
    """Why there is no whole answer: kind, sentence, category."""
    if blocked := (value.get("promptFeedback") or {}).get("blockReason"):
        return "refusal", f"Gemini took no such article ({blocked}).", blocked.lower()
    if not value.get("candidates"):
        return "server", "Gemini answered with nothing at all.", ""
    reason = str(_first(value).get("finishReason") or "")
    if reason in FINISHED:
        return None
    if reason in CUT:
        return "truncated", "The answer was cut off at max_tokens.", ""
    if reason in MALFORMED:
        return "invalid", f"Gemini's answer came out malformed ({reason}).", ""
    if reason == "PUP_LIMITED_DISABLED":
        return "auth", "Google has limited this account for breaches of its use policy; settle it there and resume.", ""
    said = _first(value).get("finishMessage") or "No reason was given."
    return "refusal", f"Gemini refused ({reason}). {said}", reason.lower()


def refused(error: errors.APIError, model: str) -> OracleError:
    """An HTTP error."""
    headers: Mapping[str, str] = getattr(error.response, "headers", None) or {}
    body = str(getattr(error.response, "text", "") or error.details)
    found = failure(error.code, error.details, model, raw=body)
    found.retry_after = found.retry_after if found.retry_after is not None else retry_after(headers)
    own = isinstance(error.details, dict) and "error" in error.details  # not the words of some gateway that gave up
    found.lost = error.code in (502, 504) and not own
    return found


def failure(code: int, details: Any, model: str, raw: str = "") -> OracleError:
    """Google's way to say what went wrong, {"code", "message", "status", "details"}, under an HTTP status."""
    status = _status(details)
    said = str(status.get("message") or "no reason given").strip()[:MAX_SAID]
    facts = [fact for fact in status.get("details") or () if isinstance(fact, dict)]
    kind = _kind(code, said.lower(), facts)
    texts = {
        "auth": f"Gemini does not accept the key ({code}): {said} Set GEMINI_API_KEY and resume.",
        "payment": f"Google wants payment or a higher quota: {said} Settle it there and resume.",
        "request": _request_text(code, said, model),
        "rate": f"Gemini asks for patience ({code}): {said}",
        "server": f"Gemini failed ({code}): {said}",
        "context": f"The article is too long for {model}: {said}",
    }
    return OracleError(kind, texts[kind], retry_after=_retry_delay(facts), raw=raw[:MAX_RAW])


def _status(details: Any) -> dict[str, Any]:
    inner = details.get("error", details) if isinstance(details, dict) else {}
    return inner if isinstance(inner, dict) else {"message": str(inner)}


def _request_text(code: int, said: str, model: str) -> str:
    if code == 404 and model in said:
        return f"Gemini has no model {model} for this key; it may be misspelt or retired: choose another one."
    if code == 404:
        return f"Gemini's API is not at GEMINI_BASE_URL (404): {said}"
    if code < 400:
        return f"GEMINI_BASE_URL answers with a redirect ({code}), which is not followed; set where it leads."
    return f"Gemini refused the request as such ({code}): {said}"


def _kind(code: int, said: str, facts: list[dict[str, Any]]) -> str:
    reasons = {fact.get("reason") for fact in facts}
    if code == 429:
        return "payment" if _needs_a_person(said, facts) else "rate"
    if code == 402 or reasons & PAYMENT_REASONS or (code in (400, 403) and "billing" in said):
        return "payment"
    if code in (401, 403) or reasons & KEY_REASONS or any(words in said for words in KEY_WORDS):
        return "auth"
    if code in (503, 529):
        return "rate"
    if code >= 500 or code in (408, 409, 499) or code < 300:
        return "server"
    return "context" if code == 413 or any(words in said for words in TOO_LONG) else "request"


def _needs_a_person(said: str, facts: list[dict[str, Any]]) -> bool:
    """Whether a spent quota won't come back by itself before long: money, or the day's.

    "Check your plan and billing details" tells nothing: it stands in every 429, those that pass in a minute too.
    """
    if any(word in said for word in MONEY_WORDS):
        return True
    quotas = [quota for fact in facts for quota in fact.get("violations") or () if isinstance(quota, dict)]
    return any("perday" in str(quota.get("quotaId", "")).lower() for quota in quotas)


def _retry_delay(facts: list[dict[str, Any]]) -> float | None:
    """Seconds, from google.rpc.RetryInfo: "3.5s"."""
    for fact in facts:
        try:
            return max(0.0, float(str(fact["retryDelay"]).removesuffix("s")))
        except (KeyError, ValueError):
            continue
    return None


@dataclass(frozen=True)
class Batch:
    """`done`: how many were answered or failed; `results`: the file with what came of them; `problem`: of the whole batch."""

    state: str
    done: int
    results: str
    problem: str


def batch(operation: Any) -> Batch:
    try:
        metadata = operation["metadata"]
        stats, output = metadata.get("batchStats") or {}, metadata.get("output") or operation.get("response") or {}
        state = str(metadata["state"]).rpartition("_STATE_")[2]
        done = sum(_count(stats, name) for name in ("successfulRequestCount", "failedRequestCount"))
        return Batch(state, done, str(output.get("responsesFile") or ""), str(_status(operation).get("message") or ""))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise broken(str(operation), lost=False) from None


def batch_line(line: dict[str, Any], prices: Prices, model: str, sdk: str) -> tuple[str, Reply | OracleError]:
    """One line of a batch's results: the key it was asked under, and what came of it."""
    key = str(line.get("key", ""))
    if error := line.get("error"):
        return key, _batch_failure(error, model)
    try:
        return key, reply(line.get("response"), prices, sdk=sdk, batch=True)
    except OracleError as known:
        return key, known


def _batch_failure(error: dict[str, Any], model: str) -> OracleError:
    """Unbilled; its code is google.rpc's or HTTP's."""
    code = int(error.get("code") or 13)
    if code in CANCELLED:
        return OracleError("expired", "The batch was cancelled before it came to this article.", category="cancelled")
    if code in DEADLINE:
        return OracleError("expired", "The batch ran out of time before it came to this article.")
    return failure(CODES.get(code, code if code >= 300 else 500), error, model, raw=str(error))


def unreachable(sent: bool) -> OracleError:
    broke, never = "The answer did not come; it may have been billed.", "Gemini can't be reached; is there a network?"
    return OracleError("network", broke if sent else never, lost=sent)


def broken(raw: str = "", *, lost: bool = True) -> OracleError:
    return OracleError("server", "Gemini's reply broke off or is not JSON.", raw=raw[:MAX_RAW], lost=lost)


def cut_short(found: int, expected: int) -> OracleError:
    return OracleError("server", f"Only {found} of the batch's {expected} results came.")
