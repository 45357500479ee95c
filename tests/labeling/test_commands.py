"""Each step as a command of its own, on a filter and articles of one's own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from labeling.models import LabelingRun, OracleLabel
from tests.fakes.vendor import KEY, FakeVendor
from tests.labeling import world

pytestmark = pytest.mark.django_db


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
    asked = ["label", "tiny", "--oracle", "anthropic", "--size", "3", "--seed", "4", "--budget", "1", "--here"]
    done = run(capsys, *asked)
    assert (done["state"], done["labelled"], done["failed"]) == ("done", 3, 0) and done["cost_usd"] > 0
    labelled = set(OracleLabel.objects.values_list("article__external_id", flat=True))
    assert labelled == {row["external_id"] for row in drawn} and drawn[0]["source"] == "desk"
    again = run(capsys, "label", "tiny@1", "--oracle", "anthropic", "--reading", "2", "--budget", "1", "--here")
    assert again["labelled"] == 3, "a second reading is asked of what has a first"


def test_scores_in_the_file_become_labels_of_a_named_oracle(capsys: pytest.CaptureFixture[str], package: Path, articles: Path):
    run(capsys, "import_filter", str(package))
    found = run(capsys, "import_articles", str(articles), "--filter", "tiny", "--oracle", "GPT of 2024")
    assert found["labels"]["created"] == 5
    label = OracleLabel.objects.first()
    assert (label.oracle.provider, label.oracle.model, label.scores) == ("external", "GPT of 2024", [1.0, None])


def test_a_run_at_its_cap_says_so_and_resumes(capsys: pytest.CaptureFixture[str], version: Any, server: FakeVendor):
    world.articles(3)
    run(capsys, "prefilter", "tiny")
    with pytest.raises(CommandError, match=r"The cap of \$0.0000 is reached"):
        run(capsys, "label", "tiny", "--oracle", "anthropic", "--budget", "0.00001", "--here")
    paused = LabelingRun.objects.get()
    done = run(capsys, "label", "tiny", "--resume", str(paused.pk), "--budget", "1", "--here")
    assert (done["run"], done["state"], done["labelled"]) == (paused.pk, "done", 3)


def test_a_person_reads_sentences(capsys: pytest.CaptureFixture[str], package: Path, articles: Path, server: FakeVendor):
    call_command("import_filter", str(package))
    call_command("import_articles", str(articles))
    call_command("prefilter", "tiny")
    server.fault("refusal")
    call_command("label", "tiny", "--oracle", "anthropic", "--budget", "1", "--here")
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
        (["import_filter", "/nowhere"], "can't be read"),
        (["import_articles", "/nowhere.csv"], "No such file"),
        (["import_articles", "a.csv", "--filter", "tiny"], "need both --filter"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(version: Any, args: list[str], complaint: str):
    with pytest.raises(CommandError, match=complaint):
        call_command(*args)
