"""One review as a plain form: the oracle's label stays hidden until one's own is in, and no work is lost."""

import json
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from labeling import services
from labeling.models import FilterAccess, Review, ReviewRules, ReviewTask, ReviewTurn
from tests.labeling import world
from tests.labeling.comparing import judges

GOOD = {"score-good": "7", "score-bad": "none", "comment": "Fine."}


def seat(client: Client, user: Any, version: Any) -> Client:
    user.groups.add(Group.objects.get_or_create(name="reviewer")[0])
    FilterAccess.objects.get_or_create(user=user, filter=version.filter)
    client.force_login(user)
    return client


@pytest.fixture
def desk(client: Client, reviewer: Any, version: Any) -> Client:
    return seat(client, reviewer, version)


@pytest.fixture
def other(django_user_model: Any, version: Any) -> Client:
    return seat(Client(), django_user_model.objects.create_user("other"), version)


@pytest.fixture
def task(version: Any) -> ReviewTask:
    article, second = world.articles(2)
    judges.says(judges.oracle("A careful judge"), version, [(article, (8.5, 1.0))], reasoning="Because of the water.")
    ReviewRules.objects.create(filter=version.filter, unblinded=0)
    services.open_review(version=version, article=second, reason="random")
    return services.open_review(version=version, article=article, reason="readings", detail="They differ by 2.", priority=2)


def at(task: ReviewTask, what: str = "") -> str:
    return f"/review/{task.pk}/{what}"


def test_the_oracle_is_hidden_before_ones_own_scores(desk: Client, task: ReviewTask):
    shown = desk.get(at(task)).content.decode()
    assert "8.5</b>" not in shown and "Because of the water." not in shown and "careful" not in shown
    assert "readings differ" not in shown  # that they do says something of its scores
    assert "How good" in shown and "very" in shown and task.turns.get().blind


def test_scores_are_kept_and_then_confirmed_or_changed_beside_the_oracles(desk: Client, task: ReviewTask):
    shown = desk.post(at(task), GOOD, follow=True).content.decode()
    assert "Because of the water." in shown and "Oracle: <b>8.5</b>" in shown and "you <b>−1.5</b>" in shown
    desk.post(at(task, "finish"), {"score-good": "8", "score-bad": "none", "comment": "Fine."})
    review = Review.objects.get()
    assert (review.scores, review.final, review.said) == ([7.0, None], [8.0, None], [8.0, None])
    shown = desk.get(at(task)).content.decode()
    assert "You, first" in shown and "<b>8.0</b>" in shown


def test_settling_leads_to_the_next_article_and_then_to_the_queue(desk: Client, task: ReviewTask):
    desk.post(at(task), GOOD)
    second = ReviewTask.objects.open().get()
    assert desk.post(at(task, "finish"), GOOD)["Location"] == at(second)
    desk.post(at(second), GOOD)
    assert "Nothing more waits for you." in desk.post("/review/next", {"after": second.pk}, follow=True).content.decode()
    assert desk.post("/review/next", {"after": second.pk, "part": "1"}).status_code == 204


def test_it_keeps_half_points_passages_and_time(desk: Client, task: ReviewTask):
    quote = " ".join(task.article.text.split()[3:9])
    sent = {**GOOD, "score-good": "6.5", "seconds": "41.5", "evidence": json.dumps([{"dimension": "good", "quote": quote}])}
    assert desk.post(at(task), {**sent, "part": "1"}).status_code == 200
    review = Review.objects.get()
    assert (review.scores[0], review.seconds, review.blind) == (6.5, 41.5, True)
    assert review.evidence == [{"dimension": "good", "quote": quote}] and review.text_sha256 == task.article.text_sha256


def test_the_same_submission_again_is_kept_once(desk: Client, task: ReviewTask):
    sent = {**GOOD, "submission": str(uuid.uuid4()), "part": "1"}
    assert [desk.post(at(task), sent).status_code for _ in range(3)] == [200, 200, 200]
    assert Review.objects.count() == 1
    assert [desk.post(at(task, "finish"), sent).status_code for _ in range(2)] == [204, 204]


def test_a_second_tab_is_told_what_was_kept_and_its_own_scores_are_filled_in(desk: Client, task: ReviewTask):
    desk.post(at(task), GOOD)
    answer = desk.post(at(task), {"score-good": "2.5", "score-bad": "1", "part": "1"})
    shown = answer.content.decode()
    assert answer.status_code == 409 and "in another tab or on another device" in shown
    assert 'value="2.5" required checked' in shown and Review.objects.get().scores == [7.0, None]


def test_an_article_that_others_finished_meanwhile_can_be_kept_as_one_more_opinion(desk: Client, other: Client, task: ReviewTask):
    assert "Somebody else is at work" in (desk.get(at(task)) and other.get(at(task))).content.decode()
    other.post(at(task), GOOD)
    answer = desk.post(at(task), {**GOOD, "comment": "All mine."})
    shown = answer.content.decode()
    assert answer.status_code == 409 and "Somebody else has reviewed this article meanwhile" in shown
    assert "All mine." in shown and 'value="7" required checked' in shown
    desk.post(at(task), {**GOOD, "extra": "on"})
    assert Review.objects.count() == 2


def test_a_text_that_changed_while_it_was_read_is_shown_anew_with_what_was_given(desk: Client, task: ReviewTask):
    read = task.article.text_sha256
    type(task.article).objects.filter(pk=task.article_id).update(text="Another text.", text_sha256="f" * 64)
    answer = desk.post(at(task), {**GOOD, "read": read})
    shown = answer.content.decode()
    assert answer.status_code == 409 and "text was changed while you were reading" in shown
    assert "Another text." in shown and "Fine." in shown and 'name="read" value="ffff' in shown


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"score-good": "11"}, "Good: “11” isn&#x27;t on the scale: 0 to 10, in half points."),
        ({"score-good": "-1"}, "isn&#x27;t on the scale"),
        ({"score-good": "7.3"}, "isn&#x27;t on the scale"),
        ({"score-good": ""}, "Good: Choose a score."),
        ({"comment": "x" * 100_000}, "at most 5,000 characters; this one has 100,000"),
        ({"evidence": '[{"dimension": "good", "quote": "never said"}]'}, "“never said” isn’t a passage".replace("’", "&#x27;")),
        ({"evidence": '[{"dimension": "ugly", "quote": "word0x1"}]'}, "no dimension “ugly”"),
        ({"evidence": "7"}, "Evidence is a list"),
    ],
)
def test_what_cannot_be_kept_is_said_and_nothing_typed_is_lost(desk: Client, task: ReviewTask, change: dict, complaint: str):
    answer = desk.post(at(task), {**GOOD, **change})
    shown = answer.content.decode()
    assert answer.status_code == 422 and complaint in shown
    assert change.get("comment", "Fine.") in shown and 'value="none" required checked' in shown
    assert not Review.objects.exists()


def test_a_pasted_script_is_text(desk: Client, task: ReviewTask):
    desk.post(at(task), {**GOOD, "comment": "<script>alert(1)</script>"})
    shown = desk.get(at(task)).content.decode()
    assert "<script>alert" not in shown and "&lt;script&gt;alert(1)" in shown


def test_a_turn_shown_open_says_so_and_has_the_oracles_scores_at_once(desk: Client, task: ReviewTask):
    ReviewRules.objects.update(unblinded=1)
    shown = desk.get(at(task)).content.decode()
    assert "Shown open." in shown and "Oracle: <b>8.5</b>" in shown
    assert "Because of the water." not in shown  # scores pull; reasons would argue
    answer = desk.post(at(task), {**GOOD, "part": "1"}).content.decode()
    assert 'data-state="kept"' in answer and not Review.objects.get().blind


def test_a_skipped_article_goes_to_others_with_its_reason(desk: Client, other: Client, task: ReviewTask):
    desk.get(at(task))
    assert "Say why you skip" in desk.post(at(task, "skip"), {"reason": " "}).content.decode()
    assert desk.post(at(task, "skip"), {"reason": "I know her."})["Location"] == at(ReviewTask.objects.exclude(pk=task.pk).get())
    assert 'data-state="score"' in other.get(at(task)).content.decode()


def test_a_place_is_held_while_the_page_is_open_and_let_go_when_it_is_left(desk: Client, other: Client, task: ReviewTask):
    desk.get(at(task))
    assert desk.post(at(task, "beat")).status_code == 204 and "at work" in other.get(at(task)).content.decode()
    desk.post(at(task, "release"))
    other.get(at(task))
    lost = desk.post(at(task, "beat"))
    assert lost.status_code == 409 and "Somebody else is at work" in lost.content.decode()


def test_scores_that_were_given_before_somebody_else_signed_in_stay_the_first_ones(desk: Client, other: Client, task: ReviewTask):
    answer = other.post(at(task), {**GOOD, "reviewer": ReviewTurn.objects.count() + 10_000, "part": "1"})
    assert answer.status_code == 409 and "given by somebody else" in answer.content.decode()
    assert not Review.objects.exists()


def test_a_filter_that_is_not_ones_own_stays_closed(desk: Client, task: ReviewTask):
    FilterAccess.objects.all().delete()
    assert desk.get(at(task)).status_code == 403 and desk.post(at(task), GOOD).status_code == 403
    assert desk.post("/review/next", {"part": "1"}).status_code == 204


def test_what_is_no_task_is_not_there(desk: Client, task: ReviewTask):
    assert desk.get("/review/99999/").status_code == 404
    assert desk.post("/review/next", {"after": "²"}, follow=True).status_code == 200
