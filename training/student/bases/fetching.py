"""`python -m training.student.bases.fetching NAME --root DIR`: bring a base model here, and keep a note of how far it is.

The note, beside the base's folder, is {"state": "asked|running|failed", "done", "total", "text", "at"}; who is at work has
the lock that `bases.fetching` names, so a note that says "running" without it tells of a fetch that was killed.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from distillery_site.common.errors import DistilleryError

from .. import lease
from . import store

State = Literal["absent", "asked", "running", "failed", "here"]
PATIENCE_SECONDS = 600  # after which a wish that nobody took may be uttered again
NOTE_SECONDS = 1.0


@dataclass(frozen=True)
class Standing:
    """Where a base model stands on this machine; `done` and `total` are bytes, `at` seconds since 1970."""

    state: State
    done: int = 0
    total: int = 0
    text: str = ""
    at: float = field(default_factory=time.time)

    @property
    def percent(self) -> int:
        return round(100 * self.share)

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0


def standing(name: str, root: Path) -> Standing:
    """From what lies on disk: the card of a complete base, the lock of one that is being fetched, the last note."""
    if store.is_here(name, root):
        return Standing("here")
    told = _read(note(name, root))
    if lease.held(store.fetching(name, root)) is not None:
        return told if told.state == "running" else Standing("running")
    if told.state == "running":
        return replace(told, state="failed", text="The fetch was ended from outside; the next one goes on from there.")
    if told.state == "asked" and time.time() - told.at > PATIENCE_SECONDS:
        return Standing("failed", text="No worker took it: is the gpu lane running, or busy with a long training?", at=told.at)
    return told


def note(name: str, root: Path) -> Path:
    return Path(root) / f".{store.named(name)}.json"


def write(path: Path, told: Standing) -> None:
    """Whole or not at all; whoever reads meanwhile sees the note before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(json.dumps(asdict(told)), encoding="utf-8")
    part.replace(path)


def _read(path: Path) -> Standing:
    try:
        return Standing(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Standing("absent")


class _Noting:
    """A progress that writes itself down, once a second."""

    def __init__(self, path: Path):
        self.path, self._next = path, 0.0

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + NOTE_SECONDS
            write(self.path, Standing("running", done, total))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.student.bases.fetching", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="where base models are kept")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where downloaded packages are kept")
    asked = parser.parse_args(argv)
    path = note(asked.name, asked.root)
    write(path, Standing("running"))
    try:
        store.fetch(asked.name, asked.root, _Noting(path), cache=asked.cache, token=os.environ.get("HF_TOKEN", ""))
    except (DistilleryError, OSError, ImportError) as error:
        write(path, Standing("failed", text=_sentence(error)))
        return 1
    except Exception as error:
        write(path, Standing("failed", text=f"The fetch broke off ({type(error).__name__}): its log beside the base says more."))
        raise
    path.unlink(missing_ok=True)
    return 0


def _sentence(error: Any) -> str:
    if isinstance(error, ImportError):
        return f"This worker lacks the package {error.name}: fetch it where distillery[students] is installed."
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
