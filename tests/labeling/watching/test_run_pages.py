"""Labelling runs in the browser: watch, pause, cancel, resume, ask again what failed."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from distillery_site.common.models import AuditEntry
from distillery_site.common.runs import RunState
from labeling import services
from labeling.models import FilterVersion, LabelingBatch, LabelingItem, LabelingRun
from tests.labeling import paid, world


@pytest.fixture
def lead(client: Client, db: None, django_user_model: Any) -> Client:
    client.force_login(django_user_model.objects.create_superuser("lead"))
    return client


@pytest.fixture
def viewer(db: None, django_user_model: Any) -> Client:
    person = django_user_model.objects.create_user("viewer")
    person.groups.add(Group.objects.get_or_create(name="viewer")[0])
    other = Client()
    other.force_login(person)
    return other


@pytest.fixture
def run(version: FilterVersion) -> LabelingRun:
    """Three articles before the recorded oracle."""
    articles = world.keys(world.articles(3))
    return services.start_labeling(version=version, oracle=services.get_oracle(provider="recorded"), articles=articles)


@pytest.fixture
def paid_run(version: FilterVersion) -> LabelingRun:
    return paid.run(version, cost_usd=Decimal("0.1"))


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def stop(run: LabelingRun, state: RunState = RunState.DONE) -> None:
    paid.change(run, state=state)
    run.shards.update(state=state)


def test_the_page_asks_again_only_while_something_can_change(lead: Client, run: LabelingRun):
    assert "every 2s" in text_of(lead, f"/labels/{run.pk}/")
    run.request_cancel()
    assert "every 2s" not in text_of(lead, f"/labels/{run.pk}/live")


def test_the_whole_page_is_fetched_anew_when_the_run_has_ended(lead: Client, run: LabelingRun):
    assert "HX-Refresh" not in lead.get(f"/labels/{run.pk}/live")
    stop(run)
    assert lead.get(f"/labels/{run.pk}/live")["HX-Refresh"] == "true"


def test_a_paused_run_is_watched_until_nothing_is_out(lead: Client, paid_run: LabelingRun):
    stop(paid_run, RunState.PAUSED)
    call = paid.call(paid_run.items.first(), state="out")
    assert "every 2s" in text_of(lead, f"/labels/{paid_run.pk}/live")
    call.delete()
    assert "every 2s" not in text_of(lead, f"/labels/{paid_run.pk}/live")


def test_the_page_groups_problems_and_tells_absent_articles_from_failures(lead: Client, run: LabelingRun):
    first, second, third = run.items.order_by("pk")
    LabelingItem.objects.filter(pk=first.pk).update(state="absent")
    run.items.filter(pk__in=(second.pk, third.pk)).update(state="failed", error_class="refusal", error="It would rather not.")
    shown = text_of(lead, f"/labels/{run.pk}/")
    assert "without a recording" in shown and "refusal" in shown and "It would rather not." in shown


def test_problems_are_one_click_from_the_raw_answer(lead: Client, paid_run: LabelingRun):
    call = paid.failed(paid_run.items.first(), "refusal: cyber")
    shown = text_of(lead, f"/labels/{paid_run.pk}/")
    assert f"/labels/{paid_run.pk}/calls/{call.key}/" in shown
    assert f"/labels/{paid_run.pk}/problems/refusal:%20cyber/" in shown


def test_the_page_shows_where_the_money_is(lead: Client, paid_run: LabelingRun):
    paid.labelled(paid_run.items.first())
    paid.change(paid_run, lost_usd=Decimal("0.02"), reserved_usd=Decimal("0.04"), progress_done=1)
    shown = " ".join(text_of(lead, f"/labels/{paid_run.pk}/").split())
    assert "<b>$0.1600</b> spent or out of at most <b>$1.00</b>" in shown and "come to about <b>$0.4200</b>" in shown
    assert "<b>$0.0200</b>" in shown and "?state=lost" in shown and "cap for this run" in shown


def test_the_page_says_when_the_months_cap_binds(lead: Client, paid_run: LabelingRun, settings: Any):
    settings.ORACLE_MONTHLY_CAP_USD = "0.5"
    assert "The cap of $0.5000 for this month binds" in text_of(lead, f"/labels/{paid_run.pk}/")


def test_a_recorded_run_has_no_money_to_show(lead: Client, run: LabelingRun):
    assert 'id="money"' not in text_of(lead, f"/labels/{run.pk}/")


def test_the_page_lists_batches(lead: Client, paid_run: LabelingRun):
    sent = timezone.now() - timedelta(hours=1)
    LabelingBatch.objects.create(
        run=paid_run, marker="m1", provider_id="msgbatch_7", state="submitted", requests=4, submitted_at=sent
    )
    shown = text_of(lead, f"/labels/{paid_run.pk}/")
    assert "msgbatch_7" in shown and "with the provider" in shown


def test_flags_lead_to_their_articles(lead: Client, paid_run: LabelingRun):
    paid.labelled(paid_run.items.first(), flags=("1 of 2 quotes not in the article",))
    assert f"/labels/{paid_run.pk}/flags/quotes%20not%20in%20the%20article/" in text_of(lead, f"/labels/{paid_run.pk}/")


def test_the_setup_says_who_agreed_and_how_articles_were_drawn(lead: Client, paid_run: LabelingRun):
    sampling = {"how": "random", "size": 4, "pool": 90, "seed": 7}
    plan = {"usd": 0.8, "ask": 4, "tokens_in": 480, "tokens_out": 100, "seconds": 12.0, "price_list": {"source": "list 1"}}
    paid.change(paid_run, sampling=sampling, plan=plan)
    shown = text_of(lead, f"/labels/{paid_run.pk}/")
    assert "4 at random of 90 that passed, seed 7" in shown and paid_run.agreed["sentence"][:40] in shown
    assert "The plan at the start against what it became" in shown and "list 1" in shown


def test_a_pilot_without_a_single_label_still_has_its_page(lead: Client, paid_run: LabelingRun):
    for item in paid_run.items.all():
        paid.failed(item)
    paid.change(paid_run, kind="pilot")
    stop(paid_run)
    assert "What the" in text_of(lead, f"/labels/{paid_run.pk}/")


def test_the_scores_of_a_running_run_are_fetched_by_themselves(lead: Client, paid_run: LabelingRun):
    paid.labelled(paid_run.items.first())
    shown = text_of(lead, f"/labels/{paid_run.pk}/scores")
    assert "every 10s" in shown and "7.00" in shown
    stop(paid_run)
    assert "every 10s" not in text_of(lead, f"/labels/{paid_run.pk}/scores")


def test_pausing_is_written_down(lead: Client, run: LabelingRun):
    lead.post(f"/labels/{run.pk}/pause")
    run.refresh_from_db()
    assert run.state == RunState.PAUSED and "Paused by a person." in text_of(lead, f"/labels/{run.pk}/")
    assert AuditEntry.objects.filter(action="labelling paused", actor__username="lead").exists()


def test_what_is_over_cannot_be_paused(lead: Client, run: LabelingRun):
    stop(run)
    assert "only a queued or running run can be paused" in lead.post(f"/labels/{run.pk}/pause", follow=True).content.decode()


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


def test_a_paused_run_is_resumed_under_a_new_cap(lead: Client, paid_run: LabelingRun):
    stop(paid_run, RunState.PAUSED)
    lead.post(f"/labels/{paid_run.pk}/resume", {"budget_usd": "2.5"})
    paid_run.refresh_from_db()
    assert (paid_run.state, paid_run.budget_usd) == (RunState.QUEUED, Decimal("2.5"))


@pytest.mark.parametrize(("budget", "sentence"), [("lots", "such as 5."), ("", "only a paused, failed or cancelled run")])
def test_resuming_what_cannot_be_resumed_says_why(lead: Client, run: LabelingRun, budget: str, sentence: str):
    answer = lead.post(f"/labels/{run.pk}/resume", {"budget_usd": budget}, follow=True)
    assert sentence in answer.content.decode()


def test_what_failed_is_asked_again(lead: Client, paid_run: LabelingRun, django_capture_on_commit_callbacks: Any):
    for item, name in zip(paid_run.items.order_by("pk"), ("invalid", "invalid", "truncated", "invalid"), strict=True):
        paid.failed(item, name)
    paid.change(paid_run, progress_done=4)
    stop(paid_run)
    with django_capture_on_commit_callbacks() as sent:
        answer = lead.post(f"/labels/{paid_run.pk}/retry", {"error_class": "invalid"}, follow=True)
    assert "3 articles are asked about again." in answer.content.decode() and len(sent) == 1
    assert paid_run.items.filter(state="failed").count() == 1
    assert AuditEntry.objects.filter(action="failed articles asked again", actor__username="lead").exists()


def test_nothing_is_asked_again_while_the_run_is_at_work(lead: Client, paid_run: LabelingRun):
    paid.failed(paid_run.items.first())
    assert "Ask again" not in text_of(lead, f"/labels/{paid_run.pk}/")
    assert "wait until it has ended" in lead.post(f"/labels/{paid_run.pk}/retry", follow=True).content.decode()


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        (RunState.QUEUED, {"run-pause", "run-cancel"}),
        (RunState.PAUSED, {"run-resume", "run-retry", "run-cancel"}),
        (RunState.DONE, {"run-retry"}),
        (RunState.FAILED, {"run-resume", "run-retry"}),
    ],
)
def test_only_what_is_possible_is_offered(lead: Client, paid_run: LabelingRun, state: RunState, buttons: set[str]):
    paid.failed(paid_run.items.first())
    stop(paid_run, state)
    shown = text_of(lead, f"/labels/{paid_run.pk}/")
    assert {one for one in ("run-pause", "run-resume", "run-retry", "run-cancel") if f'id="{one}"' in shown} == buttons


def test_a_viewer_sees_the_run_and_can_change_nothing(viewer: Client, paid_run: LabelingRun):
    assert "<form method" not in text_of(viewer, f"/labels/{paid_run.pk}/live")
    assert {viewer.post(f"/labels/{paid_run.pk}/{verb}").status_code for verb in ("pause", "cancel", "resume", "retry")} == {403}


def test_a_get_changes_nothing(lead: Client, run: LabelingRun):
    assert {lead.get(f"/labels/{run.pk}/{verb}").status_code for verb in ("pause", "cancel", "resume", "retry")} == {405}
    run.refresh_from_db()
    assert run.state == RunState.QUEUED


def test_the_list_shows_runs_or_how_to_start_one(lead: Client, version: FilterVersion):
    assert "python manage.py label tiny" in text_of(lead, "/labels/")
    run = paid.run(version)
    paid.failed(run.items.first())
    shown = text_of(lead, "/labels/")
    assert f"Run {run.pk}" in shown and "of $1.00" in shown and f"/labels/{run.pk}/#problems" in shown


def test_the_list_is_narrowed_by_state_and_filter(lead: Client, run: LabelingRun, version: FilterVersion):
    stop(run)
    other = paid.run(version)
    listed = {query: [line.run.pk for line in lead.get(f"/labels/{query}").context["lines"]] for query in QUERIES}
    everything = [other.pk, run.pk]
    wanted = {"?state=done": [run.pk], "?filter=tiny": everything, "?filter=other": [], "?state=nonsense": everything}
    assert listed == wanted
    assert "No run matches" in text_of(lead, "/labels/?filter=other")


QUERIES = ("?state=done", "?filter=tiny", "?filter=other", "?state=nonsense")
