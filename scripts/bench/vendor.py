"""The fake vendor in a process of its own, told what to do and read through its control address."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

from scripts.bench.site import ROOT, until


class Vendor:
    def __init__(self, port: int):
        self.url = f"http://127.0.0.1:{port}"

    def set(self, **wanted: Any) -> None:
        self._fetch("/_control", json.dumps(wanted).encode())

    def figures(self) -> dict[str, Any]:
        return dict(json.loads(self._fetch("/_control")))

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._fetch("/_control/ledger").splitlines()]

    def times(self) -> list[float]:
        """When each request was accepted."""
        return list(json.loads(self._fetch("/_control/times")))

    def is_up(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(self.figures())
        return False

    def _fetch(self, path: str, data: bytes | None = None) -> bytes:
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data=data), timeout=60) as answer:  # noqa: S310
            return bytes(answer.read())


@contextlib.contextmanager
def vendor() -> Iterator[Vendor]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.fakes.vendor", "--port", str(port), "--no-journal"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        running = Vendor(port)
        until(running.is_up, 30, lambda: "The fake vendor did not start.")
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
