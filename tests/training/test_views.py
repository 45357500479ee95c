"""The pages of data sets and training runs, as a viewer and a lead meet them."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from distillery_site.common.models import AuditEntry
from distillery_site.common.runs import RunState
from labeling.models import LabelingRun, Oracle, OracleLabel
from tests.access import give_every_filter
from tests.training import world
from training import views
from training.models import Dataset, ModelVersion, TrainingEpoch, TrainingRun

SHARES = {"val_share": 0.1, "test_share": 0.1, "seed": 0, "reading": 1}


def signed_in(django_user_model: Any, role: str) -> Client:
    user = django_user_model.objects.create_user(role)
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    give_every_filter(user)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def analyst(django_user_model: Any, db: None) -> Client:
    return signed_in(django_user_model, "viewer")


@pytest.fixture
def lead(django_user_model: Any, db: None) -> Client:
    return signed_in(django_user_model, "lead")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[TrainingRun]:
    """What the pages handed to the gpu lane."""
    runs: list[TrainingRun] = []
    monkeypatch.setattr(views, "send", runs.append)
    return runs


@pytest.fixture
def run(dataset: Dataset) -> TrainingRun:
    """Half way through: one epoch, three steps."""
    row = TrainingRun.objects.create(
        dataset=dataset,
        kind="lora",
        model_name="news-lora",
        preset="minilm-demo",
        config={"epochs": 2},
        step=3,
        steps=4,
        epoch_now=1.5,
        loss_curve=[[1, 0.9], [2, 0.7], [3, 0.6]],
        notes=["This machine has no bf16."],
    )
    TrainingEpoch.objects.create(run=row, number=1, train_mae=0.5, val_mae=0.4, val_mae_by_output=[0.3, None], seconds=2)
    return row


@pytest.fixture
def ridge(dataset: Dataset) -> ModelVersion:
    """What every other student of the data set has to beat."""
    figures = {"metrics": {"val_constant_mae": 0.6}}
    return ModelVersion.objects.create(
        name="news-ridge", number=1, kind="ridge", dataset=dataset, val_mae=0.45, manifest=figures, manifest_sha256="r"
    )


def page(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status
    return response.content.decode()


def test_it_says_what_data_sets_are_for_while_there_is_none(lead):
    html = page(lead, "/data-sets/")
    assert "No data set yet" in html
    assert "manage.py freeze" in html


def test_it_shows_how_a_data_set_is_split_and_that_nothing_leaks(analyst, dataset):
    html = page(analyst, "/data-sets/news/")
    assert "Leakage 0." in html
    assert dataset.fingerprint in html
    assert html.count("spark-bar") > 2
    assert "freeze news --filter uplifting@1" in html


def test_it_shows_buttons_only_to_those_who_may_press_them(analyst, lead, dataset):
    assert "Train a student on it" in page(lead, "/data-sets/news/")
    assert "Train a student on it" not in page(analyst, "/data-sets/news/")


def test_it_has_no_page_for_an_unknown_data_set(analyst):
    page(analyst, "/data-sets/nothing/", status=404)


def test_it_freezes_what_the_form_says(lead, uplifting, oracle, stories):
    form = {**SHARES, "name": "mine", "versions": [uplifting.pk], "oracle": oracle.pk, "val_share": 0.2}
    assert lead.post("/data-sets/new", form).headers["Location"] == "/data-sets/mine/"
    frozen = Dataset.objects.get()
    assert frozen.recipe["fractions"] == [0.7, 0.2, 0.1]
    assert frozen.created_by.username == "lead"


def test_it_mixes_oracles_only_when_the_form_says_so(lead, uplifting, oracle, stories):
    gemini = world.oracle("Gemini")
    world.label(world.article(world.prose(77)), uplifting, gemini, [7, 7])
    form = {**SHARES, "name": "mine", "versions": [uplifting.pk], "oracle": oracle.pk, "others": [oracle.pk, gemini.pk]}
    assert "their labels are mixed only if you say so" in lead.post("/data-sets/new", form).content.decode()
    lead.post("/data-sets/new", {**form, "mix": "on"})
    html = page(lead, "/data-sets/mine/")
    assert "labelled by Claude and Gemini, reading 1" in html and "1 target by Gemini, prompt not recorded" in html


def test_it_shows_of_how_many_readings_targets_are_the_mean(lead, uplifting, oracle, stories):
    world.label(stories[0], uplifting, oracle, [9, 9], reading=2)
    form = {**SHARES, "name": "mine", "versions": [uplifting.pk], "oracle": oracle.pk, "mean_of_readings": "on"}
    lead.post("/data-sets/new", form)
    html = page(lead, "/data-sets/mine/")
    assert "mean of up to 2 readings" in html and "39 of 1 reading, 1 of 2 readings" in html


def test_it_keeps_what_was_typed_when_nothing_can_be_frozen(lead, uplifting, stories):
    other = world.oracle("Another")
    form = {**SHARES, "name": "mine", "versions": [uplifting.pk], "oracle": other.pk}
    response = lead.post("/data-sets/new", form)
    assert response.status_code == 400
    assert "Nothing is labelled" in response.content.decode()
    assert 'value="mine"' in response.content.decode()


def test_it_starts_the_run_that_the_form_describes(lead, dataset, sent):
    response = lead.post("/training/new", {"dataset": "news", "kind": "ridge", "config": "shrink=false"})
    [run] = TrainingRun.objects.all()
    assert response.headers["Location"] == f"/training/{run.pk}/"
    assert (run.kind, run.config, run.created_by.username) == ("ridge", {"shrink": False}, "lead")
    assert sent == [run]


def test_it_queues_nothing_that_makes_no_sense(lead, dataset, sent):
    response = lead.post("/training/new", {"dataset": "news", "kind": "ridge", "config": "speed=9"})
    assert response.status_code == 400
    assert not sent and not TrainingRun.objects.exists()


def test_it_lists_runs_with_what_their_error_has_to_be_compared_with(analyst, run, ridge):
    TrainingRun.objects.create(dataset=run.dataset, kind="lora", model_name="news-guess", purpose="estimate")
    html = page(analyst, "/training/")
    assert f"Run {run.pk}" in html and "news-lora" in html and "news-guess" not in html
    assert "<b>0.400</b>" in html and "constant 0.600, ridge 0.450, n = 4" in html


def test_it_shows_how_a_run_learns(analyst, run, ridge):
    html = page(analyst, f"/training/{run.pk}/")
    for part in ("Training loss", "epoch 1", "Impact", "0.300", "This machine has no bf16.", "<b>2</b>", "−20", "news-ridge v1"):
        assert part in html
    assert "on the same 4 articles" in html and "may still improve" in html
    assert "train news --student lora --name news-lora --preset minilm-demo --set epochs=2" in html


def test_it_asks_again_while_a_run_is_under_way_and_then_no_more(analyst, run):
    live = f"/training/{run.pk}/live"
    assert f'hx-get="{live}"' in page(analyst, live)
    TrainingRun.objects.update(state=RunState.FAILED, error="The base is missing.")
    html = page(analyst, live)
    assert "hx-get" not in html
    assert "The base is missing." in html


def test_it_cancels_and_resumes(lead, run, sent):
    lead.post(f"/training/{run.pk}/cancel")
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    lead.post(f"/training/{run.pk}/resume")
    run.refresh_from_db()
    assert run.state == RunState.QUEUED
    assert sent == [run]
    written = AuditEntry.objects.filter(actor__username="lead").order_by("pk")
    assert list(written.values_list("action", flat=True)) == ["training cancelled", "training resumed"]


def test_what_is_over_already_is_not_written_down_as_cancelled(lead, run):
    TrainingRun.objects.update(state=RunState.DONE)
    lead.post(f"/training/{run.pk}/cancel")
    lead.post(f"/training/{run.pk}/resume")
    assert not AuditEntry.objects.exists()


def test_it_changes_nothing_on_a_get(lead, run):
    assert lead.get(f"/training/{run.pk}/cancel").status_code == 405


def test_a_labelling_run_leads_to_the_data_sets_made_of_its_labels(analyst, dataset, uplifting, oracle):
    run = LabelingRun.objects.create(version=uplifting, oracle=oracle)
    address = f"/labels/{run.pk}/data-sets"
    assert "None yet." in page(analyst, address)
    OracleLabel.objects.filter(pk__in=OracleLabel.objects.order_by("pk")[:30]).update(run=run)
    html = page(analyst, address)
    assert '<a href="/data-sets/news/">news</a>: 30 articles that this run labelled' in html and "None yet" not in html


def test_another_oracles_run_is_not_what_a_data_set_is_made_of(analyst, dataset, uplifting):
    other = Oracle.objects.create(name="other", provider="external", model="other", identity="other")
    run = LabelingRun.objects.create(version=uplifting, oracle=other)
    OracleLabel.objects.update(run=run)
    assert "None yet." in page(analyst, f"/labels/{run.pk}/data-sets")
