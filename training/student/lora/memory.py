"""Memory: what a training will need, what there is, and recognising that it ran out."""

import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn

_TRAINED_BYTES = 12  # of a trained fp32 parameter beside itself: its gradient and AdamW's two moments
_SPARE = 1.1  # allocators round up
_SHARE = 0.9  # of a device's memory that a training may plan with
_OUT = ("out of memory", "not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


@dataclass(frozen=True)
class Need:
    """Bytes a forward pass keeps for the backward one: for each row, and once for all rows."""

    row: int
    once: int


@dataclass(frozen=True)
class Plan:
    """How a training fits its device: `bytes` is the foreseen peak."""

    checkpointing: bool
    bytes: int


def ran_out(error: BaseException) -> bool:
    """Whether an error means that memory was short, on a GPU or a processor."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT)


def kept(forward: Callable[[int], Any], module: nn.Module) -> Need:
    """Counted, not guessed: run `forward` on one row and on two equal ones and look at what autograd holds on to."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):  # dropout draws here must not shift those of the training
        one, two = _saved(lambda: forward(1), module), _saved(lambda: forward(2), module)
    return Need(row=max(0, two - one), once=max(0, 2 * one - two))


def _saved(run: Callable[[], Any], module: nn.Module) -> int:
    own = {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers())}
    found: dict[int, tuple[int, torch.Tensor]] = {}  # keeping the tensors keeps their addresses from being used again

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        result = run()
    del result
    return sum(size for size, _ in found.values())


def plan(wish: str, need: Need, rows: int, layers: int, layer_input: int, module: nn.Module) -> Plan:
    """Whether to recompute activations: as wished, or with "auto" only where they would not fit otherwise.

    `layer_input` are the bytes that one layer reads of one row; recomputing keeps those, and one layer's activations.
    """
    trained = sum(p.numel() for p in module.parameters() if p.requires_grad) * _TRAINED_BYTES
    still = in_use() + trained + need.once
    whole = int((still + need.row * rows) * _SPARE)
    lean = int((still + (need.row / max(layers, 1) + layers * layer_input) * rows) * _SPARE)
    checkpointing = wish == "on" or (wish == "auto" and whole > _SHARE * free())
    return Plan(checkpointing, lean if checkpointing else whole)


def in_use() -> int:
    """Bytes this process has on the device now."""
    return int(torch.cuda.memory_allocated() if torch.cuda.is_available() else psutil.Process().memory_info().rss)


def peak() -> int:
    """The most bytes this process has had on the device."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def device() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def of_device() -> int:
    """The device's memory in bytes; in a container what the container may have."""
    if torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)
    return min(int(psutil.virtual_memory().total), _container())


def free() -> int:
    """Bytes this process could have on the device, with what it has already."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0]) + int(torch.cuda.memory_reserved())
    return min(int(psutil.virtual_memory().available) + in_use(), _container())


def _container() -> int:
    try:
        return int(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return 2**63 - 1


def smaller(micro: int) -> int:
    """The largest divisor of a micro-batch that is at most its half, so that whole batches are still made of it."""
    return next(size for size in range(micro // 2, 0, -1) if micro % size == 0)
