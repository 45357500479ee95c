"""Services for one machine: with no DATABASE_URL or REDIS_URL, a command starts what it needs under var/local.

Settings ask for the addresses while they load, so these are settled before anything runs: the database's is a
unix socket named after the checkout, the others are loopback ports written down on first use.
"""

import fcntl
import hashlib
import os
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn
from urllib.parse import quote

from distillery_site.embedded.home import Home, LocalError, find_home, writing
from distillery_site.embedded.postgres import DATABASE, PORT, Postgres
from distillery_site.embedded.valkey import PortTaken, Valkey

# Below the range from which Linux and macOS lend ports to outgoing connections.
FIRST_PORT, PORTS = 20_000, 10_000
WITHOUT_SERVICES = {"help", "version", "doctor", "fetch_base", "collectstatic", "makemigrations", "compilemessages", "startapp"}

_unkept: dict[Path, str] = {}


def checkout_id(var: Path) -> str:
    """Eight hex digits that tell this checkout's sockets, cookies and ports from its neighbours'."""
    return hashlib.sha256(str(var).encode()).hexdigest()[:8]


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The line in `path`, made on first use and readable by its owner only.

    Where it can't be kept, the value serves this process alone, so that --help still works; `check_kept` complains.
    """
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        value = make()
    except OSError as error:
        _unkept[path] = f"{path} can't be read ({error.strerror})"
        return make()
    try:
        return _keep(path, value)
    except OSError as error:
        _unkept[path] = f"{path.parent} can't be written ({error.strerror})"
        return value


def _keep(path: Path, value: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as draft:
        draft.write(value)
        draft.flush()
        try:
            os.link(draft.name, path)  # whole or not at all; the first of two processes wins
        except FileExistsError:
            return path.read_text().strip()
    return value


def check_kept() -> None:
    """Raise a sentence when a secret or a port could not be kept."""
    for problem in _unkept.values():
        raise LocalError(f"{problem}: set DISTILLERY_VAR to a folder that this account can write.")


def database_url(var: Path) -> str:
    return f"postgres://{DATABASE}@{quote(str(sockets(var)), safe='')}:{PORT}/{DATABASE}"


def redis_url(var: Path) -> str:
    return f"redis://:{_password(var)}@127.0.0.1:{kept_port(var, 'redis')}/0"


def engine_url(var: Path) -> str:
    return f"http://127.0.0.1:{kept_port(var, 'engine')}"


def sockets(var: Path) -> Path:
    """Short and the same for every process: socket paths end at about 100 characters, and TMPDIR varies."""
    return Path("/tmp") / f"distillery-{checkout_id(var)}"  # noqa: S108 (the owner is checked before use)


def _password(var: Path) -> str:
    return kept_secret(var / "local" / "redis.password", lambda: secrets.token_hex(24))


def kept_port(var: Path, name: str) -> int:
    return int(kept_secret(var / "local" / f"{name}.port", lambda: str(free_port(var, name))))


def move_port(var: Path, name: str) -> None:
    """Somebody else took the port: write another one down."""
    port = free_port(var, name)
    draft = var / "local" / f"{name}.port.draft"
    draft.write_text(str(port))
    draft.replace(draft.with_suffix(""))


def free_port(var: Path, name: str) -> int:
    start = int(hashlib.sha256(f"{var} {name}".encode()).hexdigest(), 16) % PORTS
    for step in range(PORTS):
        port = FIRST_PORT + (start + step) % PORTS
        if port_is_free(port):
            return port
    raise LocalError(f"No port between {FIRST_PORT} and {FIRST_PORT + PORTS} is free.")


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def needs_services(argv: Sequence[str]) -> bool:
    """Whether this command line of manage.py talks to the database or the queue."""
    words = list(argv[1:])
    return bool(words) and words[0] not in WITHOUT_SERVICES and not {"-h", "--help", "--version"} & set(words)


@contextmanager
def services_for(argv: Sequence[str]) -> Iterator[None]:
    """Run the embedded services while a command of manage.py runs that needs them."""
    if not needs_services(argv):
        yield
        return
    from django.conf import settings  # here, for settings import this module

    wanted = (settings.VAR, settings.EMBEDDED_POSTGRES, settings.EMBEDDED_VALKEY)  # read now: settings load late
    check_kept()
    with _terminable(), running(*wanted) as moved:
        if moved:
            run_again()
        yield


@contextmanager
def running(var: Path, postgres: bool = True, valkey: bool = True, options: Sequence[str] = ()) -> Iterator[bool]:
    """Embedded services for as long as anybody uses them: the last one out stops them.

    Yields True when Valkey had to move to another port, which settings read earlier don't know. `options` are
    Postgres settings ("fsync=off") for a server that isn't running yet.
    """
    if not postgres and not valkey:
        yield False
        return
    with _lock_file(var, "users.lock") as users:
        _lock(users, fcntl.LOCK_SH)
        try:
            yield start(var, postgres, valkey, options)
        finally:
            if _try_lock(users):
                stop(var)


def start(var: Path, postgres: bool = True, valkey: bool = True, options: Sequence[str] = ()) -> bool:
    """Start what doesn't run yet; True when Valkey had to move to another port."""
    moved = False
    with _lock_file(var, "start.lock") as starting:
        _lock(starting, fcntl.LOCK_EX)
        home = make_home(var)
        if postgres:
            Postgres(home, options).start()
        while valkey:
            try:
                _valkey(var, home).start()
                break
            except PortTaken:
                move_port(var, "redis")
                moved = True
    return moved


def stop(var: Path) -> None:
    home = home_of(var)
    _valkey(var, home).stop()
    Postgres(home).stop()


def is_running(var: Path, postgres: bool = True, valkey: bool = True) -> bool:
    home = home_of(var)
    return (not postgres or Postgres(home).ready()) and (not valkey or _valkey(var, home).ready())


def _valkey(var: Path, home: Home) -> Valkey:
    return Valkey(home, kept_port(var, "redis"), _password(var))


def home_of(var: Path) -> Home:
    from django.conf import settings  # here, for settings import this module

    return find_home(var / "local", sockets(var), settings.SERVICE_USER)


def make_home(var: Path) -> Home:
    home = home_of(var)
    if home.account and home.folder != var / "local" and not home.folder.exists():
        print(f"{home.account.pw_name} can't enter {var}, so the databases go to {home.folder}.", file=sys.stderr)
    with writing(home.folder):
        home.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    return home


def run_again() -> NoReturn:
    """Replace this process by the same command line, which then reads the new ports."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 (our own command line)


@contextmanager
def _lock_file(var: Path, name: str) -> Iterator[IO[str]]:
    path = var / "local" / name
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
    with handle:
        yield handle


def _lock(handle: IO[str], kind: int, patience: float = 90) -> None:
    deadline = time.monotonic() + patience
    while not _try_lock(handle, kind):
        if time.monotonic() > deadline:
            raise LocalError(f"Another command has held {handle.name} for {patience:.0f} seconds: wait for it, or end it.")
        time.sleep(0.05)


def _try_lock(handle: IO[str], kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end a command the way Ctrl-C does, with everything put away."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
