"""The supervisor with small programs of its own; tests/site/test_up.py runs the real ones."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from distillery_site import child as children
from distillery_site import local, supervisor
from distillery_site.alive import alive
from distillery_site.child import Child, Program, end_orphan
from distillery_site.common.errors import BadInput
from distillery_site.embedded.home import LocalError
from distillery_site.supervisor import Supervisor, programs
from training.models import Dataset, TrainingRun

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = "import time; print('awake', flush=True); time.sleep(60)"
PARENT = """
import subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("grandchild", grandchild.pid, flush=True)
time.sleep(60)
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "FIRST_WAIT", 0.1)
    monkeypatch.setattr(supervisor, "STOP_SECONDS", (0.5, 0.5, 0.5))
    monkeypatch.setattr(supervisor, "HEAD_START", 0.1)


class Watched:
    """A supervisor of small programs, and what it said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.supervisor: Supervisor | None = None

    def start(self, *wanted: Program) -> Supervisor:
        self.supervisor = Supervisor(wanted, say=self.lines.append)
        self.supervisor.start()
        return self.supervisor

    def hears(self, words: str) -> str:
        return str(until(lambda: next((line for line in self.lines if words in line), "")))


@pytest.fixture
def watched() -> Iterator[Watched]:
    it = Watched()
    yield it
    if it.supervisor:
        it.supervisor.stop()


def until(look: Callable[[], Any], seconds: float = 15) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "It did not happen."
        time.sleep(0.05)
    return found


def small(name: str, code: str, **more: object) -> Program:
    return Program(name, (sys.executable, "-c", code), **more)  # type: ignore[arg-type]


def pid_of(one: Supervisor, name: str) -> int:
    return int(next(child.process.pid for child in one.children if child.program.name == name and child.process))


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_it_prefixes_what_the_programs_write(watched: Watched) -> None:
    watched.start(small("web", SLEEPER, env={"PORT": str(local.free_port(ROOT, "t"))}), small("label", SLEEPER))
    assert watched.hears("web      │") == "web      │ awake"
    assert watched.hears("label    │") == "label    │ awake"


def test_it_starts_again_what_dies(watched: Watched) -> None:
    running = watched.start(small("label", SLEEPER), small("score", SLEEPER))
    first, other = pid_of(running, "label"), pid_of(running, "score")
    watched.hears("label    │ awake")
    os.kill(first, signal.SIGKILL)
    assert "ended with status -9; starting it again in" in watched.hears("label    │ ended")
    until(lambda: [line for line in watched.lines if line == "label    │ awake"][1:])
    assert pid_of(running, "label") != first
    assert pid_of(running, "score") == other


def test_a_health_check_without_django_sees_what_runs(watched: Watched) -> None:
    running = watched.start(small("label", SLEEPER), small("score", SLEEPER, health="http://127.0.0.1:1/health"))
    assert alive("label", running.folder)
    assert not alive("score", running.folder)  # it runs, and doesn't answer
    assert not alive("gpu", running.folder)
    running.stop()
    assert not alive("label", running.folder)


def test_what_was_started_again_is_asked_to_stop_like_the_rest(watched: Watched, tmp_path: Path) -> None:
    code = f"import signal, sys, time; from pathlib import Path; goodbye = Path({str(tmp_path / 'goodbye')!r})\n"
    code += "signal.signal(signal.SIGTERM, lambda *_: (goodbye.touch(), sys.exit())); print('armed', flush=True); time.sleep(60)"
    running = watched.start(small("label", code))
    watched.hears("armed")
    os.kill(pid_of(running, "label"), signal.SIGKILL)
    until(lambda: [line for line in watched.lines if "armed" in line][1:])
    running.stop()
    assert (tmp_path / "goodbye").exists()


def test_it_waits_longer_each_time_for_what_cannot_start(watched: Watched) -> None:
    watched.start(small("label", "raise SystemExit(3)"))
    until(lambda: len([line for line in watched.lines if "status 3" in line]) >= 3)
    waits = [float(line.split(" in ")[1].split()[0]) for line in watched.lines if "status 3" in line]
    assert waits[:3] == [0.1, 0.2, 0.4]


def test_stopping_ends_everything_with_what_it_started(watched: Watched) -> None:
    running = watched.start(small("label", PARENT), small("score", STUBBORN))
    grandchild = int(watched.hears("grandchild").split()[-1])
    watched.hears("deaf")
    pids = [pid_of(running, "label"), pid_of(running, "score"), grandchild]
    start = time.monotonic()
    running.stop()
    assert time.monotonic() - start < 5
    assert all(gone(pid) for pid in pids)


def test_it_stops_those_who_ask_before_those_who_answer(watched: Watched, tmp_path: Path) -> None:
    log = tmp_path / "order"
    code = "import signal, sys, time; from pathlib import Path; name = sys.argv[1]; print('up', flush=True)\n"
    code += f"def leave(*_):\n    open({str(log)!r}, 'a').write(name + ' '); sys.exit()\n"
    code += "signal.signal(signal.SIGTERM, leave); print('armed', flush=True); time.sleep(60)"
    wanted = [
        Program(name, (sys.executable, "-c", code, name), stage=stage) for name, stage in (("engine", 2), ("gpu", 1), ("beat", 0))
    ]
    running = Supervisor(wanted, say=watched.lines.append)
    running._check_ports = lambda: None  # type: ignore[method-assign]
    running.start()
    until(lambda: len([line for line in watched.lines if "armed" in line]) == 3)
    running.stop()
    assert log.read_text().split() == ["beat", "gpu", "engine"]


def test_a_second_supervisor_of_the_same_program_is_refused(watched: Watched) -> None:
    running = watched.start(small("label", SLEEPER))
    second = Supervisor([small("label", SLEEPER)], say=watched.lines.append)
    with pytest.raises(LocalError, match="The label program already runs here"):
        second.start()
    second.stop()
    assert not gone(pid_of(running, "label"))


def test_a_port_in_use_is_named_together_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = Supervisor(programs(port=port, only=["web"]))
        with pytest.raises(LocalError, match=f"Port {port} on 127.0.0.1 is in use by another program: choose one with --port"):
            refused.start()
        refused.stop()


def test_the_scoring_process_is_told_what_to_leave_to_a_training(settings: Any) -> None:
    settings.ENGINE_WHILE_TRAINING, settings.ENGINE_GPU_SHARE = "cpu", 0.5
    (engine,) = programs(only=["engine"])
    lease = str(settings.VAR / "work" / "gpu.lease")
    assert engine.command[-6:] == ("--lease", lease, "--while-training", "cpu", "--gpu-share", "0.5")


def test_an_unknown_program_is_named_together_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match="no program called gpus: choose from web, engine"):
        programs(only=["gpus"])


def test_a_program_that_never_answers_is_named(watched: Watched) -> None:
    running = watched.start(small("label", SLEEPER, health="http://127.0.0.1:1/health"))
    with pytest.raises(LocalError, match="label does not answer at http://127.0.0.1:1/health"):
        running.ready(timeout=0.3)


def test_quiet_programs_write_to_a_file() -> None:
    running = Supervisor([small("label", SLEEPER)], quiet=True)
    running.start()
    try:
        until(lambda: "awake" in (running.folder / "label.log").read_text())
    finally:
        running.stop()


def test_what_its_workers_held_is_due_at_once_when_it_stops(watched: Watched) -> None:
    dataset = Dataset.objects.create(name="held", fingerprint="f" * 64, recipe={}, view={})
    run = TrainingRun.objects.create(dataset=dataset, kind="ridge", model_name="held")
    held = TrainingRun.objects.claim(run.pk)
    assert held and not TrainingRun.objects.due().exists()
    running = watched.start(small("gpu", SLEEPER))
    running.stop()
    assert TrainingRun.objects.due().get() == run


def test_one_that_was_refused_lets_go_of_nothing(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.start(small("gpu", SLEEPER))
    monkeypatch.setattr(supervisor, "let_go", lambda: pytest.fail("The first one's runs are not ours."))
    second = Supervisor([small("gpu", SLEEPER)], say=watched.lines.append)
    with pytest.raises(LocalError):
        second.start()
    second.stop()
    monkeypatch.undo()


def test_services_that_are_gone_are_started_again(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(supervisor, "SERVICES_EVERY", 0.1)
    monkeypatch.setattr(local, "is_running", lambda *wanted: bool(started))
    monkeypatch.setattr(local, "start", lambda *wanted: started.append(wanted))
    watched.start(small("label", SLEEPER))
    watched.hears("services │ were gone and run again")


def test_a_child_ends_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from distillery_site.alive import alive
from distillery_site.child import Child, Program
child = Child(Program("label", ({sys.executable!r}, "-c", {SLEEPER!r})), Path({str(tmp_path)!r}), Path({str(ROOT)!r}))
child.claim()
child.start()
print(child.process.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    until(lambda: "awake" in (tmp_path / "label.log").read_text())
    parent.kill()
    parent.wait()
    again = Child(Program("label", ("true",)), tmp_path, ROOT)
    again.claim()  # where the system has no leash, this is what ends it
    until(lambda: gone(pid))
    again.release()


def orphan(note: Path, created_earlier: float = 0) -> tuple[subprocess.Popen[str], int]:
    """A session leader with one child, as a killed supervisor would leave it behind."""
    leader = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert leader.stdout
    grandchild = int(leader.stdout.readline().split()[-1])
    created = psutil.Process(leader.pid).create_time() - created_earlier
    note.write_text(json.dumps({"pid": leader.pid, "created": created}))
    return leader, grandchild


def test_an_orphan_is_ended_with_its_children_even_when_its_leader_is_dead(tmp_path: Path) -> None:
    leader, grandchild = orphan(tmp_path / "label.json")
    leader.kill()
    leader.wait()
    assert not gone(grandchild)
    end_orphan(tmp_path / "label.json")
    until(lambda: gone(grandchild))


def test_a_stranger_that_got_the_orphans_number_is_left_alone(tmp_path: Path) -> None:
    leader, grandchild = orphan(tmp_path / "label.json", created_earlier=100)
    end_orphan(tmp_path / "label.json")
    assert leader.poll() is None and not gone(grandchild)
    os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


@pytest.mark.parametrize("note", ["", "{", "{}", '{"pid": "x", "created": 1}', '{"pid": 4194304, "created": 1}'])
def test_a_note_that_tells_nothing_is_no_orphan(tmp_path: Path, note: str) -> None:
    (tmp_path / "label.json").write_text(note)
    end_orphan(tmp_path / "label.json")
