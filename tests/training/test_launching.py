"""What a training process is told: its words and its environment."""

import pytest

from training import hardware
from training.hardware import GIB, Gpu, Machine
from training.models import TrainingRun
from training.running import launching
from training.running.launching import STUDENT, child_environment, command

WORDS = ["--out", "/there"]


@pytest.fixture
def gpus(monkeypatch):
    """A machine with so many GPUs."""

    def see(count: int) -> None:
        machine = Machine((Gpu("RTX", 24 * GIB, "600", bf16=True),) * count, "EPYC", 8, 64 * GIB, frozenset())
        monkeypatch.setattr(hardware, "machine", lambda: machine)

    return see


def told(kind: str, verb: str = "fit", **config: int) -> list[str]:
    return command(STUDENT, verb, TrainingRun(kind=kind, config=config), WORDS)


@pytest.mark.parametrize("count", [0, 1])
def test_one_process_learns_where_there_is_no_second_gpu(gpus, count):
    gpus(count)
    assert told("lora") == [*STUDENT, "fit", *WORDS]


def test_several_gpus_get_a_process_each(gpus):
    gpus(4)
    launch = [STUDENT[0], "-m", "accelerate.commands.launch", "--num_processes", "4"]
    assert told("lora") == [*launch, "-m", "training.student", "fit", *WORDS]


@pytest.mark.parametrize(
    ("seen", "setting", "batch", "taken"), [(4, 2, 16, "2"), (4, 8, 16, "4"), (3, 0, 16, "2"), (3, 0, 12, "3")]
)
def test_it_takes_as_many_as_it_may_and_as_share_a_batch_evenly(gpus, settings, seen, setting, batch, taken):
    gpus(seen)
    settings.TRAINING_GPUS = setting
    assert told("lora", batch_size=batch)[4] == taken


@pytest.mark.parametrize(("kind", "verb"), [("ridge", "fit"), ("kernel", "fit"), ("stack", "fit"), ("lora", "estimate")])
def test_what_needs_no_second_gpu_has_one_process(gpus, kind, verb):
    gpus(4)
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
