"""The lease on the accelerator: one holder at a time, seen by everybody, gone with its holder."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from training.student.lease import held, hold

HOLDER = """
import sys, time
from pathlib import Path
from training.student.lease import hold
with hold(Path(sys.argv[1]), {"run": 7}):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def lease(tmp_path: Path) -> Path:
    return tmp_path / "run" / "gpu.lease"


@pytest.fixture
def other(lease: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease."""
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(lease)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.wait()


def test_it_says_who_holds_it_for_as_long_as_it_is_held(lease: Path) -> None:
    with hold(lease, {"run": 4}):
        found = held(lease)
        assert found is not None and found["run"] == 4
    assert held(lease) is None


def test_nobody_holds_a_lease_that_was_never_taken(lease: Path) -> None:
    assert held(lease) is None and not lease.exists()


def test_a_killed_holder_frees_it(lease: Path, other: subprocess.Popen[str]) -> None:
    assert (held(lease) or {})["pid"] == other.pid
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert held(lease) is None
    with hold(lease, {"run": 8}):
        assert (held(lease) or {})["run"] == 8


def test_the_next_one_waits_and_is_told_for_whom(lease: Path, other: subprocess.Popen[str]) -> None:
    told: list[dict[str, Any]] = []

    def end_it(about: dict[str, Any]) -> None:
        told.append(about)
        other.kill()

    with hold(lease, {"run": 9}, wait=end_it):
        assert [about["run"] for about in told] == [7]
        assert (held(lease) or {})["run"] == 9


def test_looking_never_stops_the_holder(lease: Path) -> None:
    lease.parent.mkdir()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            held(lease)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for run in range(20):
            with hold(lease, {"run": run}):
                pass
    finally:
        done.set()
        watcher.join()


def test_a_failure_inside_frees_it(lease: Path) -> None:
    with pytest.raises(ValueError, match="boom"), hold(lease, {}):
        raise ValueError("boom")
    assert held(lease) is None
