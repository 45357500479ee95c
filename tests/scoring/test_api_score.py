"""POST /api/v1/score: scores as in training, the policy applied on top, and every refusal in the same shape."""

import json
from datetime import date

import pytest
from django.test import Client, override_settings

from labeling.models import Article
from scoring import services
from scoring.engine.base import BrokenModel, EngineDown, Overloaded
from tests.scoring import world

URL = "/api/v1/score"
GOOD = "water " * 8 + "for the village."


@pytest.fixture
def analyst(db):
    """A program with a viewer's key."""
    key = world.key(world.person("analyst", "viewer"))
    return Client(headers={"Authorization": f"Bearer {key}"})


def ask(client, *articles, **more):
    body = {"filter": "uplifting", "articles": list(articles) or [{"text": GOOD}], **more}
    return client.post(URL, json.dumps(body), content_type="application/json")


def refused(response) -> dict:
    error = response.json()["error"]
    assert error["message"].endswith("."), error
    return {"status": response.status_code, "code": error["code"]}


def test_it_scores_articles_in_their_order(analyst, champion):
    answer = ask(analyst, {"id": "a", "title": "A well", "text": GOOD}, {"id": "b", "text": "Nothing."}).json()
    assert [(r["id"], r["scores"]) for r in answer["results"]] == [
        ("a", {"impact": 9.0, "evidence": 7.0}),
        ("b", {"impact": 1.0, "evidence": 0.0}),
    ]
    assert answer["model"] == {"name": "news-ridge", "version": 1, "manifest_sha256": champion.manifest_sha256}
    assert (answer["filter"], answer["policy"]) == ({"slug": "uplifting", "version": 1}, 1)


def test_it_keeps_raw_scores_beside_clipped_ones(analyst, champion):
    [found] = ask(analyst, {"text": "water " * 12}).json()["results"]
    assert (found["raw"], found["scores"]) == ({"impact": 13.0, "evidence": 11.0}, {"impact": 10.0, "evidence": 10.0})


def test_it_weighs_and_names_the_tier(analyst, champion):
    [found] = ask(analyst).json()["results"]
    assert (found["weighted_average"], found["capped_average"], found["tier"], found["applied"]) == (8.5, 8.5, "high", [])


def test_it_applies_gatekeepers_and_says_so(analyst, champion):
    [found] = ask(analyst, {"text": "water and water"}).json()["results"]
    assert (found["weighted_average"], found["capped_average"], found["tier"]) == (2.5, 1.5, "low")
    assert found["applied"] == [{"kind": "gatekeeper", "on": "evidence", "cap": 1.5, "reason": "Hopes are not results."}]


def test_it_follows_the_newest_policy(analyst, champion, uplifting):
    world.policy(uplifting, weights={"impact": 0.0, "evidence": 1.0})
    answer = ask(analyst).json()
    assert (answer["policy"], answer["results"][0]["weighted_average"]) == (2, 7.0)


def test_it_reads_an_article_exactly_as_in_training(analyst, champion, engine, uplifting):
    stored = Article(title="Wells", published=date(2026, 11, 24), text="water  for\nall. " * 300)
    ask(analyst, {"title": "Wells", "published": "2026-11-24", "text": "water  for\nall. " * 300})
    [[shown]] = engine.shelf.student(champion.ref, champion.manifest_sha256).batches
    assert shown == stored.rendered(uplifting.view)
    assert len(shown.split()) == 402


def test_it_can_ask_the_challenger(analyst, champion, dataset, root, uplifting):
    from training.services import promote

    promote(model=world.model(dataset, root), filter=uplifting.filter, alias="challenger")
    assert ask(analyst, alias="challenger").json()["model"]["version"] == 2


@pytest.mark.parametrize("article", [{"text": ""}, {"text": " \n "}, {"title": "A title"}, {"text": None}, {"text": 5}, "words"])
def test_it_refuses_an_article_without_text(analyst, champion, article):
    response = ask(analyst, article)
    assert refused(response) == {"status": 400, "code": "invalid"}
    assert response.json()["error"]["problems"][0].startswith("articles[0]")


def test_it_lists_everything_that_is_wrong(analyst, champion):
    response = ask(analyst, {"text": ""}, {"text": GOOD, "published": "yesterday"}, {"text": GOOD, "txt": "?"}, alias="king")
    assert sorted(problem.partition(":")[0] for problem in response.json()["error"]["problems"]) == [
        "alias",
        "articles[0].text",
        "articles[1].published",
        "articles[2].txt",
    ]


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b'{"filter": NaN}', b"[" * 100_000, b'"text"', b"[]", b"null"])
def test_it_refuses_what_is_not_a_json_object(analyst, champion, body):
    response = analyst.post(URL, body, content_type="application/json")
    assert refused(response)["status"] == 400


@pytest.mark.parametrize("text", ["\\ud800", "a\\u0000b"])
def test_it_refuses_characters_that_are_none(analyst, champion, text):
    body = '{"filter": "uplifting", "articles": [{"text": "' + text + '"}]}'
    assert refused(analyst.post(URL, body, content_type="application/json")) == {"status": 400, "code": "invalid"}


def test_it_refuses_another_content_type(analyst, champion):
    assert refused(analyst.post(URL, {"filter": "uplifting"})) == {"status": 415, "code": "unsupported_media_type"}


def test_it_refuses_an_article_that_is_too_long(analyst, champion):
    response = ask(analyst, {"text": GOOD}, {"text": "x" * 1_000_000})
    assert refused(response) == {"status": 413, "code": "too_large"}
    assert response.json()["error"]["message"] == "Article 2 has more than 200,000 characters."


def test_it_refuses_too_many_articles(analyst, champion, settings):
    assert refused(ask(analyst, *[{"text": "x"}] * 65)) == {"status": 413, "code": "too_large"}


def test_it_refuses_a_body_that_is_too_large(analyst, champion):
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=1024):
        assert refused(ask(analyst, {"text": "x" * 2000})) == {"status": 413, "code": "too_large"}


def test_it_does_not_know_every_filter(analyst, champion):
    assert refused(ask(analyst, filter="nonsense")) == {"status": 404, "code": "not_found"}


def test_it_needs_a_champion(analyst, model, engine):
    assert refused(ask(analyst)) == {"status": 409, "code": "no_model"}


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (Overloaded("Much is waiting.", 7), 429, "7"),
        (EngineDown("Nobody answers."), 503, "5"),
        (BrokenModel("Off."), 502, None),
    ],
)
def test_it_tells_how_the_scoring_process_is(analyst, champion, monkeypatch, error, status, retry):
    class Failing:
        def score(self, **asked):
            raise error

    monkeypatch.setattr(services, "engine", Failing)
    response = ask(analyst)
    assert refused(response) == {"status": status, "code": error.code}
    assert response.headers.get("Retry-After") == retry


def test_nobody_answers_at_the_engines_address(analyst, model, uplifting, settings):
    from training.services import promote

    promote(model=model, filter=uplifting.filter)
    settings.ENGINE_URL = "http://127.0.0.1:9"
    response = ask(analyst)
    assert refused(response) == {"status": 503, "code": "engine_down"}
    expected = "The scoring process does not answer at http://127.0.0.1:9; start it with manage.py up."
    assert response.json()["error"]["message"] == expected
