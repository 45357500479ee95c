"""A student that learned elsewhere: taken in, measured, served, shown and handed on like any other."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from distillery_site.common.errors import BadInput
from scoring.cards import card
from scoring.engine.local import LocalEngine
from scoring.figures import latest_benchmark, version_table
from scoring.portrait import unmeasured_splits
from scoring.services import run_benchmark, score_articles, start_benchmark
from tests.fakes import elsewhere
from tests.fakes.student import shelve
from tests.fakes.tiny_base import make_tiny_base
from tests.scoring import world
from tests.training import world as newsroom
from training.importing import import_adapter, in_order
from training.models import ModelOutput, ModelVersion, Split
from training.running import errands
from training.services import promote
from training.student.bases import store


def typed(*words: str) -> Any:
    out = io.StringIO()
    call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def base(root: Path, settings: Any, tmp_path: Path) -> Path:
    settings.VAR, settings.BASES_ROOT = tmp_path, tmp_path / "bases"
    store.adopt(make_tiny_base(tmp_path / "source"), "tiny", tmp_path / "bases")
    return tmp_path / "source"


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    return elsewhere.trained(base, tmp_path / "Their News" / "adapter", outputs=2)


@pytest.mark.timeout(600)  # two real processes load torch, on a machine that may be busy
def test_it_comes_in_is_measured_and_served_and_goes_out_again(
    dataset: Any, uplifting: Any, base: Path, adapter: Path, root: Path, tmp_path: Path, client: Any
) -> None:
    told = typed("import_adapter", str(adapter), "--filter", "uplifting", "--name", "theirs", "--base", "tiny",
                 "--dimensions", "evidence,impact", "--max-tokens", "64")  # fmt: skip
    model = ModelVersion.objects.get()
    assert (told["model"], model.dataset, model.run, model.val_mae) == ("theirs/v1", None, None, None)
    assert model.columns(uplifting) == {"evidence": 0, "impact": 1}
    assert [path.name for path in (root / ".unfinished").iterdir()] == []

    engine = LocalEngine(root, bases=tmp_path / "bases")
    promote(model=model, filter=uplifting.filter)
    story = newsroom.article("the river flood in the village " * 3)
    (scored,) = score_articles(filter=uplifting.filter, articles=[story], through=engine)
    expected = elsewhere.scores(base, adapter, [story.rendered(model.view)], outputs=2)[0]
    assert [scored.raw["evidence"], scored.raw["impact"]] == pytest.approx(expected, abs=1e-3)

    benchmark = start_benchmark(model=model)
    run_benchmark(run_id=benchmark.pk, through=engine)
    engine.close()
    assert latest_benchmark(model) == benchmark and benchmark.dataset == dataset
    client.force_login(world.person("ann", "lead"))
    page = client.get(reverse("model", args=["theirs", 1])).content.decode()
    assert "learned elsewhere" in page and "Nobody here knows which articles it learned from" in page

    given = typed("export_model", "theirs", "--out", str(tmp_path / "given out"))
    assert given["golden_max_diff"] < 1e-3
    readme = (tmp_path / "given out" / "README.md").read_text()
    assert readme.index("- **evidence**") < readme.index("- **impact**") and str(tmp_path) not in readme
    assert "Whether it learned from some of them nobody here knows" in readme and "| Impact (few high scores) |" in readme


@pytest.fixture
def imported(uplifting: Any, root: Path) -> ModelVersion:
    """A registered version that learned elsewhere, without weights."""
    sha = shelve(root, "theirs/v1")
    manifest = {"outputs": [{"filter": "uplifting", "version": 1, "dimension": key} for key in uplifting.keys], "config": {}}
    origin = {"folder": "their adapter", "peft_version": "0.4.0"}
    row = ModelVersion.objects.create(name="theirs", number=1, kind="lora", manifest_sha256=sha, manifest=manifest, origin=origin)
    ModelOutput.objects.bulk_create(
        ModelOutput(model=row, position=place, version=uplifting, dimension=key) for place, key in enumerate(uplifting.keys)
    )
    return row


def test_without_a_data_set_for_its_outputs_it_is_shown_and_cannot_be_measured(imported: ModelVersion, client: Any) -> None:
    assert imported.home is None and unmeasured_splits(imported) == []
    assert imported.view["max_words"] == 400
    with pytest.raises(BadInput, match="theirs v1 learned elsewhere, and no data set here has labels of uplifting v1"):
        start_benchmark(model=imported)
    client.force_login(world.person("ann", "lead"))
    for url in (reverse("model", args=["theirs", 1]), reverse("models"), reverse("overview")):
        assert client.get(url).status_code == 200
    answer = client.post(reverse("benchmark_new", args=["theirs", 1]), {"split": "test"}, follow=True)
    assert "learned elsewhere, and no data set here" in answer.content.decode()


def test_it_is_measured_on_the_newest_data_set_that_covers_it_and_may_be_on_another(
    imported: ModelVersion, dataset: Any, engine: Any, uplifting: Any, oracle: Any
) -> None:
    from training import datasets

    assert imported.home == dataset and unmeasured_splits(imported) == [Split.VAL, Split.TEST]
    newer = datasets.freeze(name="newer", versions=[uplifting], oracle=oracle, seed=5)
    assert imported.home == newer
    for where in (dataset, newer):
        run_benchmark(run_id=start_benchmark(model=imported, dataset=where).pk, through=engine)
    found = latest_benchmark(imported)
    assert found is not None and found.dataset == newer
    rows = [row for row in version_table(uplifting.filter).rows if row.model == imported]
    assert [row.benchmark for row in rows] == [found]


def test_its_card_says_what_is_known_and_what_is_not(imported: ModelVersion) -> None:
    text = card(imported)["card"]
    assert "It was not measured here, so nobody knows." in text and "- peft_version: 0.4.0" in text
    assert "Who made its labels, and on what terms, is not known here." in text


def test_a_measured_versions_card_has_the_table_the_data_set_and_the_terms(model: Any, engine: Any, dataset: Any) -> None:
    model.manifest = {
        "kind": "lora", "outputs": [{}, {}], "filters": [{"slug": "uplifting", "version": 1, "rubric_hash": "abc"}],
        "base": {"name": "minilm", "home": "makers/MiniLM", "revision": "1", "licence": "Apache-2.0"},
        "intervals": {"level": 0.9, "n": 16, "source": "validation"}, "config": {"max_tokens": 64},
    }  # fmt: skip
    run_benchmark(run_id=start_benchmark(model=model).pk, through=engine)
    told = card(model)
    report = latest_benchmark(model).report  # type: ignore[union-attr]
    impact = report["outputs"][0]
    assert (
        f"| {impact['mae']:.3f} | {impact['mae_ci'][0]:.3f}–{impact['mae_ci'][1]:.3f} | {impact['constant_mae']:.3f} |"
        in told["card"]
    )
    known = told["card"].replace("\u202f", " ").replace("\u00a0", " ")
    for words in (
        dataset.fingerprint,
        "48 training, 16 validation, 16 test",
        "Claude, reading 1",
        "hash `abc`",
        "90 % of the time",
        "1 version has been measured on this test split",
        "Base makers/MiniLM, revision 1: Apache-2.0.",
    ):
        assert words in known, words
    assert "base_model: makers/MiniLM" in told["front"]


def test_the_heads_rows_are_named_in_any_order_and_completely(uplifting: Any) -> None:
    calm = newsroom.version("calm", ("impact", "depth"))
    both = [uplifting, calm]
    assert [output.dimension for output in in_order([uplifting], ["evidence", "impact"])] == ["evidence", "impact"]
    given = in_order(both, ["calm.impact", "depth", "evidence", "uplifting.impact"])
    assert [(output.filter, output.dimension) for output in given] == [
        ("calm", "impact"), ("calm", "depth"), ("uplifting", "evidence"), ("uplifting", "impact"),
    ]  # fmt: skip
    for names, sentence in {
        ("impact",): "lacks uplifting.evidence", ("impact", "evidence", "impact"): "has uplifting.impact twice",
        ("impact", "fame"): "names 'fame', which is no dimension of",
    }.items():  # fmt: skip
        with pytest.raises(BadInput, match=sentence):
            in_order([uplifting], names)
    with pytest.raises(BadInput, match="'impact', which is in several"):
        in_order(both, ["impact", "depth"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["import_adapter", "/nowhere", "--filter", "downcast"], "There is no filter 'downcast'"),
        (["import_adapter", "/nowhere"], "Name the filters that it answers for, with --filter."),
        (["import_adapter", "/no where", "--filter", "uplifting", "--name", "../up"], "'../up' can't name a model"),
        (["import_adapter", "/nowhere", "--filter", "uplifting", "--max-tokens", "3"], "--max-tokens starts at 8"),
        (["export_model", "theirs/v9", "--out", "/tmp/x"], "There is no model 'theirs/v9'. There is: theirs v1."),
        (["export_model", "theirs", "--out", "/nowhere/at/all"], "/nowhere/at is not a folder."),
    ],
)
def test_a_bad_wish_gets_one_sentence(imported: ModelVersion, words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command(*words)
    assert sentence in str(refused.value)


def test_nothing_goes_into_the_models_own_folder(imported: ModelVersion, root: Path) -> None:
    with pytest.raises(CommandError, match="lies inside the models' own folder"):
        call_command("export_model", "theirs", "--out", str(root / "theirs" / "v2"))


def test_what_a_process_refuses_is_registered_nowhere(uplifting: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    refuses = (sys.executable, "-m", "tests.fakes.training_child", "refuses")
    monkeypatch.setattr(errands.send, "__kwdefaults__", {**errands.send.__kwdefaults__, "student": refuses})
    with pytest.raises(Exception, match="The median article would lose"):
        import_adapter(folder=Path("/nowhere"), versions=[uplifting], name="theirs")
    assert not ModelVersion.objects.exists() and list((root / ".unfinished").iterdir()) == []


def test_a_second_view_cannot_be_read_by_one_student(uplifting: Any) -> None:
    other = newsroom.version("calm", view={"fields": ["title"], "max_words": 9})
    with pytest.raises(BadInput, match="show different parts of an article"):
        import_adapter(folder=Path("/nowhere"), versions=[uplifting, other], name="theirs")
