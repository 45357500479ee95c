"""The way that `make verify-gpu` goes, tried on a processor with a tiny shape; and what it says without a GPU."""

import json
import subprocess
from pathlib import Path

import pytest
import torch

from scripts import verify_gpu
from scripts.bench import gpu_base


def test_it_measures_training_scoring_and_parity(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(verify_gpu, "run", in_this_process)
    words = ["--device", "cpu", "--shape", "tiny", "--steps", "2", "--tokens", "32", "--scratch", str(tmp_path)]
    assert verify_gpu.main([*words, "--bases", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["weights"] == "random"
    assert found["training_articles_per_s"] > 0
    assert found["training_memory_gb"] > 0
    assert found["scoring_ms_per_article"] > 0
    assert found["parity_max_diff"] <= found["parity_tolerance"] == 0.01
    assert list(tmp_path.iterdir()) == []


def in_this_process(command: list[str]) -> subprocess.CompletedProcess[str]:
    """A student's command without the seconds that a new process needs to load torch."""
    from training.student import __main__ as student

    assert command[1:3] == ["-m", "training.student"]
    said: list[str] = []
    code = student.main(command[3:], lambda event, **values: said.append(json.dumps({"event": event, **values})))
    return subprocess.CompletedProcess(command, code, "\n".join(said), "")


def test_without_a_gpu_it_says_so_and_ends_with_2(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert verify_gpu.main([]) == 2
    said = capsys.readouterr()
    assert said.err == "This machine has no GPU that PyTorch can use; run this where there is one.\n"
    assert said.out == ""


def test_what_fails_ends_it_with_the_students_own_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_gpu, "run", in_this_process)
    options = verify_gpu.arguments(["--device", "cpu", "--shape", "tiny", "--tokens", "32"])
    with pytest.raises(SystemExit, match=r"`fit` failed: .*is missing"):
        verify_gpu.command("fit", tmp_path, tmp_path, tmp_path / "nothing", options)


def test_the_shape_is_that_of_the_catalogue() -> None:
    shape = gpu_base.shape_of("qwen2.5-1.5b")
    assert (shape.hidden, shape.layers, shape.heads, shape.kv_heads, shape.intermediate) == (1536, 28, 12, 2, 8960)


def test_every_letter_is_a_token() -> None:
    ids = gpu_base.tokenizer()(gpu_base.texts(2, 40))["input_ids"]
    assert [len(row) for row in ids] == [40, 40]
