"""What goes into the review queue: policies that rank articles by their labels, and lists that people send."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from distillery_site.common.errors import BadInput
from distillery_site.common.models import AuditEntry
from labeling import services
from labeling.models import Article, FilterVersion, Review, ReviewRules, ReviewTask
from labeling.reviewing import policies
from labeling.reviewing.policies import QUEUES, drawn, fill_queue, in_draw_order
from labeling.reviewing.tasks import Pick, open_reviews, send_list
from tests.labeling import world
from tests.labeling.comparing import judges

Reason = ReviewTask.Reason


@pytest.fixture
def stories(version: FilterVersion) -> list[Article]:
    """Ten that Claude has labelled."""
    found = world.articles(10)
    judges.says(judges.oracle("Claude"), version, [(one, (5, 5)) for one in found])
    return found


def filled(version: FilterVersion, name: str, limit: int = 3) -> list[int]:
    return [task.article_id for task in fill_queue(version=version, queue=QUEUES[name], limit=limit).tasks]


def review(version: FilterVersion, article: Article, reviewer: Any) -> None:
    task = services.open_review(version=version, article=article, reason=Reason.SENT)
    services.submit_review(task=task, reviewer=reviewer, scores=[1, 1])


def test_filling_goes_on_where_it_stopped(version: FilterVersion, stories: list[Article], analyst: Any):
    order = in_draw_order(world.keys(stories))
    sent = fill_queue(version=version, queue=QUEUES["random"], limit=3, actor=analyst)
    assert ([task.article_id for task in sent.tasks], sent.new) == (order[:3], 3)
    assert filled(version, "random") == order[3:6]
    entry = AuditEntry.objects.filter(action="review queue filled").earliest("pk")
    assert entry.actor == analyst and entry.after == {"policy": "random", "asked": 3, "waiting": 3, "new": 3}


def test_filling_leaves_out_what_people_have_reviewed(version: FilterVersion, stories: list[Article], reviewer: Any):
    order = in_draw_order(world.keys(stories))
    review(version, Article.objects.get(pk=order[1]), reviewer)
    assert filled(version, "random") == [order[0], order[2], order[3]]


def test_a_review_of_an_earlier_text_does_not_count(version: FilterVersion, stories: list[Article], reviewer: Any):
    first = Article.objects.get(pk=in_draw_order(world.keys(stories))[0])
    review(version, first, reviewer)
    Review.objects.update(text_sha256="another")
    assert filled(version, "random", 1) == [first.pk]


def test_the_random_sample_is_as_far_as_drawing_has_come(version: FilterVersion, stories: list[Article], reviewer: Any):
    order = in_draw_order(world.keys(stories))
    review(version, Article.objects.get(pk=order[1]), reviewer)  # for another reason, and yet of the sample
    review(version, Article.objects.get(pk=order[8]), reviewer)
    filled(version, "random")
    assert drawn(version, order) == set(order[:4])
    assert drawn(version, order[3:]) == {order[3]}
    assert drawn(version, order[5:]) == set()


def test_what_was_drawn_stays_drawn_and_moves_up(version: FilterVersion, stories: list[Article]):
    (article,) = filled(version, "random", 1)
    worse = open_reviews(version=version, picks=[Pick(article, Reason.WORST, "Off by 6.", 6.0)])
    assert (worse.tasks[0].reason, worse.tasks[0].priority, worse.new) == (Reason.RANDOM, 6.0, 0)


def test_what_waits_already_is_drawn_as_well(version: FilterVersion, stories: list[Article]):
    first = in_draw_order(world.keys(stories))[0]
    open_reviews(version=version, picks=[Pick(first, Reason.WORST, "Off by 6.", 6.0)])
    assert filled(version, "random", 1) == [first]
    task = ReviewTask.objects.get()
    assert (task.reason, task.priority) == (Reason.RANDOM, 6.0)


def test_without_labels_the_sample_is_of_what_passed(version: FilterVersion):
    stories = world.articles(4)
    with pytest.raises(BadInput, match="nothing to draw from"):
        filled(version, "random")
    services.run_prefilter(policy=version.policies.get())
    assert filled(version, "random", 9) == in_draw_order(world.keys(stories))


def test_readings_that_differ_come_largest_first(version: FilterVersion, stories: list[Article]):
    with pytest.raises(BadInput, match="Claude has read every article once"):
        filled(version, "readings")
    judges.says(judges.oracle("Claude"), version, [(stories[1], (5, 6)), (stories[2], (9, 9))], reading=2)
    assert filled(version, "readings") == [stories[2].pk, stories[1].pk]


def test_oracles_that_differ_come_largest_first(version: FilterVersion, stories: list[Article]):
    with pytest.raises(BadInput, match="Claude is the only oracle"):
        filled(version, "oracles")
    judges.says(judges.oracle("Gemini"), version, [(stories[1], (5, 6)), (stories[2], (9, 9))])
    assert filled(version, "oracles") == [stories[2].pk, stories[1].pk]


def test_quotes_that_are_nowhere_are_counted(version: FilterVersion):
    stories = world.articles(3)
    for story, found in zip(stories, ([True], [False, True], [False, False, True]), strict=True):
        evidence = [{"quote": "So it is.", "found": there} for there in found]
        judges.says(judges.oracle(), version, [(story, (5, 5))], evidence=evidence)
    assert filled(version, "quotes") == [stories[2].pk, stories[1].pk]
    weightiest = ReviewTask.objects.in_order().first()
    assert weightiest and weightiest.detail == "2 of 3 quotes that Claude gave are not in the article."


def test_of_what_the_prefilter_stopped_some_are_looked_at(version: FilterVersion):
    with pytest.raises(BadInput, match="has stopped no article"):
        filled(version, "blocked")
    stories = world.articles(3)
    version.policies.get().verdicts.create(article=stories[1], passed=False, reason="too short")
    assert filled(version, "blocked") == [stories[1].pk]
    assert ReviewTask.objects.get().detail == "Stopped as “too short”."


@pytest.mark.parametrize("limit", [0, policies.MOST + 1])
def test_nobody_fills_a_queue_without_end(version: FilterVersion, limit: int):
    with pytest.raises(BadInput, match="Between 1 and 500 articles"):
        fill_queue(version=version, queue=QUEUES["random"], limit=limit)


def test_tasks_want_as_many_people_and_are_due_as_the_rules_say(version: FilterVersion, stories: list[Article]):
    ReviewRules.objects.create(filter=version.filter, reviewers=2, due_days=7)
    filled(version, "random", 1)
    task = ReviewTask.objects.get()
    assert task.wanted == 2 and timedelta(days=6) < task.due_at - timezone.now() <= timedelta(days=7)


def test_a_list_is_sent_without_what_people_have_reviewed(
    version: FilterVersion, stories: list[Article], analyst: Any, reviewer: Any
):
    review(version, stories[0], reviewer)
    open_reviews(version=version, picks=[Pick(stories[1].pk, Reason.GAP, "", 1.0)])
    picks = [Pick(story.pk, Reason.SENT, "From a search.", 2.0) for story in stories[:3]]
    sent = send_list(version=version, picks=picks, actor=analyst, what="a search")
    assert sent.sentence == ("2 articles wait for a review now; 1 of them did already. 1 left out: people have reviewed it.")
    assert AuditEntry.objects.get(action="articles sent to review").after == {"list": "a search", "waiting": 2, "new": 1}


def test_many_are_sent_in_a_handful_of_statements(
    version: FilterVersion, stories: list[Article], django_assert_max_num_queries: Any
):
    picks = [Pick(story.pk, Reason.SENT) for story in stories]
    with django_assert_max_num_queries(7):
        open_reviews(version=version, picks=picks)
