"""Labelling runs in the browser: watch, cancel, resume."""

from typing import Any

import pytest
from django.test import Client

from distillery_site.common.models import AuditEntry
from distillery_site.common.runs import RunState
from labeling import services
from labeling.models import LabelingItem, LabelingRun
from tests.labeling import world


@pytest.fixture
def lead(client: Client, db: None, django_user_model: Any) -> Client:
    client.force_login(django_user_model.objects.create_superuser("lead"))
    return client


@pytest.fixture
def passed(version: Any) -> Any:
    """The rubric with three articles that passed its prefilter."""
    world.articles(3)
    services.run_prefilter(policy=version.policies.get())
    return version


@pytest.fixture
def run(passed: Any) -> LabelingRun:
    articles = services.sample_articles(policy=passed.policies.get())
    return services.start_labeling(version=passed, oracle=services.get_oracle(provider="recorded"), articles=articles)


def test_the_page_asks_again_only_while_something_can_change(lead: Client, run: LabelingRun):
    assert "every 2s" in lead.get(f"/labels/{run.pk}/").content.decode()
    run.request_cancel()
    assert "every 2s" not in lead.get(f"/labels/{run.pk}/live").content.decode()


def test_the_page_groups_problems_and_tells_absent_articles_from_failures(lead: Client, run: LabelingRun):
    first, second, third = run.items.order_by("pk")
    LabelingItem.objects.filter(pk=first.pk).update(state="absent")
    run.items.filter(pk__in=(second.pk, third.pk)).update(state="failed", error_class="refusal", error="It would rather not.")
    shown = lead.get(f"/labels/{run.pk}/").content.decode()
    assert "Without a recording" in shown and "refusal" in shown and "It would rather not." in shown


def test_the_page_gives_the_exact_command(lead: Client, run: LabelingRun):
    assert "python manage.py label tiny@1 --oracle recorded --size 3" in lead.get(f"/labels/{run.pk}/").content.decode()
    run.request_cancel()
    assert f"python manage.py label tiny@1 --resume {run.pk}" in lead.get(f"/labels/{run.pk}/").content.decode()


def test_cancelling_is_written_down(lead: Client, run: LabelingRun):
    lead.post(f"/labels/{run.pk}/cancel")
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert AuditEntry.objects.filter(action="labelling cancelled", actor__username="lead").exists()


def test_a_cancelled_run_is_resumed(lead: Client, run: LabelingRun, django_capture_on_commit_callbacks: Any):
    run.request_cancel()
    with django_capture_on_commit_callbacks() as sent:
        lead.post(f"/labels/{run.pk}/resume")
    run.refresh_from_db()
    assert (run.state, len(sent)) == (RunState.QUEUED, 1)


@pytest.mark.parametrize(("budget", "sentence"), [("lots", "such as 5."), ("", "only a paused, failed or cancelled run")])
def test_resuming_what_cannot_be_resumed_says_why(lead: Client, run: LabelingRun, budget: str, sentence: str):
    answer = lead.post(f"/labels/{run.pk}/resume", {"budget_usd": budget}, follow=True)
    assert sentence in answer.content.decode()


def test_a_get_changes_nothing(lead: Client, run: LabelingRun):
    assert lead.get(f"/labels/{run.pk}/cancel").status_code == 405
    run.refresh_from_db()
    assert run.state == RunState.QUEUED


def test_the_list_shows_runs_or_how_to_start_one(lead: Client, version: Any):
    assert "python manage.py label tiny" in lead.get("/labels/").content.decode()
    articles = world.keys(world.articles(1))
    services.start_labeling(version=version, oracle=services.get_oracle(provider="recorded"), articles=articles)
    assert "Run " in lead.get("/labels/").content.decode()
