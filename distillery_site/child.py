"""One program that the supervisor keeps running: its process, its log, its note, its end."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from distillery_site.embedded.home import LocalError, writing

LOG_LIMIT = 5 * 1024 * 1024
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds before a program that ended is started again; doubles each time
STEADY = 60.0  # seconds after which an end counts as the first one


@dataclass(frozen=True)
class Program:
    """`stage`: lower ones are stopped first. `health`: an address that answers once the program is ready."""

    name: str
    command: tuple[str, ...]
    stage: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    nice: int = 0
    health: str = ""


class Child:
    """`hear` gets each line that the program writes; without it they go to a file beside the note."""

    def __init__(self, program: Program, folder: Path, cwd: Path, hear: Callable[[str], None] | None = None):
        self.program, self.cwd, self.hear = program, cwd, hear
        self.note, self.log = folder / f"{program.name}.json", folder / f"{program.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._held: IO[str] | None = None
        self._due = self._wait = self._since = 0.0

    def claim(self) -> None:
        """Make sure that nobody else keeps this program, and end one that a killed supervisor left behind."""
        with writing(self.note):
            self.note.parent.mkdir(parents=True, exist_ok=True)
            self._held = self.note.open("a+")
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            name = self.program.name
            raise LocalError(f"The {name} program already runs here, under another command: stop that first.") from None
        end_orphan(self.note)

    def release(self) -> None:
        if self._held:
            self._held.close()
            self._held = None

    def start(self) -> None:
        """On a leash, so that it ends with us even after kill -9, and as leader of a session of its own."""
        leash = [sys.executable, "-m", "training.running.leash", str(os.getpid())]
        env = {**os.environ, **self.program.env, "PYTHONUNBUFFERED": "1"}
        with writing(self.log), self._sink() as sink:
            self.process = subprocess.Popen(
                [*leash, *self.program.command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if self.hear else sink,
                stderr=subprocess.STDOUT,
                cwd=self.cwd,
                env=env,
                start_new_session=True,
            )
        self._since, self._due = time.monotonic(), 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            known = psutil.Process(self.process.pid)
            self._write_note({"pid": known.pid, "created": known.create_time(), "health": self.program.health})
            if self.program.nice:
                known.nice(self.program.nice)
        if self.hear:
            threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def _sink(self) -> contextlib.AbstractContextManager[int]:
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".old.log"))
        return _opened(self.log) if not self.hear else contextlib.nullcontext(subprocess.DEVNULL)

    def _write_note(self, note: dict[str, float | str]) -> None:
        assert self._held, "claim comes before start"
        self._held.truncate(0)
        self._held.write(json.dumps(note))
        self._held.flush()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None and self.hear is not None
        with process.stdout:
            for line in process.stdout:
                if line.strip():
                    self.hear(line.decode(errors="replace").rstrip())

    def keep(self) -> str:
        """Start it again when it has ended and its time has come; returns what there is to tell."""
        if self.process is None or self.process.poll() is None:
            return ""
        now = time.monotonic()
        if self._due:
            if now >= self._due:
                self.start()
            return ""
        self._wait = min(self._wait * 2, LONGEST_WAIT) if self._wait and now - self._since < STEADY else FIRST_WAIT
        self._due = now + self._wait
        end_session(self.process.pid)
        where = "" if self.hear else f" (log: {self.log})"
        return f"ended with status {self.process.returncode}; starting it again in {self._wait:g} s{where}"

    def ask_to_stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def insist(self, deadline: float) -> None:
        """Wait until then, and end it with everything it started."""
        if self.process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, deadline - time.monotonic()))
        end_session(self.process.pid)
        self.process.wait()
        self.process = None
        self._write_note({})

    def rss_mb(self) -> float:
        """Resident memory of the program with all its processes."""
        if self.process is None:
            return 0.0
        top = psutil.Process(self.process.pid)
        return sum(process.memory_info().rss for process in (top, *top.children(recursive=True))) / 2**20


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    with path.open("ab") as sink:
        yield sink.fileno()


def end_session(leader: int) -> None:
    """Kill what still lives of the session that this process led."""
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)


def known_process(note: Path) -> psutil.Process | None:
    """The process that the note tells of, if it lives and its number has not gone to another program."""
    try:
        known = json.loads(note.read_text())
        process = psutil.Process(int(known["pid"]))
        return process if process.create_time() == known["created"] else None
    except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
        return None


def health_address(note: Path) -> str:
    """Where the program of this note answers, as long as it runs."""
    return str(json.loads(note.read_text())["health"]) if known_process(note) else ""


def end_orphan(note: Path) -> None:
    """End the session that the note tells of: even without its leader, unless the number is another program's now."""
    try:
        known = json.loads(note.read_text())
        pid, created = int(known["pid"]), float(known["created"])
    except (ValueError, KeyError):
        return
    # A number stays taken while its session lives, so without a process of that number its members are ours.
    if created > psutil.boot_time() and (known_process(note) or not psutil.pid_exists(pid)):
        end_session(pid)
