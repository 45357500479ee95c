"""Starting a labelling run in the browser: first the plan, then a cap and a yes, then the run."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from distillery_site.common.runs import RunState
from labeling import services
from labeling.models import LabelingRun, Oracle
from tests.fakes.vendor import KEY, FakeVendor
from tests.labeling import world

FORM = {
    "provider": "anthropic",
    "model": "",
    "params": "",
    "draw": "some",
    "size": "2",
    "seed": "0",
    "mode": "direct",
    "reading": "1",
}


@pytest.fixture
def lead(client: Client, db: None, django_user_model: Any) -> Client:
    client.force_login(django_user_model.objects.create_superuser("lead"))
    return client


@pytest.fixture
def vendor(settings: Any) -> Iterator[FakeVendor]:
    with FakeVendor() as server:
        settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = server.url, KEY
        yield server


@pytest.fixture
def form(version: Any, vendor: FakeVendor) -> dict[str, Any]:
    """The choices for a rubric with thirty articles that passed its prefilter."""
    world.articles(30)
    services.run_prefilter(policy=version.policies.get())
    return {**FORM, "filter": version.filter.pk}


def look(lead: Client, form: dict[str, Any]) -> Any:
    """The plan, as htmx asks for it."""
    return lead.post("/labels/new", {**form, "look": "yes"}, headers={"HX-Request": "true"})


def planned(lead: Client, form: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The form as the page sends it when the plan was looked at."""
    context = look(lead, form).context
    return {**form, "plan": context["sealed"], "budget_usd": context["cap"], "agree": "on", "start": "yes", **more}


def said(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_plan_comes_first_and_costs_nothing(lead: Client, form: dict[str, Any], vendor: FakeVendor):
    answer = look(lead, form)
    shown = said(answer)
    assert answer.status_code == 200 and "<html" not in shown and "Start: ask about 2 articles" in shown
    assert "counted by anthropic on 2 articles" in shown and "In <a" in shown and "Nothing leaves this machine" in shown
    assert f'value="{answer.context["plan"].cap_usd:.2f}"' in shown, "the cap is filled in with the worst case, rounded up"
    assert not vendor.ledger and not LabelingRun.objects.exists() and not Oracle.objects.exists()


def test_it_starts_what_was_planned_and_sends_the_task_once(
    lead: Client, form: dict[str, Any], django_capture_on_commit_callbacks: Any
):
    sent_form = planned(lead, form)
    with django_capture_on_commit_callbacks() as sent:
        answer = lead.post("/labels/new", sent_form)
    run = LabelingRun.objects.get()
    assert answer["Location"] == f"/labels/{run.pk}/"
    assert (run.items.count(), run.state, run.created_by.username, len(sent)) == (2, RunState.QUEUED, "lead", 1)
    assert run.plan["ask"] == 2 and run.agreed["by"] == "lead" and run.agreed["sentence"].startswith("Nothing leaves")
    assert float(run.budget_usd) == pytest.approx(run.plan["cap_usd"])


def test_without_script_the_whole_page_shows_the_plan(lead: Client, form: dict[str, Any]):
    shown = said(lead.post("/labels/new", {**form, "look": "yes"}))
    assert "<html" in shown and "Start: ask about 2 articles" in shown


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"agree": ""}, "Nothing is sent before you agree to it."),
        ({"budget_usd": ""}, "Give a cap in USD"),
        ({"budget_usd": "0"}, "A cap of less than a cent lets nothing be asked"),
        ({"budget_usd": "lots"}, "The cap must be an amount in dollars, such as 5."),
        ({"size": "3"}, "look at it again"),
        ({"mode": "batch"}, "look at it again"),
        ({"plan": ""}, "look at it again"),
        ({"plan": "made:up"}, "look at it again"),
    ],
)
def test_nothing_starts_that_was_not_looked_at_capped_and_agreed_to(
    lead: Client, form: dict[str, Any], changes: dict[str, str], sentence: str
):
    answer = lead.post("/labels/new", {**planned(lead, form), **changes})
    assert answer.status_code == 400 and sentence in said(answer)
    assert not LabelingRun.objects.exists()


def test_a_cap_below_one_call_is_refused(lead: Client, form: dict[str, Any]):
    answer = lead.post("/labels/new", planned(lead, {**form, "params": "max_tokens=32000"}, budget_usd="0.01"))
    assert answer.status_code == 400 and "so nothing could be asked under this cap" in said(answer)


def test_articles_that_came_meanwhile_want_another_look(lead: Client, form: dict[str, Any], version: Any):
    sent = planned(lead, {**form, "draw": "all"})
    services.import_articles(source="late", rows=world.rows(1, first=900))
    services.run_prefilter(policy=version.policies.get())
    assert "look at it again" in said(lead.post("/labels/new", sent)) and not LabelingRun.objects.exists()


def test_a_typed_cap_stays_when_the_plan_is_shown_again(lead: Client, form: dict[str, Any]):
    suggested = look(lead, form).context["suggested"]
    assert look(lead, {**form, "budget_usd": "7", "suggested": suggested}).context["cap"] == "7.00"
    again = look(lead, {**form, "size": "20", "budget_usd": suggested, "suggested": suggested}).context
    assert again["cap"] == again["suggested"] != suggested


def test_a_pilot_is_eighty_or_what_there_is(lead: Client, form: dict[str, Any], django_capture_on_commit_callbacks: Any):
    lead.post("/labels/new", planned(lead, {**form, "draw": "pilot", "size": ""}))
    run = LabelingRun.objects.get()
    assert (run.kind, run.items.count(), run.sampling["how"]) == ("pilot", 30, "all")


def test_further_filters_are_asked_in_the_same_prompt(lead: Client, form: dict[str, Any]):
    other = world.version(slug="other", name="Other")
    lead.post("/labels/new", planned(lead, {**form, "also": [other.filter.pk, form["filter"]]}))
    run = LabelingRun.objects.get()
    assert [str(one) for one in run.versions] == ["tiny v1", "other v1"]


def test_recorded_answers_need_no_cap_and_no_consent(lead: Client, form: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("labeling.running.engage._recordings_of", lambda version: {"folder": "/nowhere", "source": "desk"})
    sent = planned(lead, {**form, "provider": "recorded"}, budget_usd="", agree="")
    shown = said(look(lead, {**form, "provider": "recorded"}))
    assert "Cap in USD" not in shown and "agree" not in shown and "the answers are recorded" in shown
    assert lead.post("/labels/new", sent).status_code == 302


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"provider": "nobody"}, "Provider: Select a valid choice"),
        ({"params": "effort"}, "must look like NAME=VALUE."),
        ({"params": "effort=huge"}, "effort must be one of"),
        ({"draw": "some", "size": ""}, "How many: Say how many articles."),
        ({"model": "claude-nobody-1"}, "Set ORACLE_PRICES=claude-nobody-1"),
        ({"reading": "2"}, "has been read by claude-haiku-5-5"),
    ],
)
def test_what_cannot_be_planned_is_said_in_the_plan(lead: Client, form: dict[str, Any], changes: dict[str, str], sentence: str):
    shown = said(look(lead, {**form, **changes}))
    assert sentence in shown and "start-run" not in shown


def test_a_missing_key_is_named(lead: Client, form: dict[str, Any], settings: Any):
    settings.ANTHROPIC_API_KEY = ""
    assert "ANTHROPIC_API_KEY is not set" in said(look(lead, form))


def test_it_keeps_what_was_typed_when_nothing_passed_the_prefilter(lead: Client, version: Any, vendor: FakeVendor):
    shown = said(lead.post("/labels/new", {**FORM, "filter": version.filter.pk, "size": "17", "look": "yes"}))
    assert "import articles and run the prefilter first" in shown and 'value="17"' in shown


def test_what_goes_to_a_vendor_is_said_with_its_host(lead: Client, form: dict[str, Any], settings: Any):
    settings.ANTHROPIC_BASE_URL = "https://1.1.1.1"
    settings.ANTHROPIC_API_KEY = ""
    plan = look(lead, form).context["plan"]
    assert plan.departure.sentence.startswith(
        "The rubric of Tiny and title, date and the first 400 words of 2 articles go to 1.1.1.1."
    )


def test_a_run_can_follow_a_pilot_with_the_same_oracle(lead: Client, form: dict[str, Any]):
    lead.post("/labels/new", planned(lead, {**form, "draw": "pilot", "params": "effort=medium", "model": "claude-sonnet-5-5"}))
    pilot = LabelingRun.objects.get()
    initial = lead.get(f"/labels/new?run={pilot.pk}&mode=batch").context["form"].initial
    assert (initial["draw"], initial["mode"], initial["params"]) == ("all", "batch", "effort=medium")
    assert initial["model"] == "claude-sonnet-5-5"


@pytest.mark.parametrize("number", ["77", "-1", "x", "²"])
def test_a_run_that_is_not_there_is_no_error(lead: Client, version: Any, number: str):
    assert lead.get("/labels/new", {"run": number}).status_code == 200


def test_a_pilot_is_proposed_first(lead: Client, version: Any):
    assert lead.get("/labels/new").context["form"].initial["draw"] == "pilot"
