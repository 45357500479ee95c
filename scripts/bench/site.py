"""A Distillery of its own for a benchmark: real Postgres and Valkey, real workers and a clock, kept by `manage.py up`."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 300
SERVICES = ("DATABASE_URL", "REDIS_URL", "ENGINE_URL", "ENGINE_TOKEN")


class Site:
    """After `begin`, this process uses the site's own tables too: import models only then."""

    programs = "label,default,beat"

    def __init__(self, vendor: str, key: str, **settings: str):
        self.var = Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))  # noqa: S108 (sockets need a short path)
        self.var.chmod(0o755)
        own = {"DISTILLERY_VAR": str(self.var), "ANTHROPIC_BASE_URL": vendor, "ANTHROPIC_API_KEY": key}
        self.env = {name: value for name, value in os.environ.items() if name not in SERVICES} | own | settings
        self.log = (self.var / "up.log").open("w")
        self.peak_mb: dict[int, float] = {}  # by worker: each that was killed has its own

    def begin(self) -> None:
        command = [sys.executable, "manage.py", "up", "--only", self.programs]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=self.log, stderr=self.log)
        until(lambda: "Distillery is up" in self.said(), START_SECONDS, self.said)
        for name in SERVICES:
            os.environ.pop(name, None)
        os.environ.update(self.env, DJANGO_SETTINGS_MODULE="distillery_site.settings")
        import django

        django.setup()

    def said(self) -> str:
        return (self.var / "up.log").read_text()[-4000:]

    def end(self) -> None:
        from django.apps import apps
        from django.db import connections

        if apps.ready:  # it may not have come up
            connections.close_all()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()
        self.clear()

    def clear(self) -> None:
        shutil.rmtree(self.var, ignore_errors=True)

    # Its processes

    def worker(self) -> psutil.Process | None:
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            return psutil.Process(json.loads((self.var / "run" / "label.json").read_text())["pid"])
        return None

    def kill(self, what: str) -> int | None:
        """kill -9 the "worker", "valkey" or "postgres", by its process id; None where it is down already."""
        process = {"worker": self.worker, "valkey": self._valkey, "postgres": self._postgres}[what]()
        if process is None:
            return None
        process.kill()
        return int(process.pid)

    def _valkey(self) -> psutil.Process | None:
        from distillery_site.embedded.valkey import Valkey

        return Valkey(self._home(), 0, "").process()

    def _postgres(self) -> psutil.Process | None:
        from distillery_site.embedded.postgres import Postgres

        return Postgres(self._home()).process()

    def _home(self) -> Any:
        from distillery_site import local

        return local.home_of(self.var)

    def cpu_seconds(self) -> float:
        """User and system time of the label worker that runs now."""
        worker = self.worker()
        if worker is None:
            return 0.0
        times = worker.cpu_times()
        return float(times.user + times.system)

    def look_at_memory(self) -> float:
        """Resident memory of the worker in MB; its peak, which the kernel keeps, is noted."""
        worker = self.worker()
        if worker is None:
            return 0.0
        with contextlib.suppress(OSError, psutil.Error):
            lines = Path(f"/proc/{worker.pid}/status").read_text().splitlines()
            peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
            self.peak_mb[worker.pid] = peak / 1024
            return float(worker.memory_info().rss / 2**20)
        return 0.0


def until(true: Callable[[], bool], seconds: float, why: Callable[[], str]) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise SystemExit(f"Nothing happened within {seconds:.0f} s. {why()}")
        time.sleep(0.2)


@contextlib.contextmanager
def site(vendor: str, key: str, **settings: str) -> Iterator[Site]:
    place = Site(vendor, key, **settings)
    try:
        place.begin()
        yield place
    finally:
        place.end()
