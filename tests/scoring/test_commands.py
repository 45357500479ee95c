"""manage.py benchmark and score: the same services as the pages' buttons, from a terminal."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from scoring.models import Benchmark
from tests.scoring import world

ROWS = [
    {"id": "a", "title": "A well", "text": "water " * 8},
    {"id": "b", "text": "water"},
    {"id": "", "text": "nobody"},
    {"id": "c"},
]


def run(*arguments) -> str:
    out = StringIO()
    call_command(*map(str, arguments), stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    path = tmp_path / "news.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)) + "\n{broken\n")
    return path


@pytest.fixture
def here(champion, engine, monkeypatch):
    """--here would load a student from disk; these tests have one that isn't there."""
    for command in ("benchmark", "score"):
        monkeypatch.setattr(f"scoring.management.commands.{command}.LocalEngine", lambda *places, **more: engine)


def test_benchmark_prints_the_report(here):
    found = json.loads(run("benchmark", "news-ridge", "--here", "--json"))
    assert (found["model"], found["split"], found["state"]) == ("news-ridge/v1", "test", "done")
    assert found["report"]["filters"]["uplifting"]["mae"] > 0


def test_benchmark_says_it_in_a_sentence(here):
    said = run("benchmark", "news-ridge/v1", "--here", "--split", "val")
    assert said.startswith("news-ridge v1, uplifting: misses the oracle by ")
    assert "; the best constant misses it by " in said


def test_benchmark_twice_is_one_row(here):
    assert run("benchmark", "news-ridge", "--here") == run("benchmark", "news-ridge", "--here")
    assert Benchmark.objects.count() == 1


def test_benchmark_can_be_left_to_a_worker(here, monkeypatch):
    sent = []
    monkeypatch.setattr("scoring.tasks.benchmark.delay_on_commit", sent.append)
    assert json.loads(run("benchmark", "news-ridge", "--detach", "--json"))["state"] == "queued"
    assert sent == [Benchmark.objects.get().pk]


@pytest.mark.parametrize("name", ["nobody", "news-ridge/v9", "news-ridge/vx"])
def test_benchmark_knows_what_models_there_are(here, name):
    with pytest.raises(CommandError, match=f"There is no model '{name}'.*news-ridge"):
        run("benchmark", name, "--here")


def test_score_writes_a_line_for_each_article(here, articles):
    lines = [json.loads(line) for line in run("score", articles, "--filter", "uplifting", "--here").splitlines()]
    assert [(line["id"], line["scores"]["impact"], line["model"]) for line in lines] == [
        ("a", 9.0, "news-ridge/v1"),
        ("b", 2.0, "news-ridge/v1"),
    ]
    assert lines[1]["applied"][0]["kind"] == "gatekeeper"


def test_score_writes_to_a_file_and_counts(here, articles, tmp_path):
    out = tmp_path / "scores.jsonl"
    found = json.loads(run("score", articles, "--filter", "uplifting", "--out", out, "--json"))
    assert found == {
        "scored": 2,
        "rejected": {"no id": 1, "empty": 1, "invalid JSON": 1},
        "model": "news-ridge/v1",
        "filter": "uplifting",
    }
    assert len(out.read_text().splitlines()) == 2


def test_score_reads_csv(here, tmp_path):
    (tmp_path / "news.csv").write_text('id,title,content\n7,Wells,"water, water"\n')
    assert json.loads(run("score", tmp_path / "news.csv", "--filter", "uplifting"))["scores"]["impact"] == 3.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--filter", "nonsense"], "There is no filter 'nonsense'.*uplifting"),
        (["--filter", "uplifting", "--alias", "challenger"], "has no challenger yet"),
        (["--filter", "uplifting", "--model", "nobody"], "There is no model 'nobody'"),
        (["--filter", "uplifting", "--out", "/nowhere/scores"], "/nowhere/scores can't be written"),
    ],
)
def test_score_refuses_in_a_sentence(here, articles, arguments, said):
    with pytest.raises(CommandError, match=said):
        run("score", articles, *arguments)


def test_score_refuses_a_file_that_is_not_there(here):
    with pytest.raises(CommandError, match="can't be read"):
        run("score", "/nowhere/news.jsonl", "--filter", "uplifting")


def test_issue_key_lets_a_program_in(db):
    world.person("analyst", "viewer")
    secret = json.loads(run("issue_key", "nightly", "--user", "analyst", "--days", "30", "--json"))["secret"]
    assert Client().get("/api/v1/filters", headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def test_issue_key_knows_no_strangers(db):
    with pytest.raises(CommandError, match="There is no account 'nobody'"):
        run("issue_key", "nightly", "--user", "nobody")
