"""POST /api/v1/filters/…/promote and rollback: who answers, chosen by a program."""

from typing import Any

import pytest
from django.test import Client

from tests.scoring import world
from training.models import Promotion
from training.services import model_for

PROMOTE, ROLLBACK = "/api/v1/filters/uplifting/promote", "/api/v1/filters/uplifting/rollback"


def near(i: int, c: int) -> float:
    return 0.2 + 0.2 * (i % 2)


@pytest.fixture
def program(db: None) -> Client:
    """Acts for an operator."""
    return caller("operator")


@pytest.fixture
def measured(model: Any, engine: Any) -> Any:
    world.measured(model, near)
    return model


def caller(role: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {world.key(world.person(role, role))}"})


def post(client: Client, path: str, **body: Any) -> Any:
    return client.post(path, body, content_type="application/json")


def test_it_promotes_through_the_gates_and_says_what_they_said(program, measured, uplifting):
    answer = post(program, PROMOTE, model="news-ridge/v1").json()
    assert answer["model"] == {"name": "news-ridge", "version": 1, "manifest_sha256": measured.manifest_sha256}
    assert (answer["filter"], answer["alias"], answer["before"]) == ("uplifting", "champion", None)
    assert [gate["passed"] for gate in answer["gates"]] == [True] * 4 + [None]
    assert model_for(uplifting.filter) == measured
    assert Promotion.objects.get().by.username == "operator"


def test_a_closed_gate_is_a_conflict_until_there_is_a_reason(program, model, engine, uplifting):
    refused = post(program, PROMOTE, model="news-ridge/v1")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "gates_closed")
    assert "It has no benchmark on a test split that has labels of this filter." in refused.json()["error"]["problems"]
    assert post(program, PROMOTE, model="news-ridge/v1", reason="It is the first.").status_code == 200
    assert Promotion.objects.get().reason == "It is the first."


def test_it_rolls_back_one_step_at_a_time(program, measured, dataset, root, uplifting):
    newer = world.model(dataset, root)
    world.measured(newer, near)
    for number in (1, 2):
        assert post(program, PROMOTE, model=f"news-ridge/v{number}").status_code == 200
    answer = post(program, ROLLBACK).json()
    assert (answer["model"]["version"], answer["before"]["version"], answer["gates"]) == (1, 2, [])
    refused = post(program, ROLLBACK)
    assert refused.status_code == 400 and "nothing to go back to" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        (PROMOTE, {"model": "news-ridge/v9"}, 404, "There is no model 'news-ridge/v9'"),
        (PROMOTE, {"model": "news-ridge/v१"}, 404, "There is no model"),
        (PROMOTE, {"model": "news-ridge/v1", "alias": "king"}, 400, "king"),
        (PROMOTE, {"model": "news-ridge/v1", "force": True}, 400, "There is no such field"),
        (PROMOTE, {"model": "news-ridge/v1", "reason": "x" * 501}, 400, "no more than 500"),
        (PROMOTE.replace("uplifting", "risk"), {"model": "news-ridge/v1"}, 404, "There is no filter 'risk'"),
        (ROLLBACK, {"model": "news-ridge/v1"}, 400, "There is no such field"),
    ],
)
def test_it_refuses_in_a_sentence(program, measured, path, body, status, said):
    refused = post(program, path, **body)
    assert refused.status_code == status and said in refused.json()["error"]["message"]


def test_a_lead_may_not_promote(db, measured):
    assert post(caller("lead"), PROMOTE, model="news-ridge/v1").status_code == 403
    assert post(caller("reviewer"), ROLLBACK).status_code == 403
