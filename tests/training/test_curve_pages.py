"""The page of a learning curve and its command, as people meet them."""

import io
import json
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from distillery_site.common.runs import RunState
from tests.training import world
from tests.training.curve_world import SHARES, drawn
from tests.training.test_views import page, signed_in
from training.curves import price as label_price
from training.curves import service as curves
from training.curves import views as curve_views
from training.management.commands import learning_curve as command
from training.models import LearningCurve

HTMX = {"HX-Request": "true"}


@pytest.fixture
def analyst(django_user_model: Any, db: None) -> Client:
    return signed_in(django_user_model, "viewer")


@pytest.fixture
def lead(django_user_model: Any, db: None) -> Client:
    return signed_in(django_user_model, "lead")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[LearningCurve]:
    runs: list[LearningCurve] = []
    monkeypatch.setattr(curve_views, "send", runs.append)
    return runs


@pytest.fixture
def run(dataset: Any, tmp_path: Any) -> LearningCurve:
    return drawn(dataset, tmp_path / "data")


def test_it_says_what_a_curve_is_for_while_there_is_none(lead, analyst, dataset):
    html = page(lead, "/data-sets/news/curve")
    assert "No curve yet" in html and "manage.py learning_curve news" in html and "Draw the curve" in html
    assert "Draw the curve" not in page(analyst, "/data-sets/news/curve")


def test_the_data_sets_page_leads_to_it(analyst, dataset):
    assert 'href="/data-sets/news/curve"' in page(analyst, "/data-sets/news/")


def test_it_shows_what_more_labels_would_give(analyst, run):
    html = page(analyst, "/data-sets/news/curve?more=32")
    assert "32 more labels: MAE 0.500 → 0.441 ± 0.0" in html
    assert "price unknown: no paid labels yet" in html
    assert "curve-ahead" in html and "curve-band" in html and "best constant" in html
    assert "too few sizes to test the curve on its own last point" in html
    assert "more labels still help" in html


def test_a_back_test_is_told_where_there_are_sizes_enough(analyst, dataset, tmp_path):
    drawn(dataset, tmp_path / "data", shares=(0.25, 0.4, 0.55, 0.75, 1.0))
    html = page(analyst, "/data-sets/news/curve")
    assert "From 75 % of the labels it foretold" in html and "found 0.500: off by" in html


def test_a_flat_curve_says_that_more_labels_would_not_help(analyst, dataset, tmp_path):
    drawn(dataset, tmp_path / "data", falls=False)
    html = page(analyst, "/data-sets/news/curve")
    assert "more labels would not help what this student can learn" in html
    assert "curve-ahead" not in html


def test_it_does_not_look_too_far(analyst, run):
    assert "Ask for 96 more at most" in page(analyst, f"/training/curves/{run.pk}/?more=500")


def test_the_answer_alone_comes_for_a_question(analyst, run):
    answer = analyst.get(f"/training/curves/{run.pk}/?more=64", headers=HTMX).content.decode()
    assert "64 more labels: MAE" in answer and "<html" not in answer


@pytest.mark.parametrize("more", ["", "-3", "many"])
def test_a_question_without_a_number_is_refused_beside_its_field(analyst, run, more):
    assert "errorlist" in page(analyst, f"/training/curves/{run.pk}/?more={more}")


def test_the_repeat_error_is_its_floor(analyst, run, uplifting, oracle, stories):
    for story in stories[:5]:
        world.label(story, uplifting, oracle, [1, 1], reading=2)
    html = page(analyst, "/data-sets/news/curve")
    assert "asked twice: " in html and "5 articles read twice" in html


def test_a_label_costs_what_the_ones_before_did(analyst, run, monkeypatch):
    monkeypatch.setattr(label_price, "paid_so_far", lambda dataset: label_price.Price(0.0125, "as 40 paid labels came to $0.50"))
    html = page(analyst, "/data-sets/news/curve?more=32")
    assert ", about $0.40." in html and "as 40 paid labels came to $0.50" in html


def test_it_starts_what_the_form_says(lead, dataset, sent):
    form = {"kind": "ridge", "shares": "25 50, 75% 100", "seeds": 4, "config": '{"shrink": false}'}
    answer = lead.post("/data-sets/news/curve", form)
    run = LearningCurve.objects.get()
    assert answer["Location"] == f"/training/curves/{run.pk}/" and sent == [run]
    assert (run.shares, run.seeds, run.config, run.created_by.username) == (list(SHARES), 4, {"shrink": False}, "lead")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"shares": "a b"}, "Write percentages with spaces between them"),
        ({"shares": "1 2 50 100"}, "The smallest share is 0 of 32 training articles"),
        ({"config": "[1]"}, "The options must be an object"),
        ({"config": '{"depth": 1}'}, "ridge has no option &#x27;depth&#x27;"),
        ({"preset": "tiny"}, "There is no preset &#x27;tiny&#x27; for ridge"),
    ],
)
def test_a_wrong_form_keeps_what_was_typed(lead, dataset, sent, change, sentence):
    answer = lead.post("/data-sets/news/curve", {"kind": "ridge", "shares": "25 50 75 100", "seeds": 3, **change})
    assert answer.status_code == 400 and sentence in answer.content.decode()
    assert not LearningCurve.objects.exists()


def test_it_asks_for_itself_while_it_is_drawn(analyst, run):
    LearningCurve.objects.update(state=RunState.QUEUED, fit={}, points=run.points[:4])
    assert f'hx-get="/training/curves/{run.pk}/live"' in page(analyst, "/data-sets/news/curve")
    live = analyst.get(f"/training/curves/{run.pk}/live")
    assert "0.700" in live.content.decode() and "HX-Refresh" not in live


def test_the_page_is_asked_for_when_it_is_done(analyst, run):
    assert analyst.get(f"/training/curves/{run.pk}/live")["HX-Refresh"] == "true"


def test_it_is_stopped_and_resumed(lead, analyst, run, sent):
    LearningCurve.objects.update(state=RunState.QUEUED, fit={})
    assert analyst.post(f"/training/curves/{run.pk}/cancel").status_code == 403
    lead.post(f"/training/curves/{run.pk}/cancel")
    assert LearningCurve.objects.get().state == RunState.CANCELLED
    lead.post(f"/training/curves/{run.pk}/resume")
    assert LearningCurve.objects.get().state == RunState.QUEUED and sent == [run]


def test_a_working_curve_is_on_the_overview(client: Client, lead, run):
    LearningCurve.objects.update(state=RunState.QUEUED, fit={})
    assert f"/training/curves/{run.pk}/" in page(lead, "/")


@pytest.fixture
def scripted(folders, monkeypatch, tmp_path):
    child = (sys.executable, "-m", "tests.fakes.curve_child", "draws", str(tmp_path / "trained"))
    monkeypatch.setattr(command, "run_curve", lambda *, run_id: curves.run_curve(run_id=run_id, student=child))


def typed(*words: str) -> str:
    out = io.StringIO()
    call_command("learning_curve", "news", *words, "--shares", "0.25", "0.5", "0.75", "1", stdout=out)
    return out.getvalue()


def test_the_command_draws_and_answers(scripted, dataset):
    said = typed("--here", "--more", "32")
    assert said.startswith("Uplifting. 32 more labels: MAE 0.50")
    told = json.loads(typed("--here", "--json", "--more", "32"))
    uplifting = told["filters"]["uplifting"]
    assert uplifting["sizes"] == [8, 16, 24, 32] and uplifting["falls"]
    assert uplifting["forecast"]["labels"] == 64 and uplifting["usd"] is None and uplifting["back_test"] is None
    assert len(told["points"]) == 10


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--filter", "gloom"), "This data set has no labels for gloom; it has uplifting."),
        (("--set", "shrink"), "--set takes OPTION=VALUE"),
        (("--seeds", "1"), "The curve takes 3 to 20 seeds"),
        (("--price-of", "claude"), "There is no paid oracle 'claude' to be asked from here; there is none"),
    ],
)
def test_the_command_refuses_with_a_sentence(scripted, dataset, words, sentence):
    with pytest.raises(CommandError, match=sentence.replace("(", r"\(")):
        typed("--here", *words)
