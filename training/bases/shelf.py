"""The base models as the site sees them: what there is, what fits this machine, and fetching one in the background."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from distillery_site.common.errors import BadInput
from training.hardware import GIB, Machine, machine
from training.running.launching import child_environment
from training.student.bases import fetching, shapes, store
from training.student.bases.catalogue import Base
from training.student.bases.fetching import Standing
from training.student.bases.shapes import Memory, Shape

BATCH, TOKENS, RANK = 8, 512, 16  # what the table's memory is for
SERVED = 32  # articles that scoring takes at a time
_USABLE = 0.9  # of an accelerator's or a machine's memory: the rest is fragments, and others'
UNKNOWN = "No formula here knows its architecture; an estimate before a training measures it."
_HEAVY = 20  # times MiniLM's work for a token, from where a processor takes days
_NETWORK = ("PIP_", "HF_", "HTTP_", "HTTPS_", "NO_", "ALL_", "http_", "https_", "no_", "all_", "SSL_", "REQUESTS_")


@dataclass(frozen=True)
class Row:
    """A line of the catalogue; without a shape nothing is known of an adopted base but that it is here."""

    name: str
    base: Base | None
    shape: Shape | None
    standing: Standing
    train: Memory | None
    lean: Memory | None
    serve: Memory | None
    fit: str
    why: str

    @property
    def lora(self) -> int:
        return shapes.lora_parameters(self.shape, RANK) if self.shape else 0


def root() -> Path:
    return Path(settings.BASES_ROOT)


def table() -> list[Row]:
    """The catalogue's bases in its order, then the registered folders."""
    return [*(_row(name, base) for name, base in store.CATALOGUE.items()), *_own()]


def _own() -> Iterator[Row]:
    for card in sorted(root().glob(f"*/{store.CARD}")):
        if card.parent.name not in store.CATALOGUE:
            yield _row(card.parent.name, None)


def _row(name: str, base: Base | None) -> Row:
    shape, beside = (base.shape, base.beside) if base else (_shape_of(root() / name), 0)
    if shape is None:
        return Row(name, base, None, fetching.standing(name, root()), None, None, None, "unknown", UNKNOWN)
    here = machine()
    autocast = here.gpu.bf16 if here.gpu else here.bf16
    train, lean = (_to_train(shape, beside, autocast=autocast, checkpointing=on) for on in (False, True))
    serve = shapes.to_serve(shape, batch=SERVED, tokens=TOKENS, rank=RANK)
    serve = Memory(serve.weights + beside * shapes.FP32, serve.trained, serve.activations, serve.working)
    return Row(name, base, shape, fetching.standing(name, root()), train, lean, serve, *verdict(here, shape, train, lean))


def _to_train(shape: Shape, beside: int, *, autocast: bool, checkpointing: bool) -> Memory:
    found = shapes.to_train(shape, batch=BATCH, tokens=TOKENS, rank=RANK, autocast=autocast, checkpointing=checkpointing)
    return Memory(found.weights + beside * shapes.FP32, found.trained, found.activations, found.working)


def _shape_of(folder: Path) -> Shape | None:
    try:
        return shapes.of_config(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def verdict(here: Machine, shape: Shape, train: Memory, lean: Memory) -> tuple[str, str]:
    """("fits" | "lean" | "slow" | "no", why) for training on the GPU, or on the processor where there is none."""
    memory, what = (here.gpu.memory, here.gpu.name) if here.gpu else (here.memory, "this machine")
    room, has = memory * _USABLE, f"{what} has {memory / GIB:.0f} GB"
    work = shape.linear_parameters / _minilm().linear_parameters
    if lean.total > room:
        return "no", f"Even with checkpointing it needs about {lean.total / GIB:.0f} GB, and {has}."
    if not here.gpu and work > _HEAVY:
        return "slow", f"A token takes {work:.0f} times MiniLM's work, and there is no GPU."
    if train.total > room:
        return "lean", f"With checkpointing: without, it needs about {train.total / GIB:.0f} GB, and {has}."
    return "fits", f"It needs about {max(1, round(train.total / GIB))} GB, and {has}."


def _minilm() -> Shape:
    shape = store.CATALOGUE["minilm"].shape
    assert shape is not None
    return shape


def ask(name: str) -> None:
    """Note that somebody wants this base; the door sends training.tasks.fetch_base. BadInput for one that can't be had."""
    if name not in store.CATALOGUE:
        raise BadInput(f"There is no base model {name!r} in the catalogue.")
    if fetching.standing(name, root()).state in ("absent", "failed"):
        fetching.write(fetching.note(name, root()), Standing("asked", total=store.CATALOGUE[name].bytes))


def start(name: str) -> None:
    """A process of its own, which ends with this worker; it writes its own note, so nobody waits for it here."""
    if fetching.standing(name, root()).state in ("here", "running"):
        return
    root().mkdir(parents=True, exist_ok=True)
    leash = [sys.executable, "-m", "training.running.leash", str(os.getpid())]
    words = [name, "--root", str(root()), "--cache", str(Path(settings.VAR) / "cache")]
    with (root() / f".{name}.log").open("wb") as log:
        subprocess.Popen(
            [*leash, sys.executable, "-m", "training.student.bases.fetching", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=settings.BASE_DIR,
            env=_environment(),
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    """As a training's, but with the network and the hub's token."""
    allowed = {name: value for name, value in os.environ.items() if name.startswith(_NETWORK)}
    told = {name: value for name, value in child_environment().items() if not name.endswith("_OFFLINE")} | allowed
    return told | ({"HF_TOKEN": settings.HF_TOKEN} if settings.HF_TOKEN else {})
