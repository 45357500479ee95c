"""Anthropic's API: messages, token counts, batches and models, strict about what the real one refuses."""

import re
from datetime import UTC, datetime, timedelta
from re import Match
from typing import Any

from tests.fakes.vendor import answers
from tests.fakes.vendor.answers import Answer, Asked
from tests.fakes.vendor.anthropic_batches import AnthropicBatches
from tests.fakes.vendor.anthropic_checks import COUNTED, asked_for, check_headers, check_model, no_unknown, text_of
from tests.fakes.vendor.core import Core, Route, body_of, reply_json
from tests.fakes.vendor.http import Reply, Request
from tests.fakes.vendor.state import Bucket

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
        self.routes += AnthropicBatches(core, self).routes

    async def _message(self, request: Request, _: Match[str]) -> Reply:
        check_headers(request)
        body = body_of(request)
        return await self.core.ask(self, body, asked_for(body))

    async def _count(self, request: Request, _: Match[str]) -> Reply:
        check_headers(request)
        body = body_of(request)
        no_unknown(body, COUNTED)
        check_model(body.get("model"))
        said = "".join(text_of(message["content"]) for message in body["messages"])
        schema = body.get("output_config", {}).get("format", {}).get("schema")
        size = answers.count(text_of(body.get("system", ""))) + answers.count_rest(said, schema)
        return reply_json({"input_tokens": size}, headers=self._plain())

    async def _model(self, request: Request, found: Match[str]) -> Reply:
        check_headers(request)
        check_model(found[1])
        can = {"supported": True}
        capabilities = {"batch": can, "structured_outputs": can, "effort": can, "thinking": can}
        about = {"lifecycle": "active", "retires_at": None, "max_tokens": 64_000, "capabilities": capabilities}
        about |= self.core.state.models.get(found[1], {})
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
        headers = {"retry-after": retry_after} if retry_after else {}
        return reply_json(self.error_body(name, message, request_id), ERRORS[name][0], headers)

    def error_body(self, name: str, message: str, request_id: str) -> dict[str, Any]:
        _, kind, code = ERRORS[name]
        details = {"details": {"error_code": code}} if code else {}
        said = TOO_LONG if name == "context" else message
        return {"type": "error", "error": {"type": kind, "message": said, **details}, "request_id": request_id}

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
