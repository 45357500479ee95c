"""A student whose manifest holds intervals gives them with every score: API, command, page and benchmark."""

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client

from scoring.reports import rows_of
from scoring.services import run_benchmark, score_articles, start_benchmark
from tests.scoring import world
from training.services import promote

INTERVALS = {
    "level": 0.9,
    "source": "validation",
    "n": 80,
    "outputs": [
        {"edges": [0.0, 5.0, 10.0], "half_width": [0.5, 2.0], "n": [40, 40]},
        {"edges": [0.0, 10.0], "half_width": [1.25], "n": [80]},
    ],
}
LANGUAGES = {"en": 900, "nl": 1}
DUTCH = "De regering heeft gezegd dat het plan voor de huizen in de stad niet klaar is, en dat er meer geld nodig is voor water."


@pytest.fixture
def model(dataset, root):
    """Says one too much on impact and one too little on evidence."""
    return world.model(dataset, root, manifest={**world.GOLDEN, "intervals": INTERVALS, "languages": LANGUAGES})


@pytest.fixture
def analyst(db):
    return Client(headers={"Authorization": f"Bearer {world.key(world.person('analyst', 'viewer'))}"})


@pytest.fixture
def visitor(db):
    client = Client()
    client.force_login(world.person("visitor", "viewer"))
    return client


def ask(client: Client, text: str) -> dict:
    body = {"filter": "uplifting", "articles": [{"text": text}]}
    answer = client.post("/api/v1/score", json.dumps(body), content_type="application/json").json()
    return answer | answer["results"][0]


def test_the_api_answers_with_intervals_by_the_scores_band(analyst, champion):
    assert ask(analyst, "water and rain")["intervals"] == {"impact": [1.5, 2.5], "evidence": [0.0, 1.25]}
    found = ask(analyst, "water " * 9)
    assert (found["intervals"], found["interval_level"]) == ({"impact": [8.0, 10.0], "evidence": [6.75, 9.25]}, 0.9)


def test_a_student_without_intervals_is_served_without(analyst, dataset, root, champion, uplifting):
    promote(model=world.model(dataset, root), filter=uplifting.filter)
    found = ask(analyst, "water")
    assert (found["intervals"], found["interval_level"], found["warnings"]) == (None, None, [])


def test_the_schema_says_how_intervals_were_made(visitor):
    schema = visitor.get("/api/schema", headers={"accept": "application/json"}).json()["components"]["schemas"]
    about = schema["ScoredArticle"]["properties"]["intervals"]["description"]
    assert "split conformal" in about and "not fitted on" in about
    assert "interval_level" in schema["ScoreAnswer"]["properties"]


def test_the_command_writes_them(champion, engine, tmp_path, monkeypatch):
    monkeypatch.setattr("scoring.management.commands.score.LocalEngine", lambda *places, **more: engine)
    file, out = tmp_path / "a.jsonl", StringIO()
    file.write_text(json.dumps({"id": "a", "text": "water"}))
    call_command("score", str(file), "--filter", "uplifting", "--here", stdout=out, stderr=StringIO())
    found = json.loads(out.getvalue())
    assert (found["intervals"]["impact"], found["interval_level"]) == ([1.5, 2.5], 0.9)


def test_the_page_draws_a_whisker_and_says_it(visitor, champion):
    html = visitor.post("/scoring/try", {"filters": [champion.pk], "filter": "uplifting", "text": "water " * 9}).content.decode()
    assert "8.0–10.0" in html and "the oracle's own score likely from" in html.replace("&#x27;", "'")
    assert html.count("track-whisker") == 6 and "90\u202f%" in html


def test_an_article_in_an_untaught_language_is_scored_and_flagged(analyst, visitor, champion):
    found = ask(analyst, DUTCH)
    assert found["scores"]["impact"] == 2.0
    [warning] = found["warnings"]
    assert warning.startswith("This looks like Dutch; only 1 of the 901 training articles")
    assert ask(analyst, "水资源" * 10)["warnings"][0].startswith("This looks like Chinese; none of the 901")


def test_an_articles_own_language_counts_more_than_a_guess(champion, uplifting, dataset):
    article = dataset.items.first().article
    article.language = "fr"
    [found] = score_articles(filter=uplifting.filter, articles=[article])
    assert found.warnings[0].startswith("This looks like French")


def test_a_benchmark_measures_the_intervals_coverage(champion, engine):
    benchmark = start_benchmark(model=champion)
    run_benchmark(run_id=benchmark.pk)
    benchmark.refresh_from_db()
    impact, evidence = (one["coverage"] for one in benchmark.report["outputs"])
    assert (impact["level"], impact["n"]) == (0.9, 16) and 0 < impact["mean_width"] <= 4
    rows = rows_of(benchmark)
    assert evidence["share"] == np.mean(np.abs(rows.predicted - rows.truth)[:, 1] <= 1.25) > 0
    together = benchmark.report["filters"]["uplifting"]["coverage"]
    assert together["share"] == pytest.approx((impact["share"] + evidence["share"]) / 2) and together["n"] == 32


def test_the_models_page_shows_coverage_beside_the_error(visitor, champion, engine):
    run_benchmark(run_id=start_benchmark(model=champion).pk)
    html = visitor.get("/models/news-ridge/v1/").content.decode()
    assert "Coverage" in html and html.count("for 90\u202f%") == 3


def test_a_benchmark_of_a_student_without_intervals_has_no_coverage(dataset, root, engine, visitor):
    model = world.model(dataset, root)
    run_benchmark(run_id=start_benchmark(model=model).pk)
    report = model.benchmarks.get().report
    assert [one["coverage"] for one in report["outputs"]] == [None, None] and report["filters"]["uplifting"]["coverage"] is None
    assert visitor.get(f"/models/{model.name}/v{model.number}/").status_code == 200
