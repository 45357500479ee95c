"""The form that starts a training or looks ahead: fields for what matters, errors beside what caused them."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests.access import give_every_filter
from tests.fakes.training_child import FORETOLD
from training import views
from training.models import TrainingRun
from training.train_form import MATTER, TrainForm, typed_for

LORA = {"dataset": "news", "kind": "lora"}


@pytest.fixture
def lead(django_user_model: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(views, "send", lambda run: None)
    user = django_user_model.objects.create_user("lead")
    user.groups.add(Group.objects.get_or_create(name="lead")[0])
    give_every_filter(user)
    client = Client()
    client.force_login(user)
    return client


def form(**typed: Any) -> TrainForm:
    return TrainForm({**LORA, **typed})


def test_the_options_that_matter_are_fields_with_their_sentence_and_the_preset_s_value(dataset):
    fields = TrainForm(initial={"kind": "lora", "preset": "qwen2.5-1.5b"})
    assert [field.name for field in fields.of_kind] == list(MATTER)
    assert fields["max_tokens"].help_text.startswith("Tokens of") and 'placeholder="512"' in str(fields["max_tokens"])
    assert "qwen2.5-1.5b (not on this machine)" in str(fields["base"])
    assert "minilm (fetched at the start, 92 MB)" in str(fields["base"])


@pytest.mark.parametrize(("kind", "names"), [("ridge", []), ("kernel", ["base", "max_tokens", "truncation"]), ("oak", [])])
def test_each_kind_shows_its_own_options(dataset, kind, names):
    fields = TrainForm(initial={"kind": kind})
    assert [field.name for field in fields.of_kind] == names
    assert ("layers=6" in [line for line, _ in fields.others]) == (kind == "kernel")
    assert kind != "kernel" or 'placeholder="512"' in str(fields["max_tokens"])


def test_fields_and_lines_together_are_the_options(dataset):
    typed = form(epochs="2", loss="mse", instruction="Score this:", config="rank=8\n schedule=cosine \n\n")
    assert typed.is_valid(), typed.errors
    assert typed.request()["config"] == {
        "epochs": 2, "loss": "mse", "instruction": "Score this:", "rank": 8, "schedule": "cosine",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        ({"epochs": "0"}, "epochs", "epochs must be at least 1"),
        ({"learning_rate": "fast"}, "learning_rate", "Enter a number."),
        ({"kind": "ridge", "epochs": "3"}, "epochs", "ridge has no option 'epochs'"),
        ({"config": "speed=9"}, "config", "lora has no option 'speed'"),
        ({"config": "speed"}, "config", "An option is given as OPTION=VALUE, not 'speed'."),
        ({"config": "rank=8\nrank=9"}, "config", "rank is given more than once"),
        ({"epochs": "2", "config": "epochs=3"}, "config", "epochs is given above as well"),
        ({"config": "huber_delta=2"}, "config", "huber_delta has no part in the loss mae"),
        ({"config": "rank=0"}, "config", "rank must be at least 1"),
        ({"kind": "ridge", "preset": "minilm-demo"}, "preset", "There is no preset 'minilm-demo' for ridge"),
    ],
)
def test_an_error_stands_beside_the_field_that_caused_it(dataset, typed, field, sentence):
    refused = form(**typed)
    assert not refused.is_valid()
    assert list(refused.errors) == [field]
    assert sentence in refused.errors[field][0]


def test_what_start_training_refuses_stands_beside_its_field_too(lead, dataset):
    html = lead.post("/training/new", {"dataset": "news", "kind": "stack"}).content.decode()
    assert re.search(r'id="id_parents_set".*?A stack', html, re.DOTALL)


def test_a_run_is_typed_again_as_it_was(dataset):
    run = TrainingRun(dataset=dataset, kind="lora", preset="minilm-demo", model_name="mine", config={"epochs": 2, "rank": 8})
    run.save()
    again = TrainForm(typed_for(run))
    assert again.is_valid(), again.errors
    asked = again.request()
    assert (asked["preset"], asked["name"], asked["config"]) == ("minilm-demo", "mine", {"epochs": 2, "rank": 8})


def test_a_line_keeps_what_it_means_when_it_is_read_again(dataset):
    config = {"schedule": "cosine", "seed": 7, "standardise": False, "target_modules": ["q_proj", "7"]}
    run = TrainingRun.objects.create(dataset=dataset, kind="lora", model_name="mine", config=config)
    assert TrainForm(typed_for(run)).is_valid()
    assert typed_for(run)["config"].splitlines()[-1] == 'target_modules=["q_proj", "7"]'


def test_the_page_begins_with_what_a_link_names(lead, dataset):
    run = TrainingRun.objects.create(dataset=dataset, kind="lora", model_name="mine", config={"epochs": 9})
    assert 'value="9"' in lead.get(f"/training/new?run={run.pk}").content.decode()
    html = lead.get("/training/new?base=minilm").content.decode()
    assert re.search(r'value="lora"[^>]*checked', html)


def test_another_preset_brings_its_defaults_and_keeps_what_was_typed(lead, dataset):
    html = lead.post("/training/new/options", {**LORA, "preset": "qwen2.5-1.5b", "epochs": "7"}).content.decode()
    assert 'value="7"' in html and 'placeholder="512"' in html and "errorlist" not in html


def test_an_estimate_appears_beside_the_form_and_asks_for_itself(lead, dataset):
    response = lead.post("/training/new/estimate", {**LORA, "epochs": "2"}, headers={"HX-Request": "true"})
    run = TrainingRun.objects.get()
    assert (run.purpose, run.config) == ("estimate", {"epochs": 2})
    html = response.content.decode()
    assert f'hx-get="/training/{run.pk}/estimate"' in html
    assert 'hx-swap-oob="true"' in html and "errorlist" not in html, "what was said of the form before is mended"


def test_without_a_script_an_estimate_has_its_own_page(lead, dataset):
    response = lead.post("/training/new/estimate", LORA)
    run = TrainingRun.objects.get()
    assert response.headers["Location"] == f"/training/{run.pk}/"
    html = lead.get(f"/training/{run.pk}/").content.decode()
    assert f"Estimate {run.pk}: news-lora" in html and "--estimate" in html


@pytest.mark.parametrize("script", [True, False])
def test_a_refused_estimate_shows_the_form_with_its_errors(lead, dataset, script):
    headers = {"HX-Request": "true"} if script else {}
    response = lead.post("/training/new/estimate", {**LORA, "epochs": "0"}, headers=headers)
    assert "epochs must be at least 1" in response.content.decode()
    assert (response.status_code, response.headers.get("HX-Retarget")) == ((200, "#train") if script else (400, None))


@pytest.fixture
def estimated(dataset) -> TrainingRun:
    return TrainingRun.objects.create(
        dataset=dataset, kind="lora", model_name="news-lora", purpose="estimate", state="done",
        config={"epochs": 2, "rank": 8}, estimate=FORETOLD,
    )  # fmt: skip


def test_it_foretells_in_words_and_offers_to_start_just_that(lead, estimated):
    html = lead.get(f"/training/{estimated.pk}/estimate").content.decode()
    for words in ("8 to 15 min", "3.0 GB of 16.0 GB: it fits", "1,200,000 in 120 steps, 2,000 a second", "61% of the articles"):
        assert words in html
    assert "hx-get" not in html
    typed = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html))
    lead.post("/training/new", typed)
    run = TrainingRun.objects.trainings().get(kind="lora")
    assert (run.config, run.model_name) == (estimated.config, "news-lora")


def test_it_says_what_does_not_fit(lead, estimated):
    TrainingRun.objects.update(estimate={**FORETOLD, "fits": False})
    html = lead.get(f"/training/{estimated.pk}/estimate").content.decode()
    assert "It doesn't fit." in html.replace("&#x27;", "'")
    assert not re.search(r'class="button primary"[^>]*id="start-estimated"', html)
