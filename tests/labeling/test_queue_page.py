"""The review queue's page: the way in, what waits and why, and the rules; and lists of articles that are sent there."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from distillery_site.common.models import AuditEntry
from labeling import services
from labeling.models import FilterAccess, FilterVersion, Review, ReviewRules, ReviewTask, ReviewTurn
from labeling.reviewing.turns import skip, take_turn
from tests.labeling import world

RULES = {"reviewers": "2", "unblinded": "25", "threshold": "1.5", "due_days": ""}


def seat(user: Any, role: str, version: FilterVersion) -> Client:
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    FilterAccess.objects.get_or_create(user=user, filter=version.filter)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def desk(reviewer: Any, version: FilterVersion) -> Client:
    return seat(reviewer, "reviewer", version)


@pytest.fixture
def lead(django_user_model: Any, version: FilterVersion) -> Client:
    return seat(django_user_model.objects.create_user("lead"), "lead", version)


@pytest.fixture
def tasks(version: FilterVersion) -> list[ReviewTask]:
    """The second weighs more."""
    first, second = world.articles(2)
    light = services.open_review(version=version, article=first, reason="random")
    return [light, services.open_review(version=version, article=second, reason="worst", detail="Off by 6.", priority=6)]


def shown(client: Client, address: str = "/review/") -> str:
    return " ".join(client.get(address).content.decode().split())


def test_the_queue_starts_with_what_weighs_most(desk: Client, tasks: list[ReviewTask]):
    page = shown(desk)
    assert page.index("Title 1") < page.index("Title 0") and "2 articles wait</span>" not in page
    assert "Review the next article" in page and "2 articles wait for you" in page
    answer = desk.post("/filters/tiny/review")
    assert answer.url == f"/review/{tasks[1].pk}/" and ReviewTurn.objects.get().task == tasks[1]
    assert "Go on with “Title 1”" in shown(desk)


def test_who_only_reviews_is_not_told_why_an_article_waits(desk: Client, lead: Client, tasks: list[ReviewTask]):
    assert "worst error" not in shown(desk) and "Off by 6." not in shown(desk, "/review/?reason=random")
    assert "The student&#x27;s worst error" in shown(lead) and "Off by 6." in shown(lead)


def test_leads_narrow_the_list_by_reason(lead: Client, tasks: list[ReviewTask]):
    page = shown(lead, "/review/?reason=random")
    assert "Title 0</a>" in page and "Title 1</a>" not in page
    assert "None that waits" in shown(lead, "/review/?reason=gap")


def test_it_counts_what_is_done_overdue_and_at_a_desk(
    desk: Client, lead: Client, tasks: list[ReviewTask], reviewer: Any, version: FilterVersion
):
    ReviewTask.objects.filter(pk=tasks[0].pk).update(due_at=timezone.now() - timedelta(days=1))
    done = services.open_review(version=version, article=world.articles(3)[2], reason="sent")
    services.submit_review(task=done, reviewer=reviewer, scores=[5, 5])
    take_turn(task=tasks[1], reviewer=reviewer)
    page = shown(desk)
    assert '<dt>Overdue</dt><dd class="ours">1</dd>' in page and "1 at a desk now" in page
    assert "of 3 articles" in page and "1 today" in page
    assert 'Title 2</a> <span class="small muted">reviewer,' in shown(lead)


def test_leads_read_why_something_was_skipped(lead: Client, tasks: list[ReviewTask], reviewer: Any):
    skip(take_turn(task=tasks[1], reviewer=reviewer), "It is not an article.")
    assert "Title 1</a>: It is not an article." in shown(lead)


def test_nothing_left_is_said_and_not_an_error(desk: Client, tasks: list[ReviewTask], reviewer: Any):
    for task in tasks:
        services.submit_review(task=task, reviewer=reviewer, scores=[5, 5])
    assert "Nothing of Tiny waits for you now" in desk.post("/filters/tiny/review", follow=True).content.decode()
    assert "Nothing waits for a review" in shown(desk)


def test_a_queue_of_another_filter_is_refused(desk: Client, tasks: list[ReviewTask]):
    FilterAccess.objects.all().delete()
    assert desk.post("/filters/tiny/review").status_code == 403
    assert "No filter is yours yet" in shown(desk)


def test_a_lead_sets_the_rules_and_the_log_says_so(lead: Client, version: FilterVersion):
    assert 'name="unblinded" value="10"' in shown(lead, "/filters/tiny/review-rules")
    lead.post("/filters/tiny/review-rules", RULES)
    rules = ReviewRules.objects.get(filter=version.filter)
    assert (rules.reviewers, rules.unblinded, rules.threshold, rules.due_days) == (2, 0.25, 1.5, None)
    entry = AuditEntry.objects.get(action="review rules changed")
    assert (entry.before["reviewers"], entry.after["reviewers"]) == (1, 2)
    lead.post("/filters/tiny/review-rules", RULES)
    assert AuditEntry.objects.filter(action="review rules changed").count() == 1


@pytest.mark.parametrize("wrong", [{"reviewers": "0"}, {"unblinded": "101"}, {"threshold": "11"}, {"due_days": "-1"}])
def test_rules_that_cannot_be_are_refused(lead: Client, version: FilterVersion, wrong: dict[str, str]):
    assert lead.post("/filters/tiny/review-rules", RULES | wrong).status_code == 400
    assert not ReviewRules.objects.exists()


def test_a_reviewer_does_not_set_them(desk: Client, version: FilterVersion):
    assert desk.post("/filters/tiny/review-rules", RULES).status_code == 403


def test_ticked_articles_are_sent(lead: Client, version: FilterVersion):
    first, second, _ = world.articles(3)
    assert f'value="{first.pk}" form="send"' in shown(lead, "/articles/")
    answer = lead.post("/articles/send", {"article": [first.pk, second.pk, "x"]}, follow=True).content.decode()
    assert "2 articles wait for a review now." in answer
    assert set(ReviewTask.objects.values_list("article", "reason", "detail")) == {
        (first.pk, "sent", "Sent by lead."),
        (second.pk, "sent", "Sent by lead."),
    }


def test_all_that_a_search_found_are_sent(lead: Client, version: FilterVersion):
    found = world.articles(3)[1]
    lead.post("/articles/send?q=word1x5", {"all": "1"})
    assert ReviewTask.objects.get().article == found
    assert AuditEntry.objects.get(action="articles sent to review").after["list"] == "search: word1x5"


def test_nothing_ticked_sends_nothing(lead: Client, version: FilterVersion):
    world.articles(2)
    answer = lead.post("/articles/send?q=title", follow=True)
    assert "tick the articles" in answer.content.decode() and answer.redirect_chain[0][0] == "/articles/?q=title"
    assert not ReviewTask.objects.exists()


def test_an_article_that_was_reviewed_can_be_sent_again_from_its_page(lead: Client, version: FilterVersion, reviewer: Any):
    (article,) = world.articles(1)
    task = services.open_review(version=version, article=article, reason="sent")
    services.submit_review(task=task, reviewer=reviewer, scores=[5, 5])
    lead.post(f"/articles/{article.pk}/send", {"version": version.pk})
    assert ReviewTask.objects.open().count() == 1 and Review.objects.count() == 1
    assert AuditEntry.objects.filter(action="article sent to review").exists()
