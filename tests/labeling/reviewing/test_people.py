"""People in figures: agreement, the random sample that may tell of all articles, and the anchoring meter."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling.comparing.readings import sources
from labeling.models import Article, FilterVersion, Oracle, ReviewTurn
from labeling.reviewing.agreeing import together
from labeling.reviewing.people import anchoring, given, people, sample
from labeling.reviewing.policies import in_draw_order
from tests.labeling import world
from tests.labeling.comparing import judges
from tests.labeling.reviewing.people import person, say


@pytest.fixture
def stories(version: FilterVersion) -> list[Article]:
    return world.articles(8)


@pytest.fixture
def claude(version: FilterVersion, stories: list[Article]) -> Oracle:
    claude = judges.oracle()
    judges.says(claude, version, [(story, (place, 5)) for place, story in enumerate(stories)])
    return claude


def in_turn(version: FilterVersion, article: Article, who: str, scores: tuple[float, ...], *, blind: bool = True) -> None:
    """A review from a turn whose blindness was drawn."""
    review = say(version, article, who, scores, blind=blind)
    now = timezone.now()
    ReviewTurn.objects.create(task=review.task, reviewer=review.reviewer, blind=blind, lease_until=now, review=review)


def test_people_are_compared_by_what_they_said_first_and_blind(version: FilterVersion, stories: list[Article]):
    for place, story in enumerate(stories[:4]):
        say(version, story, "ann", (place, 5), final=[9, 9], final_at=timezone.now())
        say(version, story, "bob", (place + 1, 5))
        say(version, story, "cas", (9, 9), blind=False)
    good, bad = people(version).alike()
    assert (good.apart.value, good.within.value, good.n) == (1, 1, 4)
    assert good.alpha.value < 1 and bad.apart.value == 0


def test_the_mean_of_people_stands_beside_the_oracle(version: FilterVersion, stories: list[Article], claude: Oracle):
    for place, story in enumerate(stories[:4]):
        say(version, story, "ann", (place + 1, 5))
        say(version, story, "bob", (place + 3, None))
    found = together(version, None)
    assert found.beside is None and found.oracle == []
    good, bad = together(version, sources(version)[0], "all").oracle
    assert (good.shift.value, good.figures.apart.value, good.figures.n) == (-2, 2, 4)
    assert (bad.shift.value, bad.figures.n) == (0, 4)


def test_what_was_said_of_another_text_does_not_count(version: FilterVersion, stories: list[Article]):
    say(version, stories[0], "ann", (1, 1), text_sha256="0" * 64)
    say(version, stories[1], "ann", (1, 1))
    assert people(version).articles == [stories[1].pk]


def test_the_sample_ends_where_nobody_has_been_yet(version: FilterVersion, stories: list[Article], reviewer: Any):
    order = in_draw_order([story.pk for story in stories])
    first, second, third, fourth = (Article.objects.get(pk=pk) for pk in order[:4])
    say(version, first, "ann", (1, 1))
    waits = version.review_tasks.create(article=second, reason="random")
    say(version, third, "ann", (1, 1)).task.__class__.objects.filter(article=third).update(reason="worst")
    say(version, fourth, "ann", (1, 1))
    assert sample(version, order) == {first.pk}
    ReviewTurn.objects.create(task=waits, reviewer=person("ann"), lease_until=timezone.now(), skipped_at=timezone.now())
    assert sample(version, order) == {first.pk, second.pk, third.pk, fourth.pk}
    assert sample(version, []) == set()


def test_seeing_the_oracles_scores_is_measured_by_lot_in_points(version: FilterVersion, stories: list[Article], claude: Oracle):
    """Blind they lie 2 points away on `good`, in sight half a point."""
    for place, story in enumerate(stories):
        in_turn(version, story, "ann", (place + 2 + place % 2 / 5, 5))
        in_turn(version, story, "bob", (place + 0.5, 5), blind=False)
    say(version, stories[0], "cas", (9, 9))  # by a program, without a turn: nobody drew
    found = anchoring(version, given(version))
    (_, good), (_, bad) = found.dimensions
    assert good.value == pytest.approx(1.6) and good.low < 1.6 < good.high and (bad.value, bad.n) == (0, 16)
    assert (found.blind, found.sighted, found.few) == (8, 8, True)
    assert found.sentence.startswith("With the oracle's scores in sight, people land 0.80 points nearer to them (")


def test_without_labels_or_without_both_kinds_there_is_nothing_to_measure(version: FilterVersion, stories: list[Article]):
    in_turn(version, stories[0], "ann", (1, 1))
    assert anchoring(version, given(version)) is None
    judges.says(judges.oracle(), version, [(stories[0], (1, 1))])
    assert "there are 1 blind and 0 in sight" in anchoring(version, given(version)).sentence


def test_the_agreement_page_tells_what_people_say(
    client: Client, version: FilterVersion, stories: list[Article], claude: Oracle, django_user_model: Any
):
    client.force_login(django_user_model.objects.create_superuser("chief"))
    page = client.get("/filters/tiny/agreement").content.decode()
    assert "Nobody has reviewed an article of" in page and "Nothing is known yet" in page
    for place, story in enumerate(stories):
        in_turn(version, story, "ann", (place, 5))
        in_turn(version, story, "bob", (place + 1, 5))
    page = client.get("/filters/tiny/agreement").content.decode()
    assert "People beside each other" in page and "People beside the oracle" in page and "Random sample" in page
    assert "mostly sent because something looked wrong" not in page
    assert "mostly sent because something looked wrong" in client.get("/filters/tiny/agreement?people=all").content.decode()
