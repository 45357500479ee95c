"""A Distillery of its own with pages, whose web process notes how long each request took and can be killed."""

import contextlib
import json
import os
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from scripts.bench.site import SERVICES, Site


class Served(NamedTuple):
    """A request as the web process saw it; `ms` from its first byte read to the answer's last byte written."""

    method: str
    path: str
    status: int
    ms: float


class Newsroom(Site):
    programs = "web"

    def __init__(self, folder: Path | None = None):
        super().__init__("", "")
        self.kept = folder is not None
        if folder is not None:
            self.log.close()
            self.clear()
            self.var = folder
            self.log = (folder / "bench.log").open("w")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.served = self.var / "served.log"
        self.env = {name: value for name, value in os.environ.items() if name not in SERVICES}
        notes = f"--access-logfile {self.served} --access-logformat '%(m)s %(U)s %(s)s %(D)s'"
        self.env |= {"DISTILLERY_VAR": str(self.var), "PORT": str(self.port), "GUNICORN_CMD_ARGS": notes}

    def requests(self) -> list[Served]:
        """Those that were answered so far, in order."""
        found = (line.split() for line in self.served.read_text().splitlines()) if self.served.exists() else ()
        return [Served(method, path, int(status), int(us) / 1000) for method, path, status, us in found]

    def web(self) -> psutil.Process | None:
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            return psutil.Process(json.loads((self.var / "run" / "web.json").read_text())["pid"])
        return None

    def cpu_seconds(self) -> float:
        """User and system time of the web process that runs now, with its children's."""
        master = self.web()
        times = [one.cpu_times() for one in [master, *master.children(recursive=True)]] if master else []
        return float(sum(one.user + one.system for one in times))

    def kill_web(self) -> list[int]:
        """kill -9 the web process and its children at one moment, in the middle of what they do; their ids."""
        master = self.web()
        if master is None:
            return []
        family = [master, *master.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return [process.pid for process in family]

    def answers(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
        return False

    def clear(self) -> None:
        if not getattr(self, "kept", False):
            super().clear()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def newsroom(folder: Path | None = None) -> Iterator[Newsroom]:
    place = Newsroom(folder)
    try:
        place.begin()
        yield place
    finally:
        place.end()
