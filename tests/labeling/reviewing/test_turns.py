"""Whose turn it is: one person a place, until they are done, skip it or go away."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from distillery_site.common.errors import BadInput
from distillery_site.common.models import AuditEntry
from labeling import services
from labeling.models import Filter, FilterVersion, Review, ReviewRules, ReviewTask, ReviewTurn
from labeling.reviewing import turns
from labeling.reviewing.turns import next_turn, peek, release, renew, skip, take_turn
from tests.labeling import world
from tests.labeling.comparing import judges

Tasks = list[ReviewTask]


@pytest.fixture
def tasks(version: FilterVersion) -> Tasks:
    """Three, the weightiest first."""
    found = world.articles(3)
    return [
        services.open_review(version=version, article=one, reason="sent", priority=3 - place) for place, one in enumerate(found)
    ]


@pytest.fixture
def other(django_user_model: Any) -> Any:
    return django_user_model.objects.create_user("other")


def following(reviewer: Any, after: ReviewTask | None = None) -> ReviewTask | None:
    turn = next_turn(reviewer=reviewer, filters=Filter.objects.all(), after=after)
    return turn.task if turn else None


def lapse(turn: ReviewTurn) -> None:
    ReviewTurn.objects.filter(pk=turn.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def close(task: ReviewTask, reviewer: Any) -> None:
    Review.objects.create(task=task, reviewer=reviewer, scores=[1, 1])
    ReviewTask.objects.filter(pk=task.pk).update(done_at=timezone.now())


def test_it_gives_the_weightiest_task_first_and_each_to_one_person(tasks: Tasks, reviewer: Any, other: Any):
    assert following(reviewer) == tasks[0]
    assert following(other) == tasks[1]
    assert following(reviewer, after=tasks[0]) == tasks[2]
    assert following(other, after=tasks[1]) is None


def test_it_goes_on_with_what_one_has_begun(tasks: Tasks, reviewer: Any):
    begun = take_turn(task=tasks[2], reviewer=reviewer)
    assert next_turn(reviewer=reviewer, filters=Filter.objects.all()) == begun
    assert peek(reviewer, Filter.objects.all()) == tasks[2]
    assert ReviewTurn.objects.count() == 1


def test_what_one_has_reviewed_without_a_turn_is_not_given_again(version: FilterVersion, reviewer: Any, other: Any):
    task = services.open_review(version=version, article=world.articles(1)[0], reason="sent", wanted=2)
    services.submit_review(task=task, reviewer=reviewer, scores=[1, 1])
    assert following(reviewer) is None
    assert following(other) == task


def test_what_is_due_goes_before_what_weighs(tasks: Tasks, reviewer: Any):
    ReviewTask.objects.filter(pk=tasks[2].pk).update(due_at=timezone.now() + timedelta(days=1))
    assert following(reviewer) == tasks[2]


def test_it_looks_ahead_without_taking(tasks: Tasks, reviewer: Any):
    assert peek(reviewer, Filter.objects.all(), besides=[tasks[0].pk]) == tasks[1]
    assert not ReviewTurn.objects.exists()


def test_it_gives_nothing_of_filters_that_are_not_ones_own(tasks: Tasks, reviewer: Any):
    assert next_turn(reviewer=reviewer, filters=Filter.objects.none()) is None


def test_a_lease_that_lapsed_gives_the_place_away(tasks: Tasks, reviewer: Any, other: Any):
    turn = take_turn(task=tasks[0], reviewer=reviewer)
    with pytest.raises(BadInput, match="Somebody else is at work on “Title 0”, until "):
        take_turn(task=tasks[0], reviewer=other)
    lapse(turn)
    assert following(other) == tasks[0]
    with pytest.raises(BadInput, match="Somebody else"):
        renew(turn)


def test_a_beat_renews_the_lease_and_takes_a_lapsed_one_again(tasks: Tasks, reviewer: Any):
    turn = take_turn(task=tasks[0], reviewer=reviewer)
    first = turn.lease_until
    assert renew(turn).lease_until > first
    lapse(turn)
    assert renew(turn).lease_until > timezone.now()


def test_a_released_task_is_free_at_once(tasks: Tasks, reviewer: Any, other: Any):
    release(take_turn(task=tasks[0], reviewer=reviewer))
    assert following(other) == tasks[0]


def test_a_third_turn_lets_the_one_go_that_was_untouched_longest(tasks: Tasks, reviewer: Any, other: Any):
    held = [take_turn(task=task, reviewer=reviewer) for task in tasks[:2]]
    renew(held[0])
    take_turn(task=tasks[2], reviewer=reviewer)
    assert following(other) == tasks[1]


def test_a_skipped_task_goes_to_others_and_comes_back_only_when_opened(tasks: Tasks, reviewer: Any, other: Any):
    turn = take_turn(task=tasks[0], reviewer=reviewer)
    skip(turn, " It is about my cousin. ")
    assert following(reviewer) == tasks[1] and following(other) == tasks[0]
    assert AuditEntry.objects.get(action="article skipped").after == {"reason": "It is about my cousin."}
    with pytest.raises(BadInput, match="open it again"):
        renew(turn)
    release(ReviewTurn.objects.get(reviewer=other))
    assert take_turn(task=tasks[0], reviewer=reviewer).skipped_at is None
    assert AuditEntry.objects.filter(action="skipped article opened").exists()


@pytest.mark.parametrize(("reason", "complaint"), [(" ", "Say why you skip “Title 0”"), ("x" * 301, "at most 300")])
def test_a_skip_needs_a_short_reason(tasks: Tasks, reviewer: Any, reason: str, complaint: str):
    with pytest.raises(BadInput, match=complaint):
        skip(take_turn(task=tasks[0], reviewer=reviewer), reason)


def test_a_review_is_not_skipped(tasks: Tasks, reviewer: Any):
    turn = take_turn(task=tasks[0], reviewer=reviewer)
    turn.review = Review.objects.create(task=tasks[0], reviewer=reviewer, scores=[1, 1])
    turn.save()
    with pytest.raises(BadInput, match="can't be skipped"):
        skip(turn, "Too late.")


def test_a_task_that_is_done_or_was_ones_own_is_refused(tasks: Tasks, reviewer: Any, other: Any):
    close(tasks[0], other)
    with pytest.raises(BadInput, match="“Title 0” is done: one person has reviewed it meanwhile"):
        take_turn(task=tasks[0], reviewer=reviewer)
    with pytest.raises(BadInput, match="You have reviewed “Title 0” already"):
        take_turn(task=tasks[0], reviewer=other)


def test_a_task_that_wants_two_people_takes_two(tasks: Tasks, reviewer: Any, other: Any, django_user_model: Any):
    ReviewTask.objects.filter(pk=tasks[0].pk).update(wanted=2)
    third = django_user_model.objects.create_user("third")
    assert [following(one) for one in (reviewer, other, third)] == [tasks[0], tasks[0], tasks[1]]


@pytest.mark.parametrize(("share", "labelled", "blind"), [(0.0, True, True), (1.0, True, False), (1.0, False, True)])
def test_whether_a_turn_is_blind_follows_the_rules_and_needs_a_label(
    tasks: Tasks, version: FilterVersion, reviewer: Any, share: float, labelled: bool, blind: bool
):
    ReviewRules.objects.create(filter=version.filter, unblinded=share)
    if labelled:
        judges.says(judges.oracle("Judge"), version, [(tasks[0].article, (5, 5))])
    assert take_turn(task=tasks[0], reviewer=reviewer).blind is blind


def test_whether_a_turn_is_blind_is_drawn_once(tasks: Tasks, version: FilterVersion, reviewer: Any, monkeypatch: Any):
    judges.says(judges.oracle("Judge"), version, [(tasks[0].article, (5, 5))])
    monkeypatch.setattr(turns, "_draw", lambda: 0.0)
    lapse(take_turn(task=tasks[0], reviewer=reviewer))
    monkeypatch.setattr(turns, "_draw", lambda: 0.9)
    assert take_turn(task=tasks[0], reviewer=reviewer).blind is False


@pytest.mark.parametrize("wanted", [1, 3])
def test_eight_people_at_once_never_share_a_place(transactional_db: None, django_user_model: Any, wanted: int):
    version = world.version()
    for article in world.articles(12):
        services.open_review(version=version, article=article, reason="sent")
    ReviewTask.objects.update(wanted=wanted)
    people = [django_user_model.objects.create_user(f"person {number}") for number in range(8)]

    def work(person: Any) -> list[int]:
        done = []
        try:
            while turn := next_turn(reviewer=person, filters=Filter.objects.all()):
                turn.review = Review.objects.create(task=turn.task, reviewer=person, scores=[1, 1])
                turn.save()
                done.append(turn.task_id)
            return done
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as all_at_once:
        done = [task for own in all_at_once.map(work, people) for task in own]
    assert sorted(done) == sorted([task.pk for task in ReviewTask.objects.all()] * wanted)
