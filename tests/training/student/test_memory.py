"""Memory that runs out, or would: fewer articles at a time, in the same batches, and a sentence where even one is too many."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.fakes import small_students
from training.student import artifact
from training.student.lora import memory, model, trainer

CALM = {"preset": "tiny", "dropout": 0.0, "autocast": "none", "epochs": 1, "save_steps": 4}


def fit(cast: small_students.Cast, out: Path, **options: Any) -> small_students.Done:
    return small_students.run("--kind", "lora", "--data", cast.data, "--out", out, "--base", cast.base, **{**CALM, **options})


def short_of_memory(monkeypatch: pytest.MonkeyPatch, most: int, after: int = 0, error: str = "") -> list[int]:
    """Let a step with more than `most` articles fail like a full device, from the micro-batch number `after` on."""
    true, sizes = trainer.ScoreTrainer.compute_loss, []

    def compute_loss(self: Any, model: Any, inputs: dict, *args: Any, **kwargs: Any) -> Any:
        sizes.append(len(inputs["labels"]))
        if sizes[-1] > most and len(sizes) > after:
            raise torch.OutOfMemoryError("CUDA out of memory.") if not error else RuntimeError(error)
        return true(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(trainer.ScoreTrainer, "compute_loss", compute_loss)
    return sizes


@pytest.fixture(scope="module")
def unbroken(cast: small_students.Cast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unbroken")
    assert fit(cast, out).code == 0
    return out


def val_maes(out: Path) -> list[float]:
    return [epoch["val_mae"] for epoch in json.loads((out / "training_history.json").read_text())["epochs"]]


@pytest.mark.parametrize("after", [0, 6])
def test_memory_that_runs_out_halves_what_is_read_at_a_time_and_changes_no_figure(
    cast: small_students.Cast, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    short_of_memory(monkeypatch, most=3, after=after)
    done = fit(cast, tmp_path)
    assert done.code == 0, done.named("error")
    notes = [note["text"] for note in done.named("note")]
    assert [note for note in notes if "Memory ran out" in note] == [
        "Memory ran out with 8 articles at a time; it goes on with 4, in batches of the same size.",
        "Memory ran out with 4 articles at a time; it goes on with 2, in batches of the same size.",
    ]
    assert any("Resumed from the checkpoint at step 4" in note for note in notes) == (after > 0)
    assert val_maes(tmp_path) == pytest.approx(val_maes(unbroken), abs=1e-3)
    assert artifact.read_manifest(tmp_path)[0]["micro_batch"] == 2


def test_arithmetic_stays_what_it_was_after_memory_ran_out(
    cast: small_students.Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, true = set(), model.Scorer.score

    def score(self: model.Scorer, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self.training:
            seen.add(torch.is_autocast_enabled("cpu"))
        return true(self, *args, **kwargs)

    short_of_memory(monkeypatch, most=4)
    monkeypatch.setattr(model.Scorer, "score", score)
    assert fit(cast, tmp_path, autocast="bf16").code == 0
    assert seen == {True}


def test_not_even_one_article_is_a_sentence(cast: small_students.Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = short_of_memory(monkeypatch, most=0, error="[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")
    done = fit(cast, tmp_path)
    (error,) = done.named("error")
    assert done.code == 1 and error["permanent"] and "too little memory for this training, even with one article" in error["text"]
    assert sizes == [8, 4, 2, 1]


def test_a_killed_run_remembers_what_fitted(cast: small_students.Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short_of_memory(monkeypatch, most=0)
    assert fit(cast, tmp_path).code == 1
    monkeypatch.undo()
    assert fit(cast, tmp_path).code == 0
    assert artifact.read_manifest(tmp_path)[0]["micro_batch"] == 1


def test_another_error_is_not_taken_for_short_memory() -> None:
    assert memory.ran_out(MemoryError()) and memory.ran_out(torch.OutOfMemoryError("CUDA out of memory."))
    assert not memory.ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert [memory.smaller(size) for size in (16, 6, 3, 2)] == [8, 3, 1, 1]


def test_what_the_backward_pass_keeps_is_counted_by_row() -> None:
    layer = torch.nn.Linear(10, 10, bias=False)

    def forward(rows: int) -> torch.Tensor:
        return layer(torch.ones(rows, 10, requires_grad=True)).exp()

    need = memory.kept(forward, layer)
    assert need == memory.Need(row=80, once=0)  # a row's input and its exponentials, four bytes each


def test_activations_are_recomputed_only_where_they_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, need = torch.nn.Linear(10, 10), memory.Need(row=1_000_000, once=0)
    monkeypatch.setattr(memory, "in_use", lambda: 0)
    monkeypatch.setattr(memory, "free", lambda: 10_000_000)
    plans = {rows: memory.plan("auto", need, rows, 10, 1_000, layer) for rows in (4, 40)}
    assert not plans[4].checkpointing and plans[40].checkpointing
    assert plans[40].bytes < memory.plan("off", need, 40, 10, 1_000, layer).bytes
    assert memory.plan("on", need, 4, 10, 1_000, layer).checkpointing
