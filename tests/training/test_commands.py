"""The commands, as typed: what they print, and the sentences with which they refuse."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.training import world
from training import tasks
from training.as_typed import freeze_command
from training.management.commands import train as train_command
from training.models import Dataset, ModelVersion, TrainingRun
from training.running import launching
from training.services import promote, run_training
from training.student import artifact


def typed(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def typed_json(*words: str) -> Any:
    return json.loads(typed(*words, "--json"))


@pytest.fixture
def scripted(folders, monkeypatch):
    """A scripted process does the training that a real student would."""
    import sys

    child = (sys.executable, "-m", "tests.fakes.training_child", "learns")
    monkeypatch.setattr(train_command, "run_training", lambda *, run_id: run_training(run_id=run_id, student=child))


def test_freeze_tells_what_it_made(stories):
    told = typed_json("freeze", "news", "--filter", "uplifting")
    assert told["splits"] == {"train": 32, "val": 4, "test": 4}
    assert (told["leakage"], told["outputs"], told["articles"]) == (0, 2, 40)


def test_freeze_draws_a_sample_with_a_seed(stories):
    said = typed("freeze", "small", "--filter", "uplifting@1", "--oracle", "Claude", "--size", "20", "--seed", "5")
    assert "small: 20 articles (16 training, 2 validation, 2 test), 2 dimensions." in said
    assert Dataset.objects.get().recipe["seed"] == 5


def test_freeze_asks_which_oracle_when_several_labelled(stories, uplifting):
    world.label(stories[0], uplifting, world.oracle("Gemini"), [1, 1])
    with pytest.raises(CommandError, match="choose one with --oracle. There is: Claude, Gemini."):
        typed("freeze", "news", "--filter", "uplifting")


def test_freeze_mixes_and_averages_only_when_it_is_told_to(stories, uplifting):
    extra, gemini = world.article(world.prose(77)), world.oracle("Gemini")
    for reading, score in ((1, 7), (2, 8)):
        world.label(extra, uplifting, gemini, [score, score], reading=reading)
    words = ("freeze", "news", "--filter", "uplifting", "--oracle", "Claude", "--oracle", "Gemini")
    with pytest.raises(CommandError, match="Claude and Gemini are different oracles"):
        typed(*words)
    told = typed_json(*words, "--mix", "--mean-of-readings")
    assert {one["name"]: one["articles"] for one in told["sources"]} == {"Claude": 40, "Gemini": 1}
    assert told["readings"] == {"1": 40, "2": 1} and "Mixed as was asked for: 40 targets by Claude" in told["notes"][1]
    command = freeze_command(Dataset.objects.get())
    assert command.endswith("--mean-of-readings --mix --seed 0 --fractions 0.8 0.1 0.1 --threshold 0.8")
    assert typed(*command.split()[2:]).startswith("news: 41 articles"), "what the page shows to type makes the same data set"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["freeze", "news", "--filter", "downcast"], "There is no filter 'downcast'. There is: uplifting."),
        (["freeze", "news", "--filter", "uplifting@7"], "There is no 'uplifting@7'. There is: uplifting v1."),
        (["freeze", "news", "--filter", "uplifting", "--oracle", "Pythia"], "No oracle 'Pythia' labelled these filters."),
        (["train", "weather"], "There is no data set 'weather'. There is: news."),
        (["train", "news", "--student", "lora", "--set", "epochs"], "An option is given as OPTION=VALUE, not 'epochs'."),
        (["train", "news", "--student", "lora", "--set", "speed=9"], "lora has no option 'speed'"),
        (["train", "news", "--config", "/nowhere.json"], "/nowhere.json can't be read as JSON"),
        (["train", "news", "--student", "stack"], "A stack needs two students or more"),
        (["rollback", "downcast"], "There is no filter 'downcast'. There is: uplifting."),
        (["rollback", "uplifting"], "Uplifting has no champion yet; promote a student to answer for it."),
    ],
)
def test_a_bad_wish_gets_one_sentence(dataset, words, sentence):
    with pytest.raises(CommandError) as refused:
        typed(*words)
    assert sentence in str(refused.value)


def test_train_here_ends_with_a_registered_version(dataset, scripted):
    told = typed_json("train", "news", "--here")
    assert (told["model"], told["val_mae"], told["state"]) == ("news-ridge/v1", 0.5, "done")


def test_train_takes_options_from_the_line(dataset, scripted):
    typed("train", "news", "--here", "--name", "mine", "--set", "shrink=false", "--set", "alphas=[1, 3]")
    assert TrainingRun.objects.get().config == {"shrink": False, "alphas": [1, 3]}
    assert ModelVersion.objects.get().ref == "mine/v1"


def test_train_detached_queues_and_sends(dataset, monkeypatch, django_capture_on_commit_callbacks):
    sent = []
    monkeypatch.setattr(tasks.train, "delay", sent.append)
    with django_capture_on_commit_callbacks(execute=True):
        told = typed_json("train", "news", "--detach")
    assert (told["state"], sent) == ("queued", [told["run"]])


def test_train_can_look_ahead_instead(dataset, scripted, monkeypatch):
    monkeypatch.setattr(launching, "base", lambda run, name: f"/bases/{name}")
    monkeypatch.setattr(artifact, "code_version", lambda: "scripted")
    words = ("train", "news", "--student", "lora", "--here", "--estimate")
    told = typed_json(*words)
    assert (told["state"], told["seconds_low"], told["seconds_high"], told["fits"]) == ("done", 480.0, 900.0, True)
    assert told["model"] == "news-lora" and not ModelVersion.objects.exists()
    said = typed(*words)
    assert "Time     8 to 15 min" in said and "Memory   3.0 GB of 16.0 GB: it fits" in said
    assert TrainingRun.objects.count() == 1, "the second time it is known already"


def test_train_says_why_a_run_failed(dataset, folders, monkeypatch):
    monkeypatch.setattr(train_command, "run_training", lambda *, run_id: TrainingRun.objects.claim(run_id).fail("No room."))
    with pytest.raises(CommandError, match="training run .* failed: No room."):
        typed("train", "news", "--here")


def test_rollback_lets_the_version_answer_again_that_did_before(dataset, scripted, uplifting):
    for name in ("one", "two"):
        typed("train", "news", "--here", "--name", name)
        promote(model=ModelVersion.objects.get(name=name), filter=uplifting.filter)
    assert typed("rollback", "uplifting") == "one/v1 is uplifting's champion again, in place of two/v1.\n"
    with pytest.raises(CommandError, match="nothing to go back to"):
        typed("rollback", "uplifting")
