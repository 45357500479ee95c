"""`python -m training.student`: what a parent process reads from it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from distillery_site.common.errors import Transient
from tests.fakes import small_students
from training.student import baselines


def child(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training.student", "fit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_it_says_one_json_object_a_line_and_nothing_else(cast: small_students.Cast, tmp_path: Path) -> None:
    done = child("--kind", "ridge", "--data", cast.data, "--out", tmp_path / "out")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [event["event"] for event in events] == ["started", "note", "step", "step", "step", "epoch", "note", "done"]
    assert events[-1].keys() >= {"manifest_sha256", "val_mae", "chosen_epoch", "reload_max_diff"}


def test_an_epoch_says_the_errors_of_every_output(cast: small_students.Cast) -> None:
    for kind, epochs in (("ridge", 1), ("lora", 2), ("stack", 1)):
        said = cast.said[kind].named("epoch")
        assert [event["number"] for event in said] == list(range(1, epochs + 1))
        assert all(len(event["val_mae_by_output"]) == 3 and event["train_mae"] > 0 for event in said)
    chosen = cast.said["lora"].named("done")[0]["chosen_epoch"]
    best = min(cast.said["lora"].named("epoch"), key=lambda event: (event["val_mae"], event["number"]))
    assert chosen == best["number"]


def test_a_lora_says_how_far_it_is(cast: small_students.Cast) -> None:
    last = cast.said["lora"].named("step")[-1]
    assert last["step"] == last["steps"] == 24 and last["epoch"] == 2 and last["eta_s"] == 0
    assert last["loss"] > 0 and last["tokens_per_s"] > 0 and last["lr"] is not None


def test_wrong_input_ends_with_one_sentence_and_code_1(cast: small_students.Cast, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[1]")
    cases = [
        (("--data", tmp_path), "dataset.json is missing"),
        (("--data", cast.data, "--config", tmp_path / "config.json"), "must hold a JSON object"),
        (("--data", cast.data, "--config", tmp_path / "none.json"), "none.json"),
    ]
    for arguments, sentence in cases:
        done = child("--kind", "ridge", "--out", tmp_path / "out", *arguments)
        (event,) = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 1 and event["event"] == "error" and event["permanent"] and sentence in event["text"]


def test_a_lora_without_a_base_is_refused(cast: small_students.Cast, tmp_path: Path) -> None:
    done = small_students.run("--kind", "lora", "--data", cast.data, "--out", tmp_path)
    assert done.code == 1 and "needs --base" in done.named("error")[0]["text"]


def test_a_folder_with_another_student_is_left_alone(cast: small_students.Cast) -> None:
    done = small_students.run("--kind", "ridge", "--data", cast.data, "--out", cast.stack)
    assert done.code == 1 and "already holds another student" in done.named("error")[0]["text"]


def test_what_may_work_later_ends_with_code_75(
    cast: small_students.Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise Transient("The disk is busy.")

    monkeypatch.setattr(baselines, "fit", fail)
    done = small_students.run("--kind", "ridge", "--data", cast.data, "--out", tmp_path)
    assert (done.code, done.named("error")) == (75, [{"event": "error", "text": "The disk is busy.", "permanent": False}])
    monkeypatch.setattr(baselines, "fit", lambda *args: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    full = small_students.run("--kind", "ridge", "--data", cast.data, "--out", tmp_path)
    assert full.code == 75 and "No space left on device" in full.named("error")[0]["text"]
    monkeypatch.setattr(baselines, "fit", lambda *args: (_ for _ in ()).throw(MemoryError))
    assert small_students.run("--kind", "ridge", "--data", cast.data, "--out", tmp_path).code == 1
