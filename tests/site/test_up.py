"""`manage.py up` with the real programs, real signals and a data folder of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from distillery_site import local
from distillery_site.child import known_process
from distillery_site.supervisor import NAMES

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.timeout(240)


class Up:
    """One checkout's `manage.py up`, started and ended as often as a test likes."""

    def __init__(self, var: Path):
        self.var, self.port = var, local.free_port(var, "web")
        self.url = f"http://127.0.0.1:{self.port}/health"
        self.log = var / "up.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *words: str) -> str:
        """Start it and wait until it is up; returns what it said."""
        before = len(self.said())
        command = [sys.executable, "manage.py", "up", "--port", str(self.port), *words]
        env = {**os.environ, "DISTILLERY_VAR": str(self.var)}
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=sink, stderr=sink)
        self.until(lambda: "Distillery is up" in self.said()[before:])
        return self.said()[before:]

    def manage(self, *words: str) -> "subprocess.CompletedProcess[str]":
        env = {**os.environ, "DISTILLERY_VAR": str(self.var)}
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def until(self, look: Callable[[], Any], seconds: float = 90) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)
        return found

    def end(self, number: signal.Signals) -> float:
        """Send the signal and return the seconds until it was gone."""
        assert self.process
        start = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - start

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=2) as answer:
                return bool(json.load(answer)["status"] == "ok")
        except OSError:
            return False

    def program(self, name: str) -> psutil.Process | None:
        return known_process(self.var / "run" / f"{name}.json")

    def programs(self) -> list[psutil.Process]:
        return [process for name in NAMES if (process := self.program(name))]


def lives(process: psutil.Process) -> bool:
    """Whether it still runs; what the system has not yet swept away is dead all the same."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def checkout() -> Iterator[Up]:
    folder = Path(tempfile.mkdtemp(prefix="du-", dir="/tmp"))
    folder.chmod(0o755)
    site = Up(folder)
    try:
        yield site
    finally:
        if site.process and site.process.poll() is None:
            site.end(signal.SIGTERM)
        local.stop(folder)
        shutil.rmtree(folder)


@pytest.fixture
def up() -> Iterator[Up]:
    with checkout() as site:
        yield site


@pytest.fixture(scope="module")
def clock() -> Iterator[Up]:
    """A checkout that runs the clock only; each test here finds it running and may kill it."""
    with checkout() as site:
        yield site


@pytest.fixture
def ticking(clock: Up) -> Up:
    if clock.process is None or clock.process.poll() is not None:
        clock.start("--only", "beat")
    return clock


def test_it_serves_restarts_what_dies_and_leaves_nothing_behind(up: Up) -> None:
    said = up.start()
    assert re.search(r"password: \S{16}$", said, re.MULTILINE)
    assert up.healthy() and len(up.programs()) == len(NAMES)
    web = up.program("web")
    assert web
    web.kill()
    up.until(lambda: up.program("web") not in (None, web) and up.healthy())
    everything = [child for one in up.programs() for child in (one, *one.children(recursive=True))]
    assert up.end(signal.SIGTERM) < 20  # ten on a machine that has nothing else to do
    assert not [process for process in everything if lives(process)]
    assert not local.is_running(up.var, valkey=False) and not local.is_running(up.var, postgres=False)


def test_a_second_one_in_the_same_checkout_is_refused_in_one_sentence(ticking: Up) -> None:
    second = ticking.manage("up", "--only", "beat")
    assert (second.returncode, second.stderr.count("\n")) == (1, 1)
    assert "The beat program already runs here, under another command" in second.stderr
    assert len(ticking.programs()) == 1


def test_after_kill_9_of_the_supervisor_it_starts_again_at_once(ticking: Up) -> None:
    before = ticking.programs()
    ticking.end(signal.SIGKILL)
    said = ticking.start("--only", "beat")
    assert "password" not in said
    assert len(ticking.programs()) == 1 and not [process for process in before if lives(process)]


def test_down_stops_what_a_killed_one_left(ticking: Up) -> None:
    ticking.end(signal.SIGKILL)
    assert local.is_running(ticking.var)
    done = ticking.manage("down")
    assert done.returncode == 0, done.stderr
    assert not ticking.programs()
    assert not local.is_running(ticking.var, valkey=False) and not local.is_running(ticking.var, postgres=False)
