"""Labels that people are asked about, and what they say of them."""

from typing import Any

import pytest

from distillery_site.common.errors import BadInput
from distillery_site.common.models import AuditEntry
from labeling import services
from labeling.models import Article, FilterVersion, Oracle, Review, ReviewTask
from tests.labeling import world
from tests.labeling.comparing import judges

Reason = ReviewTask.Reason


@pytest.fixture
def article(db: None) -> Article:
    return world.articles(1)[0]


@pytest.fixture
def task(version: FilterVersion, article: Article) -> ReviewTask:
    return services.open_review(version=version, article=article, reason=Reason.SENT, detail="By hand.", priority=1.0)


@pytest.fixture
def oracle(version: FilterVersion) -> Oracle:
    """Read four articles twice; on the higher numbers its readings differ more."""
    oracle = services.get_oracle(provider="external", model="someone")
    world.articles(4)
    for reading in (1, 2):
        rows = [{"id": str(number), "scores": {"good": 5, "bad": number * (reading - 1)}} for number in range(4)]
        services.import_external_labels(version=version, oracle=oracle, source="desk", rows=rows, reading=reading)
    return oracle


def test_a_review_stands_beside_the_label_and_closes_the_task(task: ReviewTask, reviewer: Any):
    review = services.submit_review(task=task, reviewer=reviewer, scores=[7, None], comment=" Fine. ")
    task.refresh_from_db()
    assert (review.scores, review.comment, task.done_at is not None) == ([7.0, None], "Fine.", True)
    assert AuditEntry.objects.filter(actor=reviewer, action="article reviewed").exists()


def test_one_article_has_one_open_task_with_the_weightiest_reason(task: ReviewTask, version: FilterVersion, article: Article):
    same = services.open_review(version=version, article=article, reason=Reason.WORST, detail="Off by 6.", priority=6.0)
    lighter = services.open_review(version=version, article=article, reason=Reason.QUOTES, priority=0.5)
    assert same.pk == lighter.pk == task.pk and ReviewTask.objects.count() == 1
    assert (lighter.reason, lighter.detail, lighter.priority) == (Reason.WORST, "Off by 6.", 6.0)


def test_a_closed_task_does_not_stand_in_the_way_of_a_new_one(task: ReviewTask, reviewer: Any, version: FilterVersion):
    services.submit_review(task=task, reviewer=reviewer, scores=[1, 1])
    assert services.open_review(version=version, article=task.article, reason=Reason.SENT).pk != task.pk


def test_the_articles_on_which_the_oracle_contradicts_itself_come_first(version: FilterVersion, oracle: Oracle):
    tasks = services.review_disagreements(version=version, oracle=oracle, limit=2)
    assert [(task.article.external_id, task.reason) for task in tasks] == [("3", Reason.READINGS), ("2", Reason.READINGS)]
    assert tasks[0].detail == (
        "Reading 2 is 3.0 above reading 1 on Bad; someone's readings differ by 1.50 on average over 2 dimensions."
    )
    assert services.review_disagreements(version=version, oracle=oracle, limit=2) == tasks


def test_of_three_readings_the_two_furthest_apart_count(version: FilterVersion, oracle: Oracle):
    rows = [{"id": "1", "scores": {"good": 5, "bad": 9}}]
    services.import_external_labels(version=version, oracle=oracle, source="desk", rows=rows, reading=3)
    first = services.review_disagreements(version=version, oracle=oracle)[0]
    assert (first.article.external_id, first.priority) == ("1", 4.5)
    assert first.detail.startswith("Reading 3 is 9.0 above reading 1 on Bad;")


def test_two_oracles_disagreements_name_who_gives_how_much_more_on_what(version: FilterVersion, oracle: Oracle):
    other = judges.oracle("Gemini")
    said = {"0": (5, None), "1": (2, 1), "2": (5, 0), "7": (0, 0)}
    judges.says(other, version, [(story, said[story.external_id]) for story in world.articles(8) if story.external_id in said])
    (task,) = services.review_disagreements(version=version, oracle=oracle, other=other)
    assert (task.article.external_id, task.reason, task.priority) == ("1", Reason.ORACLES, 2.0)
    assert task.detail == "someone is 3.0 above Gemini on Good; they differ by 2.00 on average over 2 dimensions."


def test_articles_on_which_all_agree_are_no_disagreement(version: FilterVersion, oracle: Oracle):
    assert len(services.review_disagreements(version=version, oracle=oracle)) == 3
    assert services.review_disagreements(version=version, oracle=judges.oracle("Nobody")) == []


@pytest.mark.parametrize(
    ("scores", "complaint"),
    [
        ([1], "has 2 dimensions; 1 scores were given"),
        ([11, 1], "good must be between 0 and 10, not 11"),
        ([1, -0.5], "bad must be between 0 and 10, not -0.5"),
        ([float("nan"), 1], "good must be between 0 and 10, not nan"),
    ],
)
def test_scores_that_cannot_be_are_refused(task: ReviewTask, reviewer: Any, scores: list[float], complaint: str):
    with pytest.raises(BadInput, match=complaint):
        services.submit_review(task=task, reviewer=reviewer, scores=scores)
    assert not Review.objects.exists()


def test_nobody_reviews_the_same_task_twice(task: ReviewTask, reviewer: Any):
    services.submit_review(task=task, reviewer=reviewer, scores=[1, 1])
    with pytest.raises(BadInput, match="already"):
        services.submit_review(task=task, reviewer=reviewer, scores=[2, 2])
