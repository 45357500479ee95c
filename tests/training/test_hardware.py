"""What the machine has, with NVIDIA's program played by a fake."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from training import hardware

CARDS = "NVIDIA GeForce RTX 4090, 24564, 550.54.15, 8.9\nTesla T4, 15360, 550.54.15, 7.5\n"


@pytest.fixture
def smi(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Make the program say this, or fail so."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def play(said: Any) -> None:
        def run(command: Any, **options: Any) -> Any:
            assert command[0] == "nvidia-smi" and options["timeout"] > 0
            if isinstance(said, Exception):
                raise said
            return subprocess.CompletedProcess(command, 0, said, "")

        monkeypatch.setattr(hardware.subprocess, "run", run)
        hardware.machine.cache_clear()

    yield play
    hardware.machine.cache_clear()


def test_it_names_the_gpus_their_memory_and_whether_they_know_bf16(smi):
    smi(CARDS)
    first, second = hardware.machine().gpus
    assert (first.name, first.memory, first.bf16, first.driver) == ("NVIDIA GeForce RTX 4090", 24564 * 2**20, True, "550.54.15")
    assert not second.bf16
    assert hardware.machine().sentence.startswith("2 × NVIDIA GeForce RTX 4090 with 24 GB (bf16, driver 550.54.15), beside ")


@pytest.mark.parametrize(
    ("visible", "names"), [("1", ["Tesla T4"]), ("", []), ("GPU-8f3b", None), ("0,7", ["NVIDIA GeForce RTX 4090"])]
)
def test_it_counts_only_those_that_a_training_would_see(smi, monkeypatch, visible, names):
    smi(CARDS)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = [gpu.name for gpu in hardware.machine().gpus]
    assert found == names if names is not None else len(found) == 2


@pytest.mark.parametrize(
    "failure",
    [
        FileNotFoundError("nvidia-smi"),
        subprocess.TimeoutExpired("nvidia-smi", 5),
        subprocess.CalledProcessError(9, "nvidia-smi"),
        "NVIDIA-SMI has failed",
        "Old card, [N/A], 390, [N/A]\n",
    ],
)
def test_without_a_gpu_that_answers_the_processor_is_told(smi, failure):
    smi(failure)
    found = hardware.machine()
    assert found.gpu is None and found.cores >= 1 and found.memory > 2**28
    assert found.sentence.startswith("There is no NVIDIA GPU here; the processor computes (")


def test_it_asks_once(smi, monkeypatch):
    smi("")
    before = hardware.machine()
    monkeypatch.setattr(hardware, "_gpus", lambda: pytest.fail("asked again"))
    assert hardware.machine() is before


def test_it_loads_no_torch():
    code = "import sys; from training import hardware; hardware.machine(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
