"""The API's page: drawn from the schema, complete, and usable as it stands."""

import json

import pytest
from django.test import Client

from scoring.api_reference import Reader, calls
from tests.scoring import world

SCHEMAS = {
    "Kind": {"type": "string", "enum": ["a", "b"]},
    "Node": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "description": "What it is called."},
            "kind": {"allOf": [{"$ref": "#/components/schemas/Kind"}], "nullable": True, "default": "a"},
            "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
            "weights": {"type": "object", "additionalProperties": {"type": "number"}},
        },
    },
}
NODE = {"$ref": "#/components/schemas/Node"}


def test_it_names_every_field_with_its_place():
    fields = {one.name: one for one in Reader(SCHEMAS).fields(NODE)}
    assert fields["name"].required
    assert fields["parts[].name"].says == "What it is called."
    assert not fields["parts[].kind"].required


def test_it_says_kinds_in_words():
    kinds = {one.name: one.kind for one in Reader(SCHEMAS).fields(NODE)}
    assert kinds["name"] == "text"
    assert kinds["kind"] == "a or b, or null; a unless given"
    assert kinds["weights"] == "object: name → number"


def test_a_schema_that_contains_itself_ends():
    assert max(one.name.count("parts") for one in Reader(SCHEMAS).fields(NODE)) == 5


def test_a_list_is_told_by_what_is_in_it():
    assert next(Reader(SCHEMAS).fields({"type": "array", "items": NODE})).name == "[].name"


def test_an_example_holds_what_is_required():
    assert Reader(SCHEMAS).example(NODE) == {"name": "…"}


@pytest.mark.django_db
def test_the_page_shows_every_call_of_the_schema():
    client = Client()
    client.force_login(world.person("reader", "viewer"))
    page, schema = client.get("/api/docs").content.decode(), client.get("/api/schema").json()
    for call in calls(schema):
        assert f'id="{call.name}"' in page
        assert call.path in page
        if call.example:
            assert isinstance(json.loads(call.example), dict)
