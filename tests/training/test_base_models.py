"""Base models on this machine: fetched, registered, or missed with a sentence."""

import json
import time
from pathlib import Path

import pytest
from django.core.management import CommandError

from distillery_site.common.errors import BadInput, Transient
from distillery_site.common.runs import RunState
from tests.training.test_commands import typed, typed_json
from training.models import TrainingRun
from training.services import run_training, start_training
from training.student.bases import store

pytestmark = pytest.mark.usefixtures("folders")


@pytest.fixture
def own_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text(json.dumps({"of": name}))
    weigh(folder, b"weights")
    return folder


def weigh(folder: Path, weights: bytes) -> None:
    """A file in the form of safetensors with these bytes as its one tensor."""
    about = {"tensor": {"dtype": "U8", "shape": [len(weights)], "data_offsets": [0, len(weights)]}}
    head = json.dumps(about).encode()
    (folder / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + weights)


def test_the_list_says_what_is_here(own_folder):
    typed("fetch_base", "mine", "--from", str(own_folder))
    found = typed_json("fetch_base")["bases"]
    assert (found["minilm"], found["qwen2.5-1.5b"], found["mine"]) == (False, False, True)
    listed = typed("fetch_base")
    assert "Qwen/Qwen2.5-1.5B, 3.1 GB, Apache-2.0" in listed and "google/gemma-3-1b-pt, 2.0 GB, Gemma Terms of Use" in listed


def test_a_folder_of_ones_own_is_registered_by_its_weights(own_folder, folders):
    told = typed_json("fetch_base", "mine", "--from", str(own_folder))
    assert told["folder"] == str(folders / "bases" / "mine")
    assert told["sha256"] == store.weights_sha256(own_folder)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["llama"], "There is no base model 'llama' in the catalogue"),
        (["mine", "--from", "/nowhere"], "/nowhere is not a base model"),
        (["--from", "/nowhere"], "Give the folder a name"),
        (["../mine"], "is no name of a base model"),
        (["/etc"], "is no name of a base model"),
    ],
)
def test_a_wrong_wish_gets_a_sentence(words, sentence):
    with pytest.raises(CommandError, match=sentence):
        typed("fetch_base", *words)


def test_train_registers_a_folder_once_and_never_mixes_two_up(dataset, own_folder):
    for _ in range(2):
        typed("train", "news", "--student", "lora", "--preset", "tiny", "--base", str(own_folder), "--detach")
    assert TrainingRun.objects.get(kind="lora").config == {"base": "mine"}
    weigh(own_folder, b"other weights")
    with pytest.raises(CommandError, match="already has a base model called 'mine'"):
        typed("train", "news", "--student", "lora", "--base", str(own_folder), "--detach")


@pytest.mark.parametrize("path", ["/etc", "../mine", "a/b"])
def test_a_training_takes_a_base_by_its_name_and_never_by_a_path(dataset, path):
    with pytest.raises(BadInput, match="is no name of a base model"):
        start_training(dataset=dataset, kind="lora", config={"base": path})
    assert not TrainingRun.objects.exists()


def lora(dataset, preset: str) -> TrainingRun:
    run = start_training(dataset=dataset, kind="lora", preset=preset)
    run_training(run_id=run.pk)
    run.refresh_from_db()
    return run


def test_a_large_base_that_is_missing_fails_the_run_with_the_command_to_type(dataset):
    run = lora(dataset, "qwen2.5-1.5b")
    assert run.state == RunState.FAILED
    assert "fetch it with `manage.py fetch_base qwen2.5-1.5b`" in run.error


def test_a_base_in_a_wheel_is_fetched_on_the_way_while_the_lease_is_kept(dataset, monkeypatch):
    beats = []

    def slowly(name, root, **options):
        time.sleep(1.3)
        raise Transient("No network.")

    monkeypatch.setattr(store, "fetch", slowly)
    monkeypatch.setattr(TrainingRun, "beat", lambda self, **fields: beats.append(fields.get("stage")))
    run = lora(dataset, "minilm-demo")
    assert (run.state, run.error) == (RunState.QUEUED, "No network.")
    assert beats.count("fetching the base model minilm") >= 2
