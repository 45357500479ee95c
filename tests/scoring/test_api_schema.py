"""The schema says what the API does: Schemathesis sends what it allows and what it forbids, and reads the answers."""

import re

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth

from tests.scoring import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(champion):
    return world.key(world.person("analyst", "viewer"))


@pytest.fixture
def open_connection():
    """The real application closes its database connection after a request; in a test's transaction it must not."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def schema(key, open_connection):
    from distillery_site.wsgi import application

    schema = schemathesis.openapi.from_wsgi("/api/schema", application, headers=headers(key))
    schema.config.generation.update(allow_x00=False)  # refused with a sentence, and no schema language can say so
    return schema


def headers(key):
    return {"Authorization": f"Bearer {key}", "Host": "localhost"}


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("path", "method"), [("/api/v1/score", "POST"), ("/api/v1/filters", "GET"), ("/api/v1/models", "GET")])
def test_it_answers_as_its_schema_says(schema, key, path, method, mode):
    @given(schema[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def holds(case: schemathesis.Case) -> None:
        if mode is GenerationMode.POSITIVE and isinstance(case.body, dict):
            case.body["filter"] = "uplifting"  # the only one there is; made-up names never reach a student
        case.call_and_validate(headers=headers(key), excluded_checks=[ignored_auth])

    holds()


def test_the_schema_documents_every_refusal(key):
    schema = Client().get("/api/schema", headers={"Authorization": f"Bearer {key}"}).json()
    answers = schema["paths"]["/api/v1/score"]["post"]["responses"]
    assert set(answers) == {"200", "400", "401", "403", "404", "409", "413", "415", "429", "502", "503"}
    assert schema["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert schema["components"]["schemas"]["ScoreRequest"]["additionalProperties"] is False


def test_the_documentation_needs_nothing_from_elsewhere(key):
    client = Client()
    client.force_login(world.person("reader", "viewer"))
    page = client.get("/api/docs")
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page.content.decode(), re.DOTALL)
    sources = [re.search(r'src="([^"]+)"', tag).group(1) for tag, _ in scripts]
    assert all(source.startswith("/") for source in sources)
    assert all(not inline.strip() for _, inline in scripts), "the content security policy forbids inline scripts"
