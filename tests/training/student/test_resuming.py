"""A training that is killed goes on where it was, and ends where it would have."""

import errno
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes import small_students
from training.student import artifact
from training.student.data import read_corpus
from training.student.lora import progress, trainer

OPTIONS = {"preset": "tiny", "save_steps": 4, "epochs": 2}


GATHERED = {**OPTIONS, "batch_size": 4, "accumulate": 2, "average": 2, "layer_decay": 0.9, "loss": "huber"}


def command(cast: small_students.Cast, tmp_path: Path, options: dict) -> list[str]:
    (tmp_path / "config.json").write_text(json.dumps(options))
    return [
        sys.executable, "-m", "training.student", "fit", "--kind", "lora", "--data", str(cast.data),
        "--base", str(cast.base), "--config", str(tmp_path / "config.json"), "--out",
    ]  # fmt: skip


def kill_when(command: list[str], reached: Path) -> None:
    """Start it, and kill -9 it as soon as a file is there."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while not reached.exists() and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert child.stdout is not None
    child.stdout.close()


def finish(command: list[str]) -> list[dict]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("options", [OPTIONS, GATHERED], ids=["plain", "gathered"])
def test_a_killed_training_goes_on_and_predicts_as_if_nothing_had_happened(
    cast: small_students.Cast, tmp_path: Path, options: dict
) -> None:
    torn, whole, line = tmp_path / "torn", tmp_path / "whole", command(cast, tmp_path, options)
    kill_when([*line, str(torn)], torn / "work" / "checkpoints" / "checkpoint-16" / "complete")
    events = finish([*line, str(torn)])
    notes = [event["text"] for event in events if event["event"] == "note"]
    assert any("Resumed from the checkpoint at step 16 of 24" in note for note in notes), notes
    assert [event["number"] for event in events if event["event"] == "epoch"] == [2]

    small_students.run(*line[4:8], *line[8:10], "--out", whole, **options)
    texts = [example.text for example in read_corpus(cast.data).split("val")]
    both = [artifact.load(out, bases=cast.base.parent) for out in (torn, whole)]
    assert np.allclose(both[0].predict(texts), both[1].predict(texts), atol=5e-3)
    histories = [json.loads((out / "training_history.json").read_text())["epochs"] for out in (torn, whole)]
    assert [epoch["number"] for epoch in histories[0]] == [1, 2]
    for ours, theirs in zip(*histories, strict=True):
        assert ours["val_mae"] == pytest.approx(theirs["val_mae"], abs=1e-3)


def test_a_half_written_checkpoint_is_not_resumed_from(cast: small_students.Cast, tmp_path: Path) -> None:
    half = tmp_path / "work" / "checkpoints" / "checkpoint-4"
    half.mkdir(parents=True)
    (half / "trainable.safetensors").write_bytes(b"half")
    done = small_students.run("--kind", "lora", "--data", cast.data, "--out", tmp_path, "--base", cast.base, **OPTIONS)
    assert done.code == 0
    assert not any("Resumed" in event["text"] for event in done.named("note"))


def test_checkpoints_of_another_recipe_are_thrown_away(cast: small_students.Cast, tmp_path: Path) -> None:
    artifact.write_json(tmp_path / "work" / "run.json", {"fingerprint": "another", "config": {}})
    (tmp_path / "work" / "checkpoints" / "checkpoint-4").mkdir(parents=True)
    (tmp_path / "work" / "checkpoints" / "checkpoint-4" / "complete").touch()
    done = small_students.run("--kind", "lora", "--data", cast.data, "--out", tmp_path, "--base", cast.base, **OPTIONS)
    assert done.code == 0 and "training starts afresh" in done.named("note")[0]["text"]


@pytest.mark.parametrize(
    "refusal",
    [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("PytorchStreamWriter failed writing file data/0")],
    ids=["the system's", "torch's"],
)
def test_a_full_disk_is_a_sentence_and_what_was_saved_before_is_resumed(
    cast: small_students.Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    true = trainer.ScoreTrainer._save_optimizer_and_scheduler

    def full(self: Any, folder: str) -> None:
        if not folder.endswith("-4"):
            raise refusal
        true(self, folder)

    monkeypatch.setattr(trainer.ScoreTrainer, "_save_optimizer_and_scheduler", full)
    words = ("--kind", "lora", "--data", cast.data, "--out", tmp_path, "--base", cast.base)
    done = small_students.run(*words, **OPTIONS)
    (error,) = done.named("error")
    assert done.code == 75 and not error["permanent"]
    assert "is full. Free some space: the training goes on from its last complete checkpoint." in error["text"]
    monkeypatch.undo()
    again = small_students.run(*words, **OPTIONS)
    assert again.code == 0 and any("Resumed from the checkpoint at step 4" in note["text"] for note in again.named("note"))


def test_only_the_newest_checkpoints_and_the_weights_that_may_be_chosen_stay(
    cast: small_students.Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[list[str], list[str]]] = []
    true = progress.Progress.take_the_best

    def look(self: progress.Progress) -> Any:
        checkpoints = sorted(path.name for path in (self.work / "checkpoints").iterdir())
        kept.append((checkpoints, sorted(path.name for path in (self.work / "epochs").iterdir())))
        return true(self)

    monkeypatch.setattr(progress.Progress, "take_the_best", look)
    options = {**OPTIONS, "epochs": 5, "average": 2, "learning_rate": 1e-6}
    done = small_students.run("--kind", "lora", "--data", cast.data, "--out", tmp_path, "--base", cast.base, **options)
    best = min(done.named("epoch"), key=lambda epoch: epoch["val_mae"])["number"]
    assert kept == [(["checkpoint-56", "checkpoint-60"], sorted({f"{n}.safetensors" for n in (best, 4, 5)}))]
    assert len(json.loads((tmp_path / "training_history.json").read_text())["epochs"]) == 5
