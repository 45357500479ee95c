"""Who has the accelerator: a lock on a file, which says who holds it and is free again however its holder ended."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

About = dict[str, Any]
GPU_LEASE = "work/gpu.lease"  # below the site's folder, on the disk that its containers share
LOOK_SECONDS = 0.2


@contextmanager
def hold(path: Path, about: Mapping[str, Any], *, wait: Callable[[About], None] | None = None) -> Iterator[None]:
    """Have the lease for oneself while the block runs, after waiting for whoever has it now.

    `about` is JSON for those who look; `wait` is told once who has it. The kernel frees the lock of a process that
    dies, but only with its last fork: helpers forked inside the block must end with it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        _wait_for(handle, wait)
        _write(handle, {**about, "pid": os.getpid()})
        yield
        _write(handle, {})


def held(path: Path) -> About | None:
    """What the holder says of itself; None while nobody holds it. Never waits."""
    try:
        handle = path.open()
    except FileNotFoundError:
        return None
    with handle:
        return None if _lock(handle, fcntl.LOCK_SH) else _read(handle)


def _wait_for(handle: IO[str], wait: Callable[[About], None] | None) -> None:
    """By looking again and again: a shared look by somebody else lasts microseconds and is no holder."""
    looks = 0
    while not _lock(handle, fcntl.LOCK_EX):
        looks += 1
        if looks == 2 and wait is not None:
            wait(_read(handle))
        time.sleep(LOOK_SECONDS)


def _lock(handle: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(handle: IO[str]) -> About:
    """Empty for the moment between taking the lock and writing."""
    handle.seek(0)
    try:
        told = json.loads(handle.read())
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _write(handle: IO[str], about: Mapping[str, Any]) -> None:
    handle.seek(0)
    handle.truncate()
    handle.write(json.dumps(about))
    handle.flush()
