"""Several processes share each batch: the student is that of one, and only one of them speaks and writes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from distillery_site.common.errors import BadInput
from tests.fakes import small_students
from training.student import artifact, parallel
from training.student.lora import rows, trainer

RECIPE = {"preset": "tiny", "dropout": 0.0, "autocast": "none", "epochs": 2, "save_steps": 4}
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]


@pytest.mark.timeout(200)
def test_two_processes_learn_what_one_does(cast: small_students.Cast, tmp_path: Path) -> None:
    few = small_students.write(tmp_path / "few", examples=small_students.corpus(train=21, val=10).examples)
    (tmp_path / "config.json").write_text(json.dumps(RECIPE))
    words = ["--kind", "lora", "--data", str(few), "--base", str(cast.base)]
    line = [*LAUNCH, "-m", "training.student", "fit", *words, "--config", str(tmp_path / "config.json")]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}  # on processors, which talk by gloo
    done = subprocess.run([*line, "--out", str(tmp_path / "two")], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    events = [json.loads(row) for row in done.stdout.splitlines() if row.startswith("{")]
    alone = small_students.run(*words, "--out", tmp_path / "one", **RECIPE)
    for name in ("started", "epoch", "estimate", "done"):
        ours, theirs = [e for e in events if e["event"] == name], alone.named(name)
        assert len(ours) == len(theirs), name
    epochs = [event for event in events if event["event"] == "epoch"]
    assert [e["val_mae"] for e in epochs] == pytest.approx([e["val_mae"] for e in alone.named("epoch")], abs=1e-4)
    assert next(e for e in events if e["event"] == "step")["loss"] == pytest.approx(alone.named("step")[0]["loss"], abs=1e-4)
    assert artifact.read_manifest(tmp_path / "two")[0]["processes"] == 2


def test_the_last_batch_is_filled_with_rows_that_count_nothing() -> None:
    sampler = rows.ByLength([5] * 21, batch=8, seed=0, multiple=8)
    order = list(sampler)
    assert len(order) == len(sampler) == 24 and order[-3:] == [rows.NOBODY] * 3 and sorted(order[:-3]) == list(range(21))


def test_a_batch_that_cannot_be_shared_out_is_refused(cast: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")

    class Eight:
        class config:  # noqa: N801
            batch_size = 8

    with pytest.raises(BadInput, match="A batch of 8 articles can't be shared out among 3 processes"):
        trainer._micro_batch(Eight())  # type: ignore[arg-type]


def test_all_but_the_main_process_only_say_why_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setenv("RANK", "1")
    emit = parallel.spoken(lambda event, **values: said.append(event))
    emit("note", text="…")
    emit("error", text="…", permanent=True)
    assert said == ["error"]
    with pytest.raises(parallel.PartDone):
        parallel.leave_the_rest_to_the_main_process()
