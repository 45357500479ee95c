"""The pages of models, benchmarks and scoring, as a viewer, a lead and an operator meet them."""

from typing import Any

import pytest
from django.test import Client

from distillery_site.common.models import ApiKey, AuditEntry
from labeling.models import ReviewTask
from scoring.engine.base import EngineDown
from scoring.models import Benchmark
from scoring.services import run_benchmark, start_benchmark
from scoring.views import benchmarks
from tests.scoring import world

PAGE = "/models/news-ridge/v1/"


def signed_in(role: str) -> Client:
    client = Client()
    client.force_login(world.person(role, role))
    return client


@pytest.fixture
def analyst(db: None) -> Client:
    return signed_in("viewer")


@pytest.fixture
def lead(db: None) -> Client:
    return signed_in("lead")


@pytest.fixture
def operator(db: None) -> Client:
    return signed_in("operator")


@pytest.fixture
def measured(model: Any, engine: Any) -> Benchmark:
    """Both splits, by a student that is one too high on impact and one too low on evidence."""
    for split in ("val", "test"):
        run_benchmark(run_id=start_benchmark(model=model, split=split).pk)
    return Benchmark.objects.get(split="test")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the pages handed to the benchmarks' lane."""
    pks: list[int] = []
    monkeypatch.setattr(benchmarks.lane, "delay_on_commit", pks.append)
    return pks


def page(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status
    return response.content.decode()


def test_it_puts_baselines_above_the_versions(analyst, measured):
    html = page(analyst, "/models/")
    assert html.index("Best constant") < html.index("the oracle, asked twice") < html.index("<b>news-ridge v1</b>")
    assert "16 test" in html


def test_it_shades_by_skill(analyst, measured):
    assert 'style="--v:0.' in page(analyst, "/models/")


def test_it_switches_to_the_validation_split(analyst, measured):
    assert "validation articles" in " ".join(page(analyst, "/models/?split=val").split())


def test_it_names_what_was_never_measured_and_the_command(analyst, model):
    html = page(analyst, "/models/")
    assert "manage.py benchmark news-ridge/v1 --split test" in html
    assert f'href="{PAGE}"' in html


def test_it_draws_a_track_a_dimension_with_its_words(analyst, measured):
    html = page(analyst, PAGE)
    assert html.count("track-large") == 2
    assert "asked twice, the oracle differs from itself" in html


def test_it_shows_every_figure_of_both_splits(analyst, measured):
    html = page(analyst, PAGE)
    figures = ("validation</t", "test</t", "RMSE", "Pearson", "Spearman", "n ≥ 5", "Clipped")
    for part in (*figures, "Predicted against", "Error by the oracle"):
        assert part in html, part


def test_it_shows_the_worst_articles_and_where_the_version_comes_from(analyst, measured, model):
    html = page(analyst, PAGE)
    assert html.count("on average</span></h3>") == 10
    assert model.manifest_sha256 in html
    assert "curl http" not in html  # nothing answers with it yet


def test_it_shows_a_curl_line_for_a_champion(analyst, champion):
    html = page(analyst, PAGE)
    assert "curl http://testserver/api/v1/score" in html
    assert "$DISTILLERY_KEY" in html


def test_it_has_no_page_for_an_unknown_version(analyst, model):
    page(analyst, "/models/news-ridge/v9/", status=404)


def test_it_starts_a_benchmark_once(lead, model, sent):
    first = lead.post(f"{PAGE}benchmark", {"split": "test"})
    again = lead.post(f"{PAGE}benchmark", {"split": "test"})
    [run] = Benchmark.objects.all()
    assert first.headers["Location"] == again.headers["Location"] == f"/benchmarks/{run.pk}/"
    assert sent[0] == run.pk


def test_it_notes_who_cancelled_a_benchmark_and_who_resumed_it(lead, model, sent):
    run = start_benchmark(model=model)
    lead.post(f"/benchmarks/{run.pk}/cancel")
    lead.post(f"/benchmarks/{run.pk}/cancel")
    lead.post(f"/benchmarks/{run.pk}/resume")
    lead.post(f"/benchmarks/{run.pk}/resume")
    run.refresh_from_db()
    assert (run.state, sent) == ("queued", [run.pk])
    written = AuditEntry.objects.filter(actor__username="lead").order_by("pk")
    assert list(written.values_list("action", flat=True)) == ["benchmark cancelled", "benchmark resumed"]


def test_it_measures_nobody_on_what_they_learnt_from(lead, model, sent):
    assert lead.post(f"{PAGE}benchmark", {"split": "train"}).status_code == 400
    assert not sent


def test_it_shows_a_benchmark_and_asks_again_until_it_is_done(analyst, model, engine):
    run = start_benchmark(model=model)
    assert "hx-get" in page(analyst, f"/benchmarks/{run.pk}/")
    run_benchmark(run_id=run.pk)
    html = page(analyst, f"/benchmarks/{run.pk}/live")
    assert "hx-get" not in html
    assert "uplifting" in html


def test_it_counts_how_often_a_test_split_was_opened(analyst, measured):
    said = "The test split of news was opened once, for one version."
    for address in ("/data-sets/news/benchmarks", "/models/", PAGE):
        assert said in page(analyst, address), address
    assert said not in page(analyst, "/models/?split=val")


def test_it_sends_the_worst_to_review(lead, measured):
    response = lead.post(f"/benchmarks/{measured.pk}/review", follow=True)
    assert ReviewTask.objects.filter(reason="worst").count() == 10
    assert "10 articles wait" in response.content.decode()


def test_it_scores_a_pasted_article_with_every_champion(analyst, champion):
    answer = analyst.post("/scoring/try", {"title": "", "text": "water " * 3}, headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert "<html" not in html
    assert "Impact" in html
    assert "4.0" in html


def test_it_says_which_gatekeeper_held_the_average_down(analyst, champion):
    html = analyst.post("/scoring/try", {"title": "", "text": "water water"}).content.decode()
    assert "Hopes are not results." in html
    assert "held down from 2.5" in html


def test_it_says_when_the_scoring_process_is_down_and_keeps_the_text(analyst, champion, engine, monkeypatch):
    def down(**_: Any) -> None:
        raise EngineDown("The scoring process does not answer.")

    monkeypatch.setattr(engine, "score", down)
    response = analyst.post("/scoring/try", {"title": "T", "text": "water works"})
    assert response.status_code == 503
    assert "does not answer." in response.content.decode()
    assert "water works" in response.content.decode()


def test_it_refuses_a_text_that_is_too_long(analyst, champion, settings):
    settings.SCORE_MAX_CHARACTERS = 10
    response = analyst.post("/scoring/try", {"title": "T", "text": "water " * 9})
    assert response.status_code == 400
    assert "at most 10 can be scored" in response.content.decode()


def test_it_shows_a_new_key_s_secret_once(operator, model):
    made = operator.post("/scoring/keys/new", {"name": "desk", "days": "30"})
    key = ApiKey.objects.get()
    assert key.prefix in made.content.decode()
    assert key.expires_at is not None
    assert "no-store" in made.headers["Cache-Control"]
    secret = made.context["secret"]
    assert secret not in page(operator, "/scoring/")


def test_it_revokes_a_key_and_notes_who_did(operator):
    operator.post("/scoring/keys/new", {"name": "desk"})
    key = ApiKey.objects.get()
    operator.post(f"/scoring/keys/{key.pk}/revoke")
    assert not ApiKey.objects.usable().exists()
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == ["key issued", "key revoked"]
