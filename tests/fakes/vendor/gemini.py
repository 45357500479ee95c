"""Gemini's API as google-genai speaks it: generateContent, countTokens, batches and models."""

import re
from re import Match
from typing import Any

from tests.fakes.vendor import answers
from tests.fakes.vendor.answers import THOUGHT, Answer, Asked
from tests.fakes.vendor.core import Core, Route, body_of, reply_json
from tests.fakes.vendor.gemini_batches import GeminiBatches
from tests.fakes.vendor.gemini_checks import asked_for, check_key, check_model, no_unknown, text_of
from tests.fakes.vendor.http import Reply, Request
from tests.fakes.vendor.state import Bucket

STOPS = {"end": "STOP", "max_tokens": "MAX_TOKENS", "refusal": "SAFETY", "context": "MAX_TOKENS"}
REASONS = ("RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII")  # categories of a refusal that are reasons of their own
ERRORS = {
    "400": (400, "INVALID_ARGUMENT"),
    "401": (401, "UNAUTHENTICATED"),
    "402": (400, "FAILED_PRECONDITION"),
    "404": (404, "NOT_FOUND"),
    "413": (400, "INVALID_ARGUMENT"),
    "429": (429, "RESOURCE_EXHAUSTED"),
    "500": (500, "INTERNAL"),
    "529": (503, "UNAVAILABLE"),
    "bad_key": (400, "INVALID_ARGUMENT"),
    "context": (400, "INVALID_ARGUMENT"),
    "spend_limit": (429, "RESOURCE_EXHAUSTED"),
}
WORDS = {
    "402": "Please enable billing on your project.",
    "413": "Request payload size exceeds the limit: 20971520 bytes.",
    "context": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "spend_limit": "Your project has exceeded its monthly spending cap.",
}


class Gemini:
    name = "gemini"

    def __init__(self, core: Core):
        self.core = core
        self.routes: list[Route] = [
            ("POST", re.compile(r"/v1(?:beta)?/models/([^/:]+):generateContent"), self._generate),
            ("POST", re.compile(r"/v1(?:beta)?/models/([^/:]+):countTokens"), self._count),
            ("GET", re.compile(r"/v1(?:beta)?/models/([^/:]+)"), self._model),
        ]
        self.routes += GeminiBatches(core, self).routes

    async def _generate(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        body = body_of(request)
        return await self.core.ask(self, body, asked_for(body, found[1]))

    async def _count(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        check_model(found[1])
        body = body_of(request)
        no_unknown(body, {"contents"})
        return reply_json({"totalTokens": sum(answers.count(text_of(content)) for content in body["contents"])})

    async def _model(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        check_model(found[1])
        limits = {"inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536}
        methods = ["generateContent", "countTokens", "batchGenerateContent"]
        return reply_json(
            {"name": f"models/{found[1]}", "displayName": found[1], "supportedGenerationMethods": methods, **limits}
        )

    def render(self, asked: Asked, said: Answer, request_id: str) -> dict[str, Any]:
        tokens, prompt = said.tokens, said.tokens.fresh + said.tokens.cache_read
        thought = min(tokens.output, THOUGHT)
        usage: dict[str, Any] = {
            "promptTokenCount": prompt,
            "candidatesTokenCount": tokens.output - thought,
            "thoughtsTokenCount": thought,
            "totalTokenCount": prompt + tokens.output,
        }
        if tokens.cache_read:
            usage["cachedContentTokenCount"] = tokens.cache_read
        whole = {"usageMetadata": usage, "modelVersion": asked.model, "responseId": request_id}
        if said.category == "blocked":
            return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, **whole}
        return {"candidates": [_candidate(said)], **whole}

    def error(self, name: str, message: str, request_id: str, retry_after: str) -> Reply:
        return reply_json(self.error_body(name, message, retry_after), ERRORS[name][0])

    def error_body(self, name: str, message: str, retry_after: str = "") -> dict[str, Any]:
        """The wait stands in the body; there is no header for it."""
        status, word = ERRORS[name]
        details: list[dict[str, Any]] = []
        if name == "bad_key":
            reason = {"reason": "API_KEY_INVALID", "domain": "googleapis.com"}
            details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", **reason})
        if retry_after:
            details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{retry_after}s"})
        return {"error": {"code": status, "message": WORDS.get(name, message), "status": word, "details": details}}

    def headers(self, request_id: str, limits: dict[str, Bucket]) -> dict[str, str]:
        return {}


def _candidate(said: Answer) -> dict[str, Any]:
    reason = said.category if said.category in REASONS else STOPS[said.stop]
    if said.stop in ("refusal", "context"):
        return {"finishReason": reason, "index": 0}
    thoughts = [{"text": said.thought, "thought": True}] if len(said.thought) > 1 else []
    return {"content": {"role": "model", "parts": [*thoughts, {"text": said.text}]}, "finishReason": reason, "index": 0}
