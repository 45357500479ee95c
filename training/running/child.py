"""A training process: started with an argument list, heard line by line, ended with everything it started. No Django."""

import contextlib
import json
import os
import platform
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import psutil

Event: TypeAlias = dict[str, Any]

GRACE_SECONDS = 2.0
_TAIL_BYTES = 4000


@dataclass(frozen=True)
class Child:
    """A running training process; `folder` holds its log and the note by which an orphan is recognised."""

    process: subprocess.Popen[bytes]
    folder: Path

    @classmethod
    def start(cls, command: Sequence[str], *, folder: Path, cwd: Path, env: Mapping[str, str]) -> "Child":
        """Start `command` as leader of a group of its own, on a leash: when the calling thread dies, so does it."""
        leash = [sys.executable, "-m", "training.running.leash", str(os.getpid())]
        with (folder / "stderr.log").open("ab") as log:
            process = subprocess.Popen(
                [*leash, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=cwd,
                env=dict(env),
                start_new_session=True,
            )
        note = {"host": platform.node(), "pid": process.pid, "created": psutil.Process(process.pid).create_time()}
        (folder / "child.json").write_text(json.dumps(note))
        return cls(process, folder)

    def events(self, tick: float) -> Iterator[Event | None]:
        """Each event as it comes, and None after every `tick` seconds without one, until the process has ended."""
        yield from self._lines(tick)
        while self.process.poll() is None:
            yield None
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(tick)

    def _lines(self, tick: float) -> Iterator[Event | None]:
        assert self.process.stdout is not None
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(tick):
                    yield None
                    continue
                chunk = os.read(self.process.stdout.fileno(), 65536)
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                yield from filter(None, map(_event, lines))

    def stop(self) -> int:
        """End the process and all that it started: TERM, and KILL two seconds later. Gives the exit status."""
        _signal_group(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE_SECONDS)
        _signal_group(self.process.pid, signal.SIGKILL)
        status = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        (self.folder / "child.json").unlink(missing_ok=True)
        return status

    def last_words(self, lines: int = 3) -> str:
        """The end of what it wrote to stderr."""
        with (self.folder / "stderr.log").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = log.read().decode(errors="replace")
        return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


def _event(line: bytes) -> Event | None:
    """An event, or None for a line that a library printed."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("event"), str) else None


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def end_orphan(folder: Path) -> bool:
    """End the process that an earlier parent started here and left running; True when there was one.

    Its creation time must match, so that another program which got the same number is left alone.
    """
    note = folder / "child.json"
    if not note.exists():
        return False
    with contextlib.suppress(psutil.NoSuchProcess, ValueError):  # it ended by itself; the note was cut short
        known = json.loads(note.read_text())
        if known["host"] == platform.node() and psutil.Process(known["pid"]).create_time() == known["created"]:
            _end_group(known["pid"])
            note.unlink()
            return True
    note.unlink()
    return False


def _end_group(pid: int) -> None:
    _signal_group(pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal_group(pid, signal.SIGKILL)
