"""The API's OpenAPI schema as people read it: each call with its fields, answers and an example."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 4  # levels of nesting, in case a schema contains itself


@dataclass(frozen=True)
class Field:
    """`name` with its place: articles[].title."""

    name: str
    kind: str
    says: str = ""
    required: bool = False


@dataclass(frozen=True)
class Answer:
    status: str
    says: str
    fields: list[Field] = field(default_factory=list)


@dataclass(frozen=True)
class Call:
    name: str
    method: str
    path: str
    says: str
    parameters: list[Field]
    body: list[Field]
    example: str
    answers: list[Answer]


def calls(schema: Mapping[str, Any]) -> list[Call]:
    """Every call of an OpenAPI 3 schema, in its order."""
    reader = Reader(schema.get("components", {}).get("schemas", {}))
    return [
        reader.call(path, method, item[method])
        for path, item in schema["paths"].items()
        for method in METHODS
        if method in item
    ]  # fmt: skip


class Reader:
    def __init__(self, named: Mapping[str, Any]):
        self.named = named

    def call(self, path: str, method: str, said: Mapping[str, Any]) -> Call:
        body = _json_of(said.get("requestBody", {}))
        return Call(
            name=said["operationId"],
            method=method.upper(),
            path=path,
            says=said.get("description") or said.get("summary", ""),
            parameters=[self.parameter(one) for one in said.get("parameters", ())],
            body=list(self.fields(body)),
            example=json.dumps(self.example(body), ensure_ascii=False) if body else "",
            answers=[self.answer(status, one) for status, one in sorted(said["responses"].items())],
        )

    def parameter(self, said: Mapping[str, Any]) -> Field:
        says = said.get("description", "")
        return Field(said["name"], self.kind(said["schema"]), says, bool(said.get("required")))

    def answer(self, status: str, said: Mapping[str, Any]) -> Answer:
        fields = list(self.fields(_json_of(said))) if status.startswith("2") else []
        return Answer(status, said.get("description", ""), fields)

    def fields(self, schema: Mapping[str, Any], place: str = "", depth: int = 0) -> Iterator[Field]:
        """Each named field below a schema, with its place; what has none (a bare list, a map) is told by its kind."""
        schema = self.resolved(schema)
        for name, below in schema.get("properties", {}).items():
            full, inner = f"{place}{name}", self.resolved(below)
            says = "" if "enum" in inner else inner.get("description", "")  # which only lists the choices once more
            yield Field(full, self.kind(below), says, name in schema.get("required", ()))
            if depth < DEEPEST:
                item = inner.get("items")
                yield from self.fields(item or inner, f"{full}[]." if item else f"{full}.", depth + 1)
        if "items" in schema and not place:
            yield from self.fields(schema["items"], "[].", depth + 1)

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """With what it refers to in place; what it says itself goes first."""
        refers = schema.get("$ref") or next((one["$ref"] for one in schema.get("allOf", ()) if "$ref" in one), None)
        if refers is None:
            return schema
        found = self.resolved(self.named.get(refers.rpartition("/")[2], {}))
        return {**found, **{name: said for name, said in schema.items() if name not in ("$ref", "allOf")}}

    def kind(self, schema: Mapping[str, Any]) -> str:
        """Such as “list of text” or “champion or challenger, or null; champion unless given”."""
        schema = self.resolved(schema)
        said = self._bare(schema) + (", or null" if schema.get("nullable") else "")
        given = schema.get("default")
        return said if given in (None, "") else f"{said}; {given} unless given"

    def _bare(self, schema: Mapping[str, Any]) -> str:
        if schema.get("enum"):
            return " or ".join(str(one) for one in schema["enum"] if one not in (None, ""))
        if "items" in schema:
            return f"list of {self.kind(schema['items'])}"
        if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
            return f"object: name → {self.kind(schema['additionalProperties'])}"
        words = {
            "string": schema.get("format", "text"),
            "number": "number",
            "integer": "whole number",
            "boolean": "true or false",
        }
        return words.get(schema.get("type", ""), schema.get("type", "anything"))

    def example(self, schema: Mapping[str, Any], depth: int = 0) -> Any:
        """Something that the schema allows, with what it requires only."""
        schema = self.resolved(schema)
        if "items" in schema:
            return [self.example(schema["items"], depth + 1)] if depth < DEEPEST else []
        if "properties" in schema:
            wanted = schema.get("required") or list(schema["properties"])[:1]
            return {name: self.example(schema["properties"][name], depth + 1) for name in wanted}
        if schema.get("enum"):
            return schema["enum"][0]
        return {"integer": 1, "number": 7.5, "boolean": True, "object": {}}.get(schema.get("type", ""), "…")


def _json_of(said: Mapping[str, Any]) -> Mapping[str, Any]:
    return said.get("content", {}).get("application/json", {}).get("schema", {})
