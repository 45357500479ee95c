"""What Gemini's API refuses, and what it understands."""

from typing import Any

from tests.fakes.vendor import answers
from tests.fakes.vendor.answers import Asked
from tests.fakes.vendor.core import KEY, Refused
from tests.fakes.vendor.http import Request

MODELS = ("gemini-3.5-flash-lite", "gemini-3.8-flash")
KNOWN = {"contents", "systemInstruction", "generationConfig", "safetySettings", "serviceTier", "cachedContent", "store"}
CONFIG = {
    *("temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "seed", "responseMimeType"),
    *("responseSchema", "responseJsonSchema", "thinkingConfig", "presencePenalty", "frequencyPenalty"),
}
NO_LIMIT = 65_536


def check_key(request: Request) -> None:
    if request.headers.get("x-goog-api-key") != KEY:
        raise Refused("bad_key", "API key not valid. Please pass a valid API key.")


def check_model(model: str) -> None:
    if model not in MODELS:
        raise Refused("404", f"models/{model} is not found for API version v1, or is not supported for generateContent.")


def asked_for(body: dict[str, Any], model: str) -> Asked:
    """The request, once all is checked that the real API checks."""
    check_model(model)
    no_unknown(body, KNOWN)
    config = body.get("generationConfig") or {}
    no_unknown(config, CONFIG, "generation_config")
    first, *rest = _turns(body.get("contents") or [])
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    if schema and config.get("responseMimeType") != "application/json":
        raise Refused("400", "response_mime_type must be application/json where there is a response schema")
    if schema is None and answers.has_frame(first):
        raise Refused("400", "generation_config: an article is judged by a schema")
    system = text_of(body.get("systemInstruction") or {})
    return Asked("gemini", model, system, first, tuple(rest), schema, config.get("maxOutputTokens", NO_LIMIT), caches=True)


def no_unknown(body: dict[str, Any], known: set[str], where: str = "request") -> None:
    if unknown := sorted(set(body) - known):
        raise Refused("400", f"Invalid JSON payload received. Unknown name \"{unknown[0]}\" at '{where}': Cannot find field.")


def _turns(contents: list[dict[str, Any]]) -> list[str]:
    roles = [content.get("role", "user") for content in contents]
    if not roles or roles[-1] != "user":
        raise Refused("400", "Please ensure that multiturn requests end with a user role.")
    return [text_of(content) for content in contents]


def text_of(content: dict[str, Any]) -> str:
    return "".join(part.get("text", "") for part in content.get("parts", ()))
