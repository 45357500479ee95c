"""A server as a daemon: it outlives the command that started it, and any later command finds it again."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import psutil

from distillery_site.embedded.home import Home, LocalError, writing

PATIENCE = 60.0  # seconds; replaying a long write-ahead log takes a while
LOG_LIMIT = 5 * 1024 * 1024

_started: list[subprocess.Popen[bytes]] = []  # kept, so that a daemon which dies while we live is reaped


class Server(ABC):
    """One server of one home."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, home: Home):
        self.home = home
        self.log = home.folder / f"{self.name.lower()}.log"

    @abstractmethod
    def process(self) -> psutil.Process | None:
        """The running server, ready or not."""

    @abstractmethod
    def ready(self) -> bool: ...

    @abstractmethod
    def prepare(self) -> None:
        """Make what a start needs; called when the server isn't ready."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]: ...

    def clear_remains(self) -> None:  # noqa: B027 (optional)
        """Called when no server runs, right before one is started."""

    def input(self) -> str:
        return ""

    def ended(self, said: str) -> None:
        """The start ended with these words in the log: raise, unless it may go well the next time."""
        raise LocalError(f"{self.name} can't start: {explain(said, self.home.folder)} (log: {self.log})")

    def start(self) -> None:
        """Do nothing when it runs; wait for one that is starting, and for the remains of one that was killed."""
        if self.ready():
            return
        self.prepare()
        deadline, launch = time.monotonic() + PATIENCE, None
        while not self.ready():
            if launch is None and self.process() is None:
                self.clear_remains()
                launch = Launch(self.home, self.command(), self.log, self.input())
            elif launch is not None and launch.has_ended():
                self.ended(launch.said())
                launch = None
            if time.monotonic() > deadline:
                raise LocalError(f"{self.name} did not start within {PATIENCE:.0f} seconds; its log is {self.log}.")
            time.sleep(0.02)

    def stop(self, patience: float = 15) -> None:
        process = self.process()
        if process is None:
            return
        process.send_signal(self.stop_signal)
        try:
            process.wait(patience)
        except psutil.TimeoutExpired:
            process.kill()


class Launch:
    """One attempt to start a daemon, in a session of its own so that Ctrl-C in our terminal doesn't reach it."""

    def __init__(self, home: Home, command: Sequence[str | Path], log: Path, text: str):
        with writing(log):
            if log.exists() and log.stat().st_size > LOG_LIMIT:
                log.replace(log.with_suffix(".old.log"))
            with log.open("ab") as sink:
                self._log, self._before = log, sink.tell()
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=sink, stderr=sink, start_new_session=True, **home.as_owner()
                )
        _started.append(self._process)
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._process.stdin.close()

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def said(self) -> str:
        return self._log.read_bytes()[self._before :].decode(errors="replace")


def run(home: Home, command: Sequence[str | Path], what: str, text: str = "") -> None:
    """Run one program of a server to its end, as the server's owner."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, **home.as_owner())
    except PermissionError:
        raise LocalError(f"{what} failed: this account may not start programs as user {home.owner}. Set DATABASE_URL.") from None
    if done.returncode:
        raise LocalError(f"{what} failed: {explain(done.stderr or done.stdout, home.folder)}")


def explain(output: str, place: Path) -> str:
    """The last line that tells of an error, or the plain cause where it is a known one."""
    if "No space left" in output:
        return f"the disk that holds {place} is full."
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "fatal" in line.lower() or "error" in line.lower()]
    return (telling or lines or ["it said nothing."])[-1]


def find(pidfile: Path, program: str, argument: str = "") -> psutil.Process | None:
    """The process whose number the file begins with, if it is that program: numbers are used again."""
    for process in _started:
        process.poll()
    try:
        found = psutil.Process(int(pidfile.read_text().split()[0]))
        return found if program in found.name() and argument in " ".join(found.cmdline()) else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
