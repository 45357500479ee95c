"""Each step as a command of its own, on a filter and articles of one's own."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from labeling import services
from labeling.models import LabelingRun, OracleLabel
from tests.fakes.vendor import KEY, FakeVendor
from tests.labeling import world

pytestmark = pytest.mark.django_db
ASK = ("label", "tiny", "--provider", "anthropic", "--budget", "1", "--agree", "--here")


def run(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    """The command's JSON."""
    call_command(*args, "--json")
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def server(settings: Any) -> Iterator[FakeVendor]:
    with FakeVendor() as running:
        settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = running.url, KEY
        yield running


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    folder.mkdir()
    values = {**world.TINY, "prefilter": {"min_words": 60}}
    (folder / "prompt.md").write_text(values.pop("prompt"))
    (folder / "filter.yaml").write_text(yaml.safe_dump(values))
    return folder


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    rows = [json.dumps({**row, "scores": {"good": 1, "bad": None}}) for row in world.rows(5)]
    path = tmp_path / "desk.jsonl"
    path.write_text("\n".join([*rows, "{broken", json.dumps({"id": "short", "text": "Too short."})]))
    return path


def test_ones_own_articles_go_all_the_way_to_labels(
    capsys: pytest.CaptureFixture[str], package: Path, articles: Path, server: FakeVendor
):
    imported = run(capsys, "import_filter", str(package))
    assert (imported["filter"], imported["version"], imported["policy"]) == ("tiny", 1, 1)
    found = run(capsys, "import_articles", str(articles))
    assert (found["created"], found["rejected"]) == (6, {"invalid JSON": 1}) and found["examples"][0].startswith("Line 6 ")
    assert run(capsys, "prefilter", "tiny") == {"passed": 5, "dropped": {"too short": 1}}
    drawn = run(capsys, "sample", "tiny", "--size", "3", "--seed", "4")["articles"]
    done = run(capsys, *ASK, "--size", "3", "--seed", "4")
    assert (done["state"], done["labelled"], done["failed"]) == ("done", 3, 0) and done["cost_usd"] > 0
    labelled = set(OracleLabel.objects.values_list("article__external_id", flat=True))
    assert labelled == {row["external_id"] for row in drawn} and drawn[0]["source"] == "desk"
    again = run(capsys, "label", "tiny@1", *ASK[2:], "--reading", "2")
    assert again["labelled"] == 3, "a second reading is asked of what has a first"


def test_scores_in_the_file_become_labels_of_a_named_oracle(capsys: pytest.CaptureFixture[str], package: Path, articles: Path):
    run(capsys, "import_filter", str(package))
    found = run(capsys, "import_articles", str(articles), "--filter", "tiny", "--oracle", "GPT of 2024")
    assert found["labels"]["created"] == 5
    label = OracleLabel.objects.first()
    assert (label.oracle.provider, label.oracle.model, label.scores) == ("external", "GPT of 2024", [1.0, None])


@pytest.fixture
def passed(version: Any, capsys: pytest.CaptureFixture[str], server: FakeVendor) -> Any:
    """Thirty articles that passed the rubric's prefilter."""
    world.articles(30)
    call_command("prefilter", "tiny")
    capsys.readouterr()
    return version


def test_a_plan_pays_nothing_and_starts_nothing(capsys: pytest.CaptureFixture[str], passed: Any, server: FakeVendor):
    plan = run(capsys, "label", "tiny", "--provider", "anthropic", "--plan")
    assert (plan["ask"], plan["refusals"]) == (30, []) and 0 < plan["usd"] < plan["worst_usd"]
    assert not server.ledger and not LabelingRun.objects.exists()
    call_command("label", "tiny", "--provider", "anthropic", "--plan")
    said = capsys.readouterr().out
    assert "claude-haiku-5-5 would be asked about 30 articles by tiny v1." in said
    assert "in (counted by anthropic on 20 articles)" in said and "A cap of $" in said and "Nothing leaves this machine" in said


def test_a_plan_says_why_it_cannot_be_started(capsys: pytest.CaptureFixture[str], passed: Any, settings: Any):
    settings.ANTHROPIC_API_KEY = ""
    plan = run(capsys, "label", "tiny", "--provider", "anthropic", "--plan")
    assert "ANTHROPIC_API_KEY is not set" in plan["refusals"][0]
    with pytest.raises(CommandError, match="ANTHROPIC_API_KEY is not set"):
        call_command(*ASK)
    assert not LabelingRun.objects.exists()


def test_a_pilot_ends_in_a_report(capsys: pytest.CaptureFixture[str], passed: Any):
    done = run(capsys, *ASK, "--pilot", "--size", "25")
    assert (done["kind"], done["labelled"], done["report"]["rest"]["articles"]) == ("pilot", 25, 5)
    assert [one["key"] for one in done["report"]["rubrics"][0]["dimensions"]] == ["good", "bad"]
    assert done["report"]["rest"]["direct"]["low"] <= done["report"]["rest"]["direct"]["mean"]
    call_command(*ASK, "--pilot", "--size", "25")
    said = capsys.readouterr().out
    assert "25 known already" in said and "Good: mean" in said


def test_the_run_keeps_its_plan_and_who_agreed(capsys: pytest.CaptureFixture[str], passed: Any):
    done = run(capsys, *ASK, "--size", "3")
    row = LabelingRun.objects.get(pk=done["run"])
    assert row.plan["ask"] == 3 and row.plan["usd"] > 0
    assert row.agreed["by"] == "a command" and row.agreed["sentence"] == row.plan["departure"]["sentence"]
    assert row.sampling == {"how": "random", "size": 3, "pool": 30, "seed": 0}


def test_nobody_at_the_terminal_must_agree_beforehand(passed: Any, server: FakeVendor):
    with pytest.raises(CommandError, match="Say that you agree with --agree"):
        call_command(*(word for word in ASK if word != "--agree"))
    assert not server.ledger and not LabelingRun.objects.exists()


@pytest.mark.parametrize(("typed", "runs"), [("y\n", 1), ("no\n", 0), ("\n", 0)])
def test_somebody_at_the_terminal_is_asked(
    capsys: pytest.CaptureFixture[str], passed: Any, monkeypatch: pytest.MonkeyPatch, typed: str, runs: int
):
    typing = io.StringIO(typed)
    monkeypatch.setattr(typing, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", typing)
    words = [word for word in ASK if word != "--agree"]
    if runs:
        call_command(*words, "--size", "1")
    else:
        with pytest.raises(CommandError, match="Nothing was sent"):
            call_command(*words, "--size", "1")
    assert "Do you agree? [y/N]" in capsys.readouterr().err and LabelingRun.objects.count() == runs


@pytest.mark.parametrize("budget", [[], ["--budget", "0"], ["--budget", "0.0001"]])
def test_a_cap_that_lets_nothing_be_asked_is_refused(passed: Any, server: FakeVendor, budget: list[str]):
    with pytest.raises(CommandError, match=r"costs money and .*give --budget\. One call could cost \$0\.00"):
        call_command("label", "tiny", "--provider", "anthropic", "--agree", "--here", *budget)
    assert not server.ledger and not LabelingRun.objects.exists()


def test_a_run_at_its_cap_says_so_and_resumes(capsys: pytest.CaptureFixture[str], passed: Any):
    one_call = run(capsys, "label", "tiny", "--provider", "anthropic", "--plan")["worst_call_usd"]
    with pytest.raises(CommandError, match=r"The cap of \$0\.00\d\d for this run is reached"):
        run(capsys, "label", "tiny", "--oracle", "anthropic", "--agree", "--budget", str(one_call), "--here")
    paused = LabelingRun.objects.get()
    done = run(capsys, "label", "tiny", "--resume", str(paused.pk), "--budget", "1", "--here")
    assert (done["run"], done["state"], done["labelled"]) == (paused.pk, "done", 30)


def test_further_readings_of_a_random_part(capsys: pytest.CaptureFixture[str], passed: Any):
    run(capsys, *ASK)
    done = run(capsys, *ASK, "--readings", "3", "--subset", "4")
    assert [(one["reading"], one["labelled"]) for one in done["runs"]] == [(2, 4), (3, 4)]
    read = {reading: set(OracleLabel.objects.filter(reading=reading).values_list("article", flat=True)) for reading in (2, 3)}
    assert read[2] == read[3]
    label = OracleLabel.objects.first()
    assert len(services.repeat_pairs(label.version, label.oracle)) == 4, "readings 1 and 2 were asked in the same words"


def test_further_readings_are_of_what_was_read_in_the_same_words(capsys: pytest.CaptureFixture[str], passed: Any):
    world.version(slug="other", name="Other")
    run(capsys, *ASK, "--size", "4", "--also", "other")
    with pytest.raises(CommandError, match="read by claude-haiku-5-5 with this prompt. A second reading takes the same filters"):
        run(capsys, *ASK, "--readings", "2", "--subset", "2")
    done = run(capsys, *ASK, "--also", "other", "--readings", "2", "--subset", "2")
    assert (done["reading"], done["labelled"]) == (2, 2)


def test_a_larger_part_pays_only_for_what_joins(capsys: pytest.CaptureFixture[str], passed: Any, server: FakeVendor):
    run(capsys, *ASK)
    run(capsys, *ASK, "--readings", "2", "--subset", "4")
    before = len(server.ledger)
    done = run(capsys, *ASK, "--readings", "2", "--subset", "10")
    assert (done["stored"], done["labelled"], len(server.ledger) - before) == (4, 6, 6)


def test_several_filters_are_asked_in_one_prompt(capsys: pytest.CaptureFixture[str], passed: Any, server: FakeVendor):
    world.version(slug="other", name="Other")
    done = run(capsys, *ASK, "--size", "4", "--also", "other")
    assert done["labelled"] == 4 and len(server.ledger) == 4
    assert OracleLabel.objects.filter(version__filter__slug="other").count() == 4


def test_what_failed_is_asked_again(capsys: pytest.CaptureFixture[str], passed: Any, server: FakeVendor):
    server.fault("refusal", times=2)
    first = run(capsys, *ASK, "--size", "5")
    assert (first["labelled"], first["failed"]) == (3, 2)
    with pytest.raises(CommandError, match="has no failed articles of class truncated"):
        call_command("label", "tiny", "--retry", str(first["run"]), "--class", "truncated", "--here")
    again = run(capsys, "label", "tiny", "--retry", str(first["run"]), "--here")
    assert (again["run"], again["labelled"], again["failed"]) == (first["run"], 5, 0)


def test_a_run_is_paused_and_cancelled(capsys: pytest.CaptureFixture[str], passed: Any):
    queued = run(capsys, *(word for word in ASK if word != "--here"), "--detach")
    assert queued["state"] == "queued"
    assert run(capsys, "label", "tiny", "--pause", str(queued["run"]))["state"] == "paused"
    assert run(capsys, "label", "tiny", "--cancel", str(queued["run"]))["state"] == "cancelled"


def test_a_person_reads_sentences(capsys: pytest.CaptureFixture[str], package: Path, articles: Path, server: FakeVendor):
    call_command("import_filter", str(package))
    call_command("import_articles", str(articles))
    call_command("prefilter", "tiny")
    server.fault("refusal")
    call_command(*ASK)
    said = capsys.readouterr().out
    assert "tiny v1: 2 dimensions, policy 1." in said and "6 articles new" in said and "Line 6 is not valid JSON" in said
    assert "5 articles passed." in said and "1 dropped: too short" in said
    assert "4 labelled, 1 failed, $0.0" in said and "1 refusal: cyber: Claude refused (cyber). scripted" in said


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["prefilter", "nothing"], "There is no filter 'nothing'. There is: tiny."),
        (["prefilter", "tiny@9"], "There is no 'tiny@9'"),
        (["sample", "tiny"], "run the prefilter first"),
        (["label", "tiny", "--oracle", "anthropic", "--budget", "much"], "'much' is not an amount in dollars"),
        (["label", "tiny", "--resume", "77"], "There is no labelling run 77 of tiny"),
        (["label", "tiny", "--pause", "77"], "There is no labelling run 77 of tiny"),
        (["label", "tiny", "--enrich", "77"], "There is no labelling run 77 of tiny"),
        (["label", "tiny"], "run the prefilter first"),
        (["label", "tiny", "--also", "nothing"], "There is no filter 'nothing'"),
        (["label", "tiny", "--readings", "2"], "Say both --readings K"),
        (["label", "tiny", "--param", "effort"], "'effort' must look like NAME=VALUE."),
        (["import_filter", "/nowhere"], "can't be read"),
        (["import_articles", "/nowhere.csv"], "No such file"),
        (["import_articles", "a.csv", "--filter", "tiny"], "need both --filter"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(version: Any, args: list[str], complaint: str):
    with pytest.raises(CommandError, match=complaint):
        call_command(*args)
