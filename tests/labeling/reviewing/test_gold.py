"""Gold: what people settled on, and what a lead has yet to settle."""

from typing import Any

import pytest
from django.utils import timezone

from labeling.models import Article, Decision, ReviewRules
from labeling.reviewing import deciding
from labeling.reviewing.gold import disputes, gold
from tests.labeling import world
from tests.labeling.reviewing.people import person, say


@pytest.fixture
def story(version: Any) -> Article:
    return world.articles(1)[0]


def decide(version: Any, story: Article, scores: Any, **more: Any) -> Decision:
    return deciding.decide(version=version, article=story, lead=person("lead", "lead"), scores=scores, **more)


def test_one_person_alone_is_gold(version: Any, story: Article):
    say(version, story, "ann", [7, 1])
    found = gold(version)[story.pk]
    assert (found.scores, found.how, found.people) == ([7, 1], "single", 1)


def test_where_two_are_near_each_other_gold_is_their_mean(version: Any, story: Article):
    say(version, story, "ann", [7, 1])
    say(version, story, "ben", [8, 3])
    found = gold(version)[story.pk]
    assert (found.scores, found.how, found.people) == ([7.5, 2], "agreed", 2)
    assert disputes(version) == []


def test_what_stood_after_the_reveal_counts(version: Any, story: Article):
    say(version, story, "ann", [7, 1], final=[5, 1], final_at=timezone.now())
    assert gold(version)[story.pk].scores == [5, 1]


def test_who_cannot_say_stands_aside(version: Any, story: Article):
    say(version, story, "ann", [7, None])
    say(version, story, "ben", [None, None])
    assert gold(version)[story.pk].scores == [7, None]


def test_beyond_the_threshold_there_is_no_gold_but_a_dispute(version: Any, story: Article):
    say(version, story, "ann", [7, 1])
    say(version, story, "ben", [7, 3.5])
    assert gold(version) == {}
    [dispute] = disputes(version)
    assert (dispute.article, dispute.gaps, dispute.most, dispute.dimension) == (story, [0, 2.5], 2.5, "Bad")


def test_a_filter_may_have_a_threshold_of_its_own(version: Any, story: Article):
    ReviewRules.objects.create(filter=version.filter, threshold=3)
    say(version, story, "ann", [7, 1])
    say(version, story, "ben", [7, 4])
    assert disputes(version) == [] and gold(version)[story.pk].how == "agreed"


def test_the_largest_dispute_comes_first(version: Any):
    for number, article in enumerate(world.articles(3)):
        say(version, article, "ann", [1, 1])
        say(version, article, "ben", [1, 4 + number])
    assert [dispute.most for dispute in disputes(version)] == [5, 4, 3]


def test_who_reviewed_twice_counts_once_by_the_later_word(version: Any, story: Article):
    say(version, story, "ann", [2, 1])
    say(version, story, "ann", [7, 1])
    assert (gold(version)[story.pk].scores, gold(version)[story.pk].people) == ([7, 1], 1)


def test_what_was_said_of_an_earlier_text_is_no_gold(version: Any, story: Article):
    say(version, story, "ann", [7, 1])
    decide(version, story, [3, 3])
    Article.objects.filter(pk=story.pk).update(text_sha256="another")
    assert gold(version) == {}


def test_letters_are_dealt_anew_for_every_article(version: Any):
    """Or the lead would soon know who A is."""
    articles = world.articles(12)
    for article in articles:
        say(version, article, "ann", [1, 1])
        say(version, article, "ben", [1, 9])
    first = [dispute.voices[0].scores[1] for dispute in disputes(version)]
    assert set(first) == {1, 9}
    assert first == [dispute.voices[0].scores[1] for dispute in disputes(version)]


def test_a_decision_settles_a_dispute(version: Any, story: Article):
    say(version, story, "ann", [7, 1])
    say(version, story, "ben", [7, 8])
    made = decide(version, story, [7, 6], why="It is bad news for the lake.")
    found = gold(version)[story.pk]
    assert (found.scores, found.how, found.people, found.decision) == ([7, 6], "decided", 2, made)
    assert disputes(version) == []


def test_the_newest_decision_counts_and_the_older_stays(version: Any, story: Article):
    first = decide(version, story, [7, 6])
    decide(version, story, [5, 5], seen=first)
    assert gold(version)[story.pk].scores == [5, 5]
    assert Decision.objects.count() == 2
