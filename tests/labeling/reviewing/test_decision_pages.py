"""The pages on which a lead decides, and the guidelines that come of it."""

from typing import Any

import pytest
from django.test import Client

from labeling.models import Article, Decision
from tests.labeling import world
from tests.labeling.reviewing.people import person, say

PAGE = "/filters/tiny/decide/"


@pytest.fixture
def bench(client: Client, version: Any) -> Client:
    client.force_login(person("lead", "lead", version.filter))
    return client


@pytest.fixture
def story(version: Any) -> Article:
    article = world.articles(1)[0]
    say(version, article, "ann", [7, 1], comment="Not bad at all.", evidence=[{"dimension": "bad", "quote": "word0x1"}])
    say(version, article, "ben", [7, 8])
    return article


def sheet(story: Article, **more: str) -> dict[str, str]:
    return {"score-good": "7", "score-bad": "6.5", "why": "Bad for the lake.", "text_sha256": story.text_sha256, **more}


def test_disputes_are_listed_with_what_they_are_about(bench: Client, story: Article):
    shown = bench.get(PAGE).content.decode()
    assert "Decide the first of 1" in shown and "Bad" in shown and "7.0" in shown


def test_without_a_dispute_it_says_where_they_come_from(bench: Client):
    assert "Nobody is at odds" in bench.get(PAGE).content.decode()


def test_a_lead_sees_a_and_b_and_no_names(bench: Client, story: Article):
    shown = bench.get(f"{PAGE}{story.pk}/").content.decode()
    assert "Not bad at all." in shown and "word0x1" in shown and "7.0 apart" in shown
    assert "ann" not in shown and "ben" not in shown


def test_the_oracles_are_folded_away(bench: Client, story: Article):
    shown = bench.get(f"{PAGE}{story.pk}/").content.decode()
    assert "<details" in shown and "No oracle has judged this article" in shown


def test_a_decision_is_kept_and_the_list_is_empty(bench: Client, story: Article):
    answer = bench.post(f"{PAGE}{story.pk}/", sheet(story, guideline="on"), follow=True)
    made = Decision.objects.get()
    assert (made.scores, made.why, made.guideline, made.lead.username) == ([7, 6.5], "Bad for the lake.", True, "lead")
    assert "is gold now" in answer.content.decode() and "Nobody is at odds" in answer.content.decode()


def test_a_dimension_may_be_left_open_on_purpose_only(bench: Client, story: Article):
    shown = bench.post(f"{PAGE}{story.pk}/", sheet(story) | {"score-bad": ""})
    assert shown.status_code == 400 and "Choose a score." in shown.content.decode()
    bench.post(f"{PAGE}{story.pk}/", sheet(story) | {"score-bad": "none"})
    assert Decision.objects.get().scores == [7, None]


def test_what_was_typed_is_kept_when_somebody_decided_meanwhile(bench: Client, version: Any, story: Article):
    Decision.objects.create(
        version=version, article=story, lead=person("other", "lead"), scores=[1, 1], text_sha256=story.text_sha256
    )
    shown = bench.post(f"{PAGE}{story.pk}/", sheet(story))
    said = shown.content.decode()
    assert shown.status_code == 400 and "other decided on this article meanwhile" in said and "Bad for the lake." in said
    assert f'name="seen" value="{Decision.objects.get().pk}"' in said


def test_script_in_a_reason_is_text(bench: Client, story: Article):
    bench.post(f"{PAGE}{story.pk}/", sheet(story, why="<script>alert(1)</script>"))
    assert "&lt;script&gt;alert(1)" in bench.get(PAGE).content.decode()


def test_a_lead_of_other_filters_is_kept_out(client: Client, version: Any, story: Article):
    client.force_login(person("stranger", "lead"))
    assert client.get(PAGE).status_code == 403
    assert client.post(f"{PAGE}{story.pk}/", sheet(story)).status_code == 403
    assert not Decision.objects.exists()


def test_a_reviewer_may_not_decide_but_reads_the_guidelines(client: Client, bench: Client, version: Any, story: Article):
    bench.post(f"{PAGE}{story.pk}/", sheet(story, guideline="on"))
    client.force_login(person("ann", "reviewer", version.filter))
    assert client.get(PAGE).status_code == 403
    shown = client.get("/filters/tiny/guidelines/").content.decode()
    assert "Bad for the lake." in shown and "people said 1.0 to 8.0" in shown and "Decide" not in shown
    case = client.get(f"/filters/tiny/guidelines/{Decision.objects.get().pk}/").content.decode()
    assert "word0x1" in case and "6.5" in case


def test_guidelines_say_how_a_case_comes_about(bench: Client):
    shown = bench.get("/filters/tiny/guidelines/").content.decode()
    assert "No decided case yet" in shown and "how good" in shown
