"""The review queue and one review: the oracle's label stays hidden until one's own is in."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from labeling import services
from labeling.models import OracleLabel, Review, ReviewTask
from tests.labeling import world


@pytest.fixture
def desk(client: Client, reviewer: Any) -> Client:
    reviewer.groups.add(Group.objects.get_or_create(name="reviewer")[0])
    client.force_login(reviewer)
    return client


@pytest.fixture
def task(version: Any) -> ReviewTask:
    article, other = world.articles(2)
    oracle = services.get_oracle(provider="external", model="A careful judge")
    OracleLabel.objects.create(
        version=version,
        article=article,
        oracle=oracle,
        scores=[8.5, 1.0],
        reasoning="Because of the water.",
        text_sha256=article.text_sha256,
        rubric_hash=version.rubric_hash,
        request_hash="x",
    )
    services.open_review(version=version, article=other, reason="random")
    return services.open_review(version=version, article=article, reason="readings", detail="They differ by 2.", priority=2)


def test_the_queue_starts_with_what_weighs_most(desk: Client, task: ReviewTask):
    shown = desk.get("/review/").content.decode()
    assert shown.index("Title 0") < shown.index("Title 1")
    assert "They differ by 2." in shown and f'href="/review/{task.pk}/">Review the first of 2' in shown


def test_the_oracle_is_hidden_before_ones_own_scores(desk: Client, task: ReviewTask):
    shown = desk.get(f"/review/{task.pk}/").content.decode()
    assert "8.5" not in shown and "Because of the water." not in shown
    assert "how good" in shown and "very" in shown


def test_a_review_is_kept_and_then_compared(desk: Client, task: ReviewTask):
    answer = desk.post(f"/review/{task.pk}/", {"good": "7", "bad": "none", "comment": "Fine."}, follow=True)
    shown = answer.content.decode()
    assert Review.objects.get().scores == [7.0, None]
    assert "8.5" in shown and "−1.5" in shown and "Because of the water." in shown and "Next article" in shown


def test_a_scale_without_a_score_is_asked_for_and_the_rest_is_kept(desk: Client, task: ReviewTask):
    shown = desk.post(f"/review/{task.pk}/", {"good": "7", "comment": "Fine."}).content.decode()
    assert "Choose a score." in shown and "Fine." in shown and 'value="7" required checked' in shown
    assert not Review.objects.exists()


@pytest.mark.parametrize("score", ["11", "-1", "7.5", "x"])
def test_a_score_off_the_scale_is_refused(desk: Client, task: ReviewTask, score: str):
    desk.post(f"/review/{task.pk}/", {"good": score, "bad": "1"})
    assert not Review.objects.exists()


def test_a_second_review_by_the_same_person_changes_nothing(desk: Client, task: ReviewTask):
    for good in ("7", "2"):
        desk.post(f"/review/{task.pk}/", {"good": good, "bad": "1"})
    assert Review.objects.get().scores == [7.0, 1.0]


def test_a_viewer_reads_the_queue_but_does_not_score(client: Client, task: ReviewTask, django_user_model: Any):
    viewer = django_user_model.objects.create_user("viewer")
    viewer.groups.add(Group.objects.get_or_create(name="viewer")[0])
    client.force_login(viewer)
    assert f"/articles/{task.article_id}/" in client.get("/review/").content.decode()
    assert client.post(f"/review/{task.pk}/", {"good": "7", "bad": "1"}).status_code == 403


def test_an_empty_queue_says_where_tasks_come_from(desk: Client, version: Any):
    assert "Nothing waits for a review" in desk.get("/review/").content.decode()
