"""What a training process is told: its words and its environment."""

import pytest

from training import launching
from training.launching import STUDENT, child_environment, command
from training.models import TrainingRun

WORDS = ["--out", "/there"]


def told(kind: str, verb: str = "fit") -> list[str]:
    return command(STUDENT, verb, TrainingRun(kind=kind), WORDS)


def test_one_process_learns_where_there_is_one_gpu(settings):
    settings.TRAINING_GPUS = 1
    assert told("lora") == [*STUDENT, "fit", *WORDS]


def test_several_gpus_get_a_process_each(settings):
    settings.TRAINING_GPUS = 4
    python = STUDENT[0]
    launch = [python, "-m", "accelerate.commands.launch", "--num_processes", "4"]
    assert told("lora") == [*launch, "-m", "training.student", "fit", *WORDS]


@pytest.mark.parametrize(("kind", "verb"), [("ridge", "fit"), ("stack", "fit"), ("lora", "estimate")])
def test_what_needs_no_second_gpu_has_one_process(settings, kind, verb):
    settings.TRAINING_GPUS = 4
    assert told(kind, verb) == [*STUDENT, verb, *WORDS]


def test_a_lora_is_told_its_base_and_whose_turn_it_is(dataset, folders, monkeypatch):
    monkeypatch.setattr(launching, "base", lambda run, name: f"/bases/{name}")
    run = TrainingRun.objects.create(dataset=dataset, kind="lora", preset="tiny", model_name="tiny")
    words = launching.arguments(run, folders, folders / "out")
    assert words[-4:] == ["--base", "/bases/tiny", "--lease", str(folders / "work" / "gpu.lease")]


def test_a_tracker_that_was_set_up_reaches_the_process_and_nothing_else_does(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    found = child_environment()
    assert (found["MLFLOW_TRACKING_URI"], found["WANDB_MODE"]) == ("http://mlflow", "offline")
    assert "ANTHROPIC_API_KEY" not in found and "DATABASE_URL" not in found
