"""Filling a queue from its page and from a terminal, and sending the movers of a comparison."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from labeling.models import FilterAccess, FilterVersion, ReviewTask
from tests.scoring import world
from training.models import Dataset, ModelVersion


@pytest.fixture
def lead(client: Client, uplifting: FilterVersion) -> Client:
    person = world.person("lead", "lead")
    FilterAccess.objects.get_or_create(user=person, filter=uplifting.filter)
    client.force_login(person)
    return client


@pytest.fixture
def measured(model: ModelVersion) -> ModelVersion:
    world.measured(model, lambda i, c: i / 10)
    return model


def fill(client: Client, queue: str, limit: int = 3) -> Any:
    return client.post("/filters/uplifting/queue", {"queue": queue, "limit": limit}, follow=True)


def command(*words: str) -> str:
    out = StringIO()
    call_command("review_queue", *words, stdout=out)
    return out.getvalue()


def test_a_lead_fills_the_queue_by_a_policy(lead: Client, uplifting: FilterVersion, measured: ModelVersion):
    assert "Label looks wrong" in lead.get("/filters/uplifting/queue").content.decode()
    assert "3 articles wait for a review now." in fill(lead, "worst").content.decode()
    assert set(ReviewTask.objects.values_list("version", "reason")) == {(uplifting.pk, "worst")}


@pytest.mark.parametrize(
    ("queue", "limit", "complaint"),
    [
        ("oracles", 3, "is the only oracle"),
        ("quotes", 3, "is in its article"),
        ("nothing", 3, "not one of"),
        ("random", 501, "500"),
    ],
)
def test_what_cannot_be_added_is_said(lead: Client, measured: ModelVersion, queue: str, limit: int, complaint: str):
    answer = fill(lead, queue, limit)
    assert answer.status_code == 400 and complaint in answer.content.decode()
    assert not ReviewTask.objects.exists()


def test_a_policy_that_finds_nothing_more_says_so(lead: Client, measured: ModelVersion):
    fill(lead, "readings", 20)
    assert "waits already, or people have reviewed it" in fill(lead, "readings", 20).content.decode()


def test_who_only_reviews_adds_nothing(client: Client, uplifting: FilterVersion):
    client.force_login(world.person("reviewer", "reviewer"))
    assert fill(client, "random").status_code == 403


def test_the_movers_of_a_comparison_are_sent(lead: Client, dataset: Dataset, measured: ModelVersion, root: Any):
    other = world.model(dataset, root, name="other")
    world.measured(other, lambda i, c: i / 10 + 2 * (i < 3))
    versions = {"first": other.ref, "second": measured.ref, "split": "test"}
    assert "Send them all to review" in lead.get("/models/compare", versions).content.decode()
    answer = lead.post("/models/compare/review", versions, follow=True).content.decode()
    assert "3 articles wait for a review now." in answer
    assert {task.reason for task in ReviewTask.objects.all()} == {"mover"}


def test_movers_of_nothing_are_refused(lead: Client, measured: ModelVersion):
    assert lead.post("/models/compare/review", {"first": "x"}).status_code == 400
    assert lead.post("/models/compare/review", {"first": measured.ref, "second": measured.ref}).status_code == 400


def test_the_command_fills_and_tells_the_queue(measured: ModelVersion):
    assert "3 articles wait for a review now." in command("uplifting", "--add", "worst", "--limit", "3")
    told = json.loads(command("uplifting", "--json"))
    assert told == {"version": "uplifting v1", "waiting": 3, "overdue": 0, "done": 0, "reasons": {"worst": 3}}
    assert "the student's worst error" in command("uplifting")


def test_the_command_says_what_is_missing(uplifting: FilterVersion):
    with pytest.raises(CommandError, match="No student of uplifting v1"):
        command("uplifting", "--add", "gap")
