"""Anthropic's API: messages, token counts, batches and models, strict about what the real one refuses."""

import re
from datetime import UTC, datetime, timedelta
from re import Match
from typing import Any

from tests.fakes.vendor import answers
from tests.fakes.vendor.answers import Answer, Asked
from tests.fakes.vendor.core import KEY, Core, Refused, Route, reply_json
from tests.fakes.vendor.http import Reply, Request
from tests.fakes.vendor.parse import body_of
from tests.fakes.vendor.state import Bucket

MODELS = (
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-haiku-4-5",
    "claude-sonnet-4-6",
    "claude-opus-4-8",
)
KNOWN = {
    *("model", "max_tokens", "messages", "system", "output_config", "thinking", "metadata", "service_tier", "stream"),
    *("cache_control", "stop_sequences", "tools", "tool_choice"),
}
COUNTED = {"model", "messages", "system", "output_config", "thinking", "tools", "tool_choice", "cache_control"}
GONE = ("temperature", "top_p", "top_k")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
STOPS = {"end": "end_turn", "max_tokens": "max_tokens", "refusal": "refusal", "context": "model_context_window_exceeded"}
ERRORS = {
    "400": (400, "invalid_request_error", ""),
    "401": (401, "authentication_error", ""),
    "402": (402, "billing_error", ""),
    "404": (404, "not_found_error", ""),
    "413": (413, "request_too_large", ""),
    "429": (429, "rate_limit_error", ""),
    "500": (500, "api_error", ""),
    "529": (529, "overloaded_error", ""),
    "context": (400, "invalid_request_error", ""),
    "spend_limit": (429, "rate_limit_error", "enforced_spend_limit_reached"),
}
TOO_LONG = "prompt is too long: 250000 tokens > 200000 maximum"


class Anthropic:
    name = "anthropic"

    def __init__(self, core: Core):
        self.core = core
        self.routes: list[Route] = [
            ("POST", re.compile(r"/v1/messages"), self._message),
            ("POST", re.compile(r"/v1/messages/count_tokens"), self._count),
            ("GET", re.compile(r"/v1/models/([^/]+)"), self._model),
        ]

    async def _message(self, request: Request, _: Match[str]) -> Reply:
        check_headers(request)
        body = body_of(request)
        return await self.core.ask(self, body, asked_for(body))

    async def _count(self, request: Request, _: Match[str]) -> Reply:
        check_headers(request)
        body = body_of(request)
        _no_unknown(body, COUNTED)
        _check_model(body.get("model"))
        said = "".join(_text(message["content"]) for message in body["messages"])
        return reply_json({"input_tokens": answers.count(_text(body.get("system", "")) + said)}, headers=self._plain())

    async def _model(self, request: Request, found: Match[str]) -> Reply:
        check_headers(request)
        _check_model(found[1])
        can = {"supported": True}
        capabilities = {"batch": can, "structured_outputs": can, "effort": can, "thinking": can}
        about = {"lifecycle": "active", "retires_at": None, "max_tokens": 64_000, "capabilities": capabilities}
        model = {"id": found[1], "type": "model", "display_name": found[1], "created_at": "2026-10-01T00:00:00Z", **about}
        return reply_json(model, headers=self._plain())

    def _plain(self) -> dict[str, str]:
        return {"request-id": f"req_{self.core.new_id()}"}

    def render(self, asked: Asked, said: Answer, request_id: str) -> dict[str, Any]:
        thinking = {"type": "thinking", "thinking": said.thought, "signature": "x"}
        details = {"type": "refusal", "category": said.category, "explanation": "scripted"} if said.stop == "refusal" else None
        tokens = said.tokens
        usage = {
            "input_tokens": tokens.fresh,
            "cache_creation_input_tokens": tokens.cache_write,
            "cache_read_input_tokens": tokens.cache_read,
            "output_tokens": tokens.output,
            "service_tier": "standard",
        }
        return {
            "id": request_id.replace("req_", "msg_"),
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": [thinking, {"type": "text", "text": said.text}] if said.text else [],
            "stop_reason": STOPS[said.stop],
            "stop_sequence": None,
            "stop_details": details,
            "usage": usage,
        }

    def error(self, name: str, message: str, request_id: str, retry_after: str) -> Reply:
        status, kind, code = ERRORS[name]
        details = {"details": {"error_code": code}} if code else {}
        body = {"type": "error", "error": {"type": kind, "message": TOO_LONG if name == "context" else message, **details}}
        return reply_json({**body, "request_id": request_id}, status, {"retry-after": retry_after} if retry_after else {})

    def headers(self, request_id: str, limits: dict[str, Bucket]) -> dict[str, str]:
        named = {"requests": "requests", "input": "input-tokens", "output": "output-tokens"}
        head = {"request-id": request_id}
        for name, bucket in limits.items():
            bucket.wait(0)
            full = datetime.now(UTC) + timedelta(seconds=(bucket.capacity - bucket.level) * 60 / bucket.per_minute)
            start = f"anthropic-ratelimit-{named[name]}"
            head[f"{start}-limit"] = str(bucket.per_minute)
            head[f"{start}-remaining"] = str(max(0, int(bucket.level)))
            head[f"{start}-reset"] = full.strftime("%Y-%m-%dT%H:%M:%SZ")
        return head


def check_headers(request: Request) -> None:
    given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
    if given != KEY:
        raise Refused("401", "invalid api key")
    if not request.headers.get("anthropic-version"):
        raise Refused("400", "anthropic-version: header is required")


def asked_for(body: dict[str, Any]) -> Asked:
    """The request, once all is checked that the real API checks."""
    if gone := [name for name in GONE if name in body]:
        raise Refused("400", f"{gone[0]}: this parameter is no longer supported")
    _no_unknown(body, KNOWN)
    _check_model(body.get("model"))
    if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1 or not body.get("messages"):
        raise Refused("400", "max_tokens and messages are required")
    first, *rest = _turns(body["messages"])
    schema = _schema(body.get("output_config") or {})
    if schema is None and answers.has_frame(first):
        raise Refused("400", "output_config.format: an article is judged by a schema")
    system = body.get("system", "")
    caches = "cache_control" in body or any("cache_control" in block for block in system if isinstance(block, dict))
    return Asked("anthropic", body["model"], _text(system), first, tuple(rest), schema, body["max_tokens"], caches)


def _no_unknown(body: dict[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(body) - known):
        raise Refused("400", f"{unknown[0]}: extra inputs are not permitted")


def _check_model(model: Any) -> None:
    if model not in MODELS:
        raise Refused("404", f"model: {model}")


def _turns(messages: list[dict[str, Any]]) -> list[str]:
    roles = [message.get("role") for message in messages]
    if roles[-1] != "user":
        raise Refused("400", "the conversation must end with a user message: prefilling is not supported by this model")
    if any(role != ("user", "assistant")[place % 2] for place, role in enumerate(roles)):
        raise Refused("400", "messages: roles must alternate, starting with user")
    texts = [_text(message["content"]) for message in messages]
    if not all(texts):
        raise Refused("400", "messages: text content blocks must be non-empty")
    return texts


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def _schema(config: dict[str, Any]) -> dict[str, Any] | None:
    if config.get("effort", "low") not in EFFORTS:
        raise Refused("400", f"output_config.effort: must be one of {', '.join(EFFORTS)}")
    form = config.get("format")
    if form is None:
        return None
    if form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
        raise Refused("400", "output_config.format.type: must be json_schema, with a schema")
    return form["schema"]
