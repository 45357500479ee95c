"""What this machine can compute with, found out without torch: programs that serve pages ask too."""

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

PATIENCE_SECONDS = 5.0
GIB = 2**30
_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version,compute_cap", "--format=csv,noheader,nounits")
_BF16_FROM = 8.0  # compute capability of NVIDIA's Ampere, the first with bf16


@dataclass(frozen=True)
class Gpu:
    name: str
    memory: int
    """Bytes."""
    driver: str
    bf16: bool


@dataclass(frozen=True)
class Machine:
    """`memory` is the processor's, in bytes, or what this container may take of it; `flags` are those that matter here."""

    gpus: tuple[Gpu, ...]
    processor: str
    cores: int
    memory: int
    flags: frozenset[str]

    @property
    def bf16(self) -> bool:
        """Whether the processor multiplies bf16 itself."""
        return bool(self.flags & {"avx512_bf16", "amx_bf16"})

    @property
    def gpu(self) -> Gpu | None:
        """The one that a training on a single GPU takes."""
        return self.gpus[0] if self.gpus else None

    @property
    def sentence(self) -> str:
        cores = f"{self.cores} cores" if self.cores > 1 else "1 core"
        processor = f"{self.processor}, {cores}, {self.memory / GIB:.0f} GB, bf16 {'in hardware' if self.bf16 else 'missing'}"
        if not self.gpus:
            return f"There is no NVIDIA GPU here; the processor computes ({processor})."
        count = f"{len(self.gpus)} × " if len(self.gpus) > 1 else ""
        first = self.gpus[0]
        bf16 = "bf16" if first.bf16 else "no bf16"
        return f"{count}{first.name} with {first.memory / GIB:.0f} GB ({bf16}, driver {first.driver}), beside {processor}."


@cache
def machine() -> Machine:
    """Asked once a process; neither changes while one runs."""
    name, flags = _processor()
    return Machine(_gpus(), name, _cores(), _memory(), flags)


def _gpus() -> tuple[Gpu, ...]:
    """As NVIDIA's own program lists them, within CUDA_VISIBLE_DEVICES where that names numbers; none where it fails."""
    try:
        done = subprocess.run(_QUERY, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    found = [gpu for line in done.stdout.splitlines() if (gpu := _gpu(line))]
    return tuple(found[i] for i in _visible(len(found)))


def _gpu(line: str) -> Gpu | None:
    """A line of name, MiB, driver, compute capability; a card may call some of it [N/A]."""
    try:
        name, memory, driver, capability = (part.strip() for part in line.split(","))
        return Gpu(name, int(memory) * 2**20, driver, float(capability) >= _BF16_FROM)
    except ValueError:
        return None


def _visible(count: int) -> list[int]:
    asked = os.environ.get("CUDA_VISIBLE_DEVICES")
    if asked is None or any(not part.strip().isdigit() for part in asked.split(",") if part.strip()):
        return list(range(count))
    return [int(part) for part in asked.split(",") if part.strip() and int(part) < count]


def _processor() -> tuple[str, frozenset[str]]:
    """Its name and the flags for bf16, as Linux tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    pairs = (line.partition(":") for line in reversed(lines))  # the first processor's last, for it counts
    told = {name.strip(): value.strip() for name, _, value in pairs}
    flags = frozenset(told.get("flags", "").split()) & {"avx512_bf16", "amx_bf16"}
    return told.get("model name") or platform.processor() or platform.machine(), flags


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int:
    """A container's limit where there is one below the machine's memory."""
    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no container, or "max"
        return total
