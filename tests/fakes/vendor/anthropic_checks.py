"""What Anthropic's API refuses, and what it understands."""

from collections.abc import Iterator
from typing import Any

from tests.fakes.vendor import answers
from tests.fakes.vendor.answers import Asked
from tests.fakes.vendor.core import KEY, Refused
from tests.fakes.vendor.http import Request

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
BOUNDS = ("minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems")
MOST_UNIONS = 16
GONE = ("temperature", "top_p", "top_k")
EFFORTS = ("low", "medium", "high", "xhigh", "max")


def check_headers(request: Request) -> None:
    given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
    if given != KEY:
        raise Refused("401", "invalid api key")
    if not request.headers.get("anthropic-version"):
        raise Refused("400", "anthropic-version: header is required")


def asked_for(body: dict[str, Any], where: str = "") -> Asked:
    """The request, once all is checked that the real API checks."""
    if gone := [name for name in GONE if name in body]:
        raise Refused("400", f"{gone[0]}: this parameter is no longer supported")
    no_unknown(body, KNOWN, where)
    check_model(body.get("model"))
    if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1 or not body.get("messages"):
        raise Refused("400", "max_tokens and messages are required")
    first, *rest = _turns(body["messages"])
    schema = _schema(body.get("output_config") or {})
    if schema is None and answers.has_frame(first):
        raise Refused("400", "output_config.format: an article is judged by a schema")
    system = body.get("system", "")
    caches = "cache_control" in body or any("cache_control" in block for block in system if isinstance(block, dict))
    return Asked("anthropic", body["model"], text_of(system), first, tuple(rest), schema, body["max_tokens"], caches)


def no_unknown(body: dict[str, Any], known: set[str], where: str = "") -> None:
    if unknown := sorted(set(body) - known):
        raise Refused("400", f"{where}{unknown[0]}: extra inputs are not permitted")


def check_model(model: Any) -> None:
    if model not in MODELS:
        raise Refused("404", f"model: {model}")


def _turns(messages: list[dict[str, Any]]) -> list[str]:
    roles = [message.get("role") for message in messages]
    if roles[-1] != "user":
        raise Refused("400", "the conversation must end with a user message: prefilling is not supported by this model")
    if any(role != ("user", "assistant")[place % 2] for place, role in enumerate(roles)):
        raise Refused("400", "messages: roles must alternate, starting with user")
    texts = [text_of(message["content"]) for message in messages]
    if not all(texts):
        raise Refused("400", "messages: text content blocks must be non-empty")
    return texts


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def _schema(config: dict[str, Any]) -> dict[str, Any] | None:
    if config.get("effort", "low") not in EFFORTS:
        raise Refused("400", f"output_config.effort: must be one of {', '.join(EFFORTS)}")
    form = config.get("format")
    if form is None:
        return None
    if form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
        raise Refused("400", "output_config.format.type: must be json_schema, with a schema")
    _check_schema(form["schema"])
    return form["schema"]


def _check_schema(schema: dict[str, Any]) -> None:
    parts = list(_parts(schema))
    if bounds := sorted({bound for part in parts for bound in BOUNDS if bound in part}):
        raise Refused("400", f"output_config.format.schema: property '{bounds[0]}' is not supported")
    if any(part.get("type") == "object" and part.get("additionalProperties") is not False for part in parts):
        raise Refused("400", "output_config.format.schema: for 'object' type, 'additionalProperties' must be set to false")
    unions = sum("anyOf" in part or isinstance(part.get("type"), list) for part in parts)
    if unions > MOST_UNIONS:
        raise Refused("400", f"Schemas contains too many parameters with union types ({unions}; limit: {MOST_UNIONS})")


def _parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for part in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from _parts(part)
