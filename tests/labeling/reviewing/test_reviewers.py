"""A reviewer's pace, bias and drift, seen by the person and by leads."""

import pytest
from django.test import Client

from labeling.models import Article, FilterVersion, Oracle
from labeling.reviewing.reviewers import reviewers
from tests.labeling import world
from tests.labeling.comparing import judges
from tests.labeling.reviewing.people import person, say

PAGE = "/filters/tiny/reviewers/"


@pytest.fixture
def stories(version: FilterVersion) -> list[Article]:
    return world.articles(30)


@pytest.fixture
def claude(version: FilterVersion, stories: list[Article]) -> Oracle:
    claude = judges.oracle()
    judges.says(claude, version, [(story, (2, 2)) for story in stories])
    return claude


@pytest.fixture
def reviewed(version: FilterVersion, stories: list[Article], claude: Oracle) -> None:
    """Ann is a point milder than Bob, and grows milder by a point in thirty articles; Bob says what the oracle said."""
    for place, story in enumerate(stories):
        say(version, story, "bob", (2, 2), seconds=30 + place % 3)
        say(version, story, "ann", (2.5 + place / 30, 2.5 + place / 30), seconds=60 + place)


def test_pace_bias_and_drift_are_told_with_intervals(version: FilterVersion, reviewed: None):
    ann, bob = sorted(reviewers(version), key=lambda one: one.person.username)
    assert (ann.reviews, ann.seconds.value, ann.skipped) == (30, 74.5, 0) and ann.seconds.low < 74.5 < ann.seconds.high
    assert ann.people.value == ann.oracle.value == pytest.approx(0.5 + 14.5 / 30) and ann.people.n == 30
    assert bob.people.value == -ann.people.value and bob.oracle.value == 0
    assert ann.drift.value == pytest.approx(100 / 30) and bob.drift.value == 0
    assert [row.people.value for row in ann.bias] == pytest.approx([ann.people.value] * 2)
    assert [(part.first, part.last) for part in ann.course] == [(1, 25), (26, 30)]
    assert ann.course[0].oracle.value < ann.course[1].oracle.value
    assert (
        ann.sentences[0].startswith("Scores 0.98 points milder than other people (")
        and "Grows milder by 3.33" in ann.sentences[2]
    )
    assert bob.sentences[0].startswith("Scores 0.98 points stricter than other people") and len(bob.sentences) == 1


def test_what_was_said_in_sight_of_the_oracle_is_no_bias(version: FilterVersion, stories: list[Article], claude: Oracle):
    say(version, stories[0], "ann", (9, 9), blind=False, seconds=10)
    (ann,) = reviewers(version)
    assert (ann.reviews, ann.oracle.n, ann.people.n, ann.seconds.value) == (1, 0, 0, 10)


def test_leads_see_everybody_and_a_reviewer_only_themselves(client: Client, version: FilterVersion, reviewed: None):
    ann, bob, lead = person("ann", "reviewer", version.filter), person("bob"), person("lea", "lead", version.filter)
    client.force_login(ann)
    page = client.get(PAGE).content.decode()
    assert "<h1>Your reviews" in page and "milder than other people" in page and "bob" not in page
    assert client.get(f"{PAGE}{ann.pk}/").status_code == 200 and client.get(f"{PAGE}{bob.pk}/").status_code == 403
    client.force_login(lead)
    page = client.get(PAGE).content.decode()
    assert "<h1>Reviewers</h1>" in page and f'href="{PAGE}{ann.pk}/"' in page and f'href="{PAGE}{bob.pk}/"' in page
    assert "<h1>bob" in client.get(f"{PAGE}{bob.pk}/").content.decode()
    client.force_login(person("eve", "lead"))
    assert client.get(PAGE).status_code == 403


def test_before_the_first_review_the_pages_say_what_to_do(client: Client, version: FilterVersion):
    client.force_login(person("ann", "reviewer", version.filter))
    assert "You have reviewed no article of Tiny" in client.get(PAGE).content.decode()
    client.force_login(person("lea", "lead", version.filter))
    assert "Nobody has reviewed an article" in client.get(PAGE).content.decode()
