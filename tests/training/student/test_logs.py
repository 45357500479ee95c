"""Curves for other tools: TensorBoard's files always; MLflow and Weights & Biases when asked for, and never in the way."""

import struct
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event

from tests.fakes import small_students
from training.student import artifact
from training.student.lora import logs

SHORT = {"preset": "tiny", "epochs": 1, "train_sample": 4}


def scalars(folder: Path) -> Iterator[tuple[str, int, float]]:
    """(name, step, value) from event files: records of length (8 bytes), a checksum (4), the event, a checksum (4)."""
    for path in sorted(folder.glob("*tfevents*")):
        raw = path.read_bytes()
        while raw:
            (length,) = struct.unpack("<Q", raw[:8])
            event = Event.FromString(raw[12 : 12 + length])
            yield from ((value.tag, event.step, value.simple_value) for value in event.summary.value)
            raw = raw[16 + length :]


def fit(cast: small_students.Cast, out: Path) -> small_students.Done:
    return small_students.run("--kind", "lora", "--data", cast.data, "--out", out, "--base", cast.base, **SHORT)


def test_tensorboards_files_stay_with_the_student(cast: small_students.Cast, tmp_path: Path) -> None:
    done = fit(cast, tmp_path)
    found = {(name, step): value for name, step, value in scalars(tmp_path / "reports" / "tensorboard")}
    (epoch,) = done.named("epoch")
    assert found["eval/mae", 12] == pytest.approx(epoch["val_mae"]) and found["train/mae", 12] == pytest.approx(
        epoch["train_mae"]
    )
    assert found["eval/mae_gloom.crisis", 12] == pytest.approx(epoch["val_mae_by_output"][0])
    assert found["train/loss", 12] == pytest.approx(done.named("step")[-1]["loss"])
    assert "reports/tensorboard/0.tfevents" in artifact.read_manifest(tmp_path)[0]["files"]  # without this machine's name


class Fake(types.ModuleType):
    """An `mlflow` that remembers what it was told."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__("mlflow")
        self.__version__, self.told, self.fails, self.run = "2.0.0", [], fails, None
        self.utils = types.SimpleNamespace(
            validation=types.SimpleNamespace(MAX_PARAM_VAL_LENGTH=250, MAX_PARAMS_TAGS_PER_BATCH=100)
        )

    def log_metrics(self, metrics: dict, step: int) -> None:
        if self.fails:
            raise ConnectionError("the tracking server is away")
        self.told.append((step, metrics))

    def active_run(self) -> Any:
        return self.run

    def get_tracking_uri(self) -> str:
        return "http://tracker.example"

    def is_tracking_uri_set(self) -> bool:
        return True

    def start_run(self, **more: Any) -> None:
        self.run = types.SimpleNamespace(info=types.SimpleNamespace(run_id="1"))

    def log_params(self, params: dict) -> None: ...
    def end_run(self) -> None: ...


@pytest.mark.parametrize("fails", [False, True])
def test_mlflow_hears_the_curves_and_its_failure_ends_no_training(
    cast: small_students.Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    fake = Fake(fails)
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    monkeypatch.setattr("transformers.integrations.integration_utils.is_mlflow_available", lambda: True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker.example")
    done = fit(cast, tmp_path)
    notes = [note["text"] for note in done.named("note") if "MLflow" in note["text"]]
    assert done.code == 0
    assert notes == (["MLflow gets no more figures of this training: the tracking server is away"] if fails else [])
    assert any("eval_mae" in metrics for _, metrics in fake.told) != fails


def test_weights_and_biases_hears_when_its_key_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[dict] = []
    tracker = types.SimpleNamespace(on_log=lambda *args, logs, **more: heard.append(logs))
    variables, _ = logs._TRACKERS["Weights & Biases"]
    monkeypatch.setitem(logs._TRACKERS, "Weights & Biases", (variables, lambda: tracker))
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    (found,) = logs.trackers(lambda event, **values: None)
    found.on_log(None, None, None, logs={"loss": 1.0})
    assert heard == [{"loss": 1.0}]


def test_a_tracker_that_is_not_installed_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert logs.trackers(lambda event, **values: said.append(values["text"])) == []
    assert len(said) == 1 and said[0].startswith("Weights & Biases was asked for by WANDB_API_KEY or WANDB_MODE, but")
    monkeypatch.delenv("WANDB_MODE")
    assert logs.trackers(lambda event, **values: said.append(values["text"])) == [] and len(said) == 1
