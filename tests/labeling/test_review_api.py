"""Queues and reviews over REST: as the page, for the person behind a key, and blind until their own scores are in."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from distillery_site.common.models import ApiKey
from labeling import services
from labeling.models import OracleLabel, Review, ReviewTask, ReviewTurn
from labeling.reviewing import turns
from tests.labeling import world

SCORES = {"good": 7, "bad": None}


@pytest.fixture
def tasks(version: Any) -> list[ReviewTask]:
    """Two, the weightier first, each labelled by an oracle."""
    oracle, found = services.get_oracle(provider="external", model="A careful judge"), world.articles(2)
    for article in found:
        OracleLabel.objects.create(
            version=version, article=article, oracle=oracle, scores=[9, 1], text_sha256=article.text_sha256, reasoning="So."
        )
    return [
        services.open_review(version=version, article=one, reason="sent", priority=2 - place) for place, one in enumerate(found)
    ]


@pytest.fixture
def caller(version: Any, django_user_model: Any) -> Any:
    """A client with the key of a new person who has these roles, and by default the filter."""

    def make(name: str = "nina", *roles: str, given: bool = True) -> Client:
        user = django_user_model.objects.create_user(name)
        user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles or ("reviewer",)])
        if given:
            user.filter_access.create(filter=version.filter)
        return Client(headers={"Authorization": f"Bearer {ApiKey.objects.issue(user=user, name='test')[1]}"})

    return make


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_draw", lambda: 1.0)


def post(client: Client, path: str, **body: Any) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type="application/json")


def refused(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.content
    return answer.json()["error"]["message"]


def test_it_lists_what_waits_without_a_word_on_why(caller: Any, tasks: list[ReviewTask]):
    client = caller()
    (queue,) = client.get("/api/v1/queues").json()["results"]
    assert queue == {"filter": "tiny", "name": "Tiny", "open": 2, "yours": 2}
    found = client.get("/api/v1/queues/tiny/tasks?limit=1").json()
    assert (found["total"], [one["id"] for one in found["results"]]) == (2, [tasks[0].pk])
    assert set(found["results"][0]) == {"id", "article", "title", "wanted", "reviewed", "due_at"}


@pytest.mark.usefixtures("blind")
def test_it_gives_the_next_article_blind_and_the_oracle_after_ones_own_scores(caller: Any, tasks: list[ReviewTask]):
    client = caller()
    task = post(client, "queues/tiny/next").json()
    assert (task["id"], task["blind"], task["oracles"]) == (tasks[0].pk, True, [])
    assert [scale["key"] for scale in task["dimensions"]] == ["good", "bad"] and task["text"].startswith("word0x0")
    assert post(client, "queues/tiny/next").json()["id"] == task["id"], "it is theirs until they are done"
    kept = post(client, f"tasks/{task['id']}/review", scores=SCORES, submission=str(uuid4()), read=task["text_sha256"]).json()
    assert (kept["scores"], kept["blind"], kept["final"]) == ({"good": 7.0, "bad": None}, True, None)
    assert kept["oracles"][0]["scores"] == {"good": 9.0, "bad": 1.0} and kept["oracles"][0]["reasoning"] == "So."
    final = post(client, f"tasks/{task['id']}/finish", scores={"good": 8, "bad": 1}).json()
    assert (final["scores"]["good"], final["final"]["good"]) == (7.0, 8.0)
    assert post(client, "queues/tiny/next").json()["id"] == tasks[1].pk


def test_a_turn_that_was_drawn_open_shows_the_oracle_at_once(caller: Any, tasks: list[ReviewTask], monkeypatch: Any):
    monkeypatch.setattr(turns, "_draw", lambda: 0.0)
    task = post(caller(), "queues/tiny/next").json()
    assert (task["blind"], task["oracles"][0]["scores"]) == (False, {"good": 9.0, "bad": 1.0})


def test_the_same_submission_twice_is_kept_once(caller: Any, tasks: list[ReviewTask]):
    client, body = caller(), {"scores": SCORES, "submission": str(uuid4())}
    first, second = (post(client, f"tasks/{tasks[0].pk}/review", **body) for _ in range(2))
    assert first.status_code == second.status_code == 200 and first.json() == second.json()
    assert Review.objects.count() == 1
    again = post(client, f"tasks/{tasks[0].pk}/review", **{**body, "submission": str(uuid4())})
    assert "You have reviewed this article already" in refused(again, 409)


def test_what_cannot_be_kept_is_told(caller: Any, tasks: list[ReviewTask]):
    client, path = caller(), f"tasks/{tasks[0].pk}/review"
    name = {"submission": str(uuid4())}
    assert "bad" in refused(post(client, path, scores={"good": 7}, **name), 400)
    assert "no such dimension" in refused(post(client, path, scores={**SCORES, "ugly": 1}, **name), 400)
    assert "between 0 and 10" in refused(post(client, path, scores={"good": 11, "bad": 1}, **name), 400)
    assert "at most 5,000" in refused(post(client, path, scores=SCORES, comment="x" * 5001, **name), 400)
    assert "submission" in refused(post(client, path, scores=SCORES), 400)
    assert "no such field" in refused(post(client, path, scores=SCORES, why="x", **name), 400)
    assert "text was changed" in refused(post(client, path, scores=SCORES, read="0" * 64, **name), 409)
    assert not Review.objects.exists()


def test_a_closed_task_says_so_and_keeps_one_more_opinion_on_request(caller: Any, tasks: list[ReviewTask]):
    path = f"tasks/{tasks[0].pk}/review"
    post(caller("first"), path, scores=SCORES, submission=str(uuid4()))
    late, body = caller("late"), {"scores": SCORES, "submission": str(uuid4())}
    assert "reviewed this article meanwhile" in refused(post(late, path, **body), 409)
    assert post(late, path, **body, extra=True).status_code == 200


def test_skipping_takes_a_reason_and_goes_on(caller: Any, tasks: list[ReviewTask]):
    client = caller()
    path = f"tasks/{post(client, 'queues/tiny/next').json()['id']}/skip"
    assert post(client, path, reason=" ").status_code == 400
    assert post(client, path, reason="I know the author.").status_code == 204
    assert ReviewTurn.objects.get().skip_reason == "I know the author."
    post(client, f"tasks/{post(client, 'queues/tiny/next').json()['id']}/skip", reason="And this one.")
    assert post(client, "queues/tiny/next").status_code == 204


@pytest.mark.parametrize("path", ["queues/tiny/next", "tasks/{}/review", "tasks/{}/skip", "tasks/{}/finish"])
def test_it_is_for_reviewers_of_the_filter(caller: Any, tasks: list[ReviewTask], path: str):
    path = path.format(tasks[0].pk)
    body = {"scores": SCORES, "submission": str(uuid4()), "reason": "x"}
    assert post(Client(), path, **body).status_code == 401
    assert post(caller("viewer", "viewer"), path, **body).status_code == 403
    assert "not for this filter" in refused(post(caller("foreign", given=False), path, **body), 403)


def test_a_reviewer_without_filters_has_no_queue(caller: Any, tasks: list[ReviewTask]):
    client = caller(given=False)
    assert client.get("/api/v1/queues").json() == {"results": []}
    assert client.get("/api/v1/queues/tiny/tasks").status_code == 403


def test_the_schema_tells_of_it(caller: Any):
    schema = caller("viewer", "viewer").get("/api/schema").json()
    paths = [path for path in schema["paths"] if "queues" in path or "tasks" in path]
    assert len(paths) == 6
    body = schema["components"]["schemas"]["ReviewRequest"]
    assert body["additionalProperties"] is False and set(body["required"]) == {"scores", "submission"}
