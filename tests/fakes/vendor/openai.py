"""OpenAI's API, as compatible servers speak it too: chat completions, files, batches and models."""

import re
import time
from re import Match
from typing import Any

from tests.fakes.vendor.answers import THOUGHT, Answer, Asked
from tests.fakes.vendor.core import Core, Route, body_of, reply_json
from tests.fakes.vendor.http import Reply, Request
from tests.fakes.vendor.openai_batches import OpenAIBatches
from tests.fakes.vendor.openai_checks import MODELS, asked_for, check_key, check_model
from tests.fakes.vendor.state import Bucket

STOPS = {"end": "stop", "max_tokens": "length", "refusal": "stop", "context": "length"}
ERRORS = {
    "400": (400, "invalid_request_error", None),
    "401": (401, "invalid_request_error", "invalid_api_key"),
    "402": (402, "insufficient_balance", "insufficient_balance"),
    "404": (404, "invalid_request_error", "model_not_found"),
    "413": (413, "invalid_request_error", None),
    "429": (429, "requests", "rate_limit_exceeded"),
    "500": (500, "server_error", None),
    "529": (503, "server_error", "overloaded"),
    "context": (400, "invalid_request_error", "context_length_exceeded"),
    "spend_limit": (429, "insufficient_quota", "insufficient_quota"),
}
TOO_LONG = "This model's maximum context length is 128000 tokens. Your messages resulted in 250000 tokens."


class OpenAI:
    name = "openai"

    def __init__(self, core: Core):
        self.core = core
        self.routes: list[Route] = [
            ("POST", re.compile(r"/v1/chat/completions"), self._chat),
            ("GET", re.compile(r"/v1/models"), self._models),
            ("GET", re.compile(r"/v1/models/([^/]+)"), self._model),
        ]
        self.routes += OpenAIBatches(core, self).routes

    async def _chat(self, request: Request, _: Match[str]) -> Reply:
        check_key(request)
        body = body_of(request)
        return await self.core.ask(self, body, asked_for(body, self.core.state.takes_schema))

    async def _models(self, request: Request, _: Match[str]) -> Reply:
        check_key(request)
        return reply_json({"object": "list", "data": [_model_words(model) for model in MODELS]})

    async def _model(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        check_model(found[1])
        return reply_json(_model_words(found[1]), headers={"x-request-id": f"req_{self.core.new_id()}"})

    def render(self, asked: Asked, said: Answer, request_id: str) -> dict[str, Any]:
        filtered = said.stop == "refusal" and said.category == "content_filter"
        refusal = "I'm sorry, I can't help with that." if said.stop == "refusal" and not filtered else None
        tokens = said.tokens
        fresh = tokens.fresh + tokens.cache_read
        message = {"role": "assistant", "content": said.text or None, "refusal": refusal, "annotations": []}
        reason = "content_filter" if filtered else STOPS[said.stop]
        usage = {
            "prompt_tokens": fresh,
            "completion_tokens": tokens.output,
            "total_tokens": fresh + tokens.output,
            "prompt_tokens_details": {"cached_tokens": tokens.cache_read, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": min(THOUGHT, tokens.output)},
        }
        return {
            "id": request_id.replace("req_", "chatcmpl-"),
            "object": "chat.completion",
            "created": int(time.time()),
            "model": asked.model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
            "usage": usage,
            "service_tier": "default",
        }

    def error(self, name: str, message: str, request_id: str, retry_after: str) -> Reply:
        headers = {"retry-after": retry_after} if retry_after else {}
        return reply_json(self.error_body(name, message), ERRORS[name][0], headers)

    def error_body(self, name: str, message: str) -> dict[str, Any]:
        _, kind, code = ERRORS[name]
        said = TOO_LONG if name == "context" else message
        return {"error": {"message": said, "type": kind, "param": None, "code": code}}

    def headers(self, request_id: str, limits: dict[str, Bucket]) -> dict[str, str]:
        head = {"x-request-id": request_id}
        for name, word in (("requests", "requests"), ("input", "tokens")):
            if bucket := limits.get(name):
                bucket.wait(0)
                full = (bucket.capacity - bucket.level) * 60 / bucket.per_minute
                head[f"x-ratelimit-limit-{word}"] = str(bucket.per_minute)
                head[f"x-ratelimit-remaining-{word}"] = str(max(0, int(bucket.level)))
                head[f"x-ratelimit-reset-{word}"] = f"{full:.3f}s"
        return head


def _model_words(model: str) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": 1_790_000_000, "owned_by": "vendor", "shutdown_date": None}
