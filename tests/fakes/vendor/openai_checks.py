"""What OpenAI's API refuses, and what it understands."""

import json
from collections.abc import Iterator
from typing import Any

from tests.fakes.vendor import answers
from tests.fakes.vendor.answers import Asked
from tests.fakes.vendor.core import KEY, Refused
from tests.fakes.vendor.http import Request

MODELS = ("gpt-6.1-terra", "local-model")
KNOWN = {
    *("model", "messages", "response_format", "max_completion_tokens", "max_tokens", "seed", "temperature", "top_p"),
    *("service_tier", "prompt_cache_key", "reasoning_effort", "verbosity", "metadata", "store", "n", "stop", "stream"),
    *("user", "safety_identifier"),
}
NO_LIMIT = 16_000


def check_key(request: Request) -> None:
    if request.headers.get("authorization") != f"Bearer {KEY}":
        raise Refused("401", "Incorrect API key provided.")


def check_model(model: Any) -> None:
    if model not in MODELS:
        raise Refused("404", f"The model `{model}` does not exist or you do not have access to it.")


def asked_for(body: dict[str, Any], takes_schema: bool) -> Asked:
    """The request, once all is checked that the real API checks."""
    no_unknown(body, KNOWN)
    check_model(body.get("model"))
    if "max_tokens" in body and body["model"].startswith("gpt-"):
        text = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        raise Refused("400", text)
    system, (first, *rest) = _messages(body.get("messages") or [])
    schema = _schema(body.get("response_format"), system, takes_schema)
    if schema is None and answers.has_frame(first):
        raise Refused("400", "response_format: an article is judged by a schema")
    room = body.get("max_completion_tokens") or body.get("max_tokens") or NO_LIMIT
    return Asked("openai", body["model"], system, first, tuple(rest), schema, room, caches=True)


def no_unknown(body: dict[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(body) - known):
        raise Refused("400", f"Unrecognized request argument supplied: {unknown[0]}")


def _messages(messages: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """(system, what was said in turn)"""
    system = "".join(text_of(message["content"]) for message in messages if message["role"] in ("system", "developer"))
    said = [message for message in messages if message["role"] not in ("system", "developer")]
    if not said or said[-1]["role"] != "user":
        raise Refused("400", "messages: the last one must be the user's")
    return system, [text_of(message["content"]) for message in said]


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _schema(form: dict[str, Any] | None, system: str, takes_schema: bool) -> dict[str, Any] | None:
    kind = (form or {}).get("type", "text")
    if kind == "json_object":
        if "json" not in system.lower():
            raise Refused(
                "400", "'messages' must contain the word 'json' in some form, to use a 'response_format' of json_object."
            )
        return next(_schemas_in(system), None)
    if kind != "json_schema" or form is None:
        return None
    if not takes_schema:
        raise Refused("400", "response_format: json_schema is not supported by this server")
    given = form.get("json_schema") or {}
    if not given.get("name") or not isinstance(given.get("schema"), dict):
        raise Refused("400", "Missing required parameter: 'response_format.json_schema.name' or its schema.")
    if given.get("strict"):
        _check_strict(given["schema"])
    return given["schema"]


def _check_strict(schema: dict[str, Any]) -> None:
    if schema.get("type") != "object":
        return
    if schema.get("additionalProperties") is not False:
        raise Refused("400", "Invalid schema: 'additionalProperties' is required to be supplied and to be false.")
    if set(schema.get("required", ())) != set(schema.get("properties", {})):
        raise Refused("400", "Invalid schema: 'required' is required to be an array including every key in properties.")
    for part in schema.get("properties", {}).values():
        _check_strict(part)


def _schemas_in(text: str) -> Iterator[dict[str, Any]]:
    """Schemas that stand in the prompt, where the server takes none of its own."""
    place = text.find('{"')
    while place >= 0:
        try:
            value, _ = json.JSONDecoder().raw_decode(text, place)
            if "properties" in value:
                yield value
        except ValueError:
            pass
        place = text.find('{"', place + 1)
