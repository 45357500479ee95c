"""Just enough HTTP/1.1 for SDKs: keep-alive, bodies by length or in chunks, and who has read what was sent."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fakes.vendor.ledger import Entry

PHRASES = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}
JSON = "application/json"
TCP_TABLE = Path("/proc/net/tcp")


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """`entries` are the billed requests that this reply delivers.

    drop: "before" closes the connection instead of answering, "middle" after half of the body.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    drop: str = ""
    stream: AsyncIterator[bytes] | None = None

    @property
    def head(self) -> bytes:
        length = {"transfer-encoding": "chunked"} if self.stream else {"content-length": str(len(self.body))}
        lines = {"content-type": JSON, **length, **self.headers}
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"HTTP/1.1 {self.status} {PHRASES.get(self.status, 'Said')}\r\n{text}\r\n".encode()


class Malformed(Exception):
    """Bytes that are no request."""


class Connection(asyncio.Protocol):
    """One client's connection; requests on it are answered one after the other."""

    def __init__(self, answer: Callable[[Request], Awaitable[Reply]], open_ones: set["Connection"]):
        self._answer = answer
        self._data = bytearray()
        self._unread: list[Entry] = []  # sent, and not yet known to be read
        self._task: asyncio.Task[None] | None = None
        self._open = open_ones
        self._flowing = asyncio.Event()
        self._flowing.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._socket: socket.socket = transport.get_extra_info("socket")
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(self)

    def data_received(self, data: bytes) -> None:
        self._settle(True)  # who asks the next thing has read the last
        self._data += data
        self._next()

    def eof_received(self) -> None:
        """A peer that went before our bytes reached it leaves an error on the socket, though the end reads as clean."""
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._settle(error == 0 and self.transport.get_write_buffer_size() == 0)

    def connection_lost(self, exc: Exception | None) -> None:
        """A peer that dies with bytes unread resets the connection."""
        self._settle(False)
        self._open.discard(self)
        self._flowing.set()
        if self._task:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._flowing.clear()

    def resume_writing(self) -> None:
        self._flowing.set()

    @property
    def ports(self) -> tuple[int, int]:
        """(the client's, ours)"""
        return self.transport.get_extra_info("peername")[1], self.transport.get_extra_info("sockname")[1]

    def has_unread(self) -> bool:
        return bool(self._unread) and self.transport.get_write_buffer_size() == 0

    def was_read(self) -> None:
        self._settle(True)

    def _settle(self, delivered: bool) -> None:
        for entry in self._unread:
            entry.delivered = delivered
        self._unread = []

    def _next(self) -> None:
        if self._task is not None:
            return
        try:
            request = take_request(self._data)
        except Malformed:
            self.transport.abort()
            return
        if request is not None:
            self._task = asyncio.ensure_future(self._serve(request))

    async def _serve(self, request: Request) -> None:
        reply = await self._answer(request)
        await self._send(reply)
        self._task = None
        self._next()

    async def _send(self, reply: Reply) -> None:
        if reply.stream and reply.drop != "before":
            await self._stream(reply.head, reply.stream)
        if reply.drop:
            self._drop(reply)
        elif reply.stream:
            self.transport.write(b"0\r\n\r\n")
        else:
            for entry in reply.entries:
                entry.sent_at = time.time()
            self._unread += reply.entries
            self.transport.write(reply.head + reply.body)

    async def _stream(self, head: bytes, pieces: AsyncIterator[bytes]) -> None:
        self.transport.write(head)
        async for piece in pieces:
            await self._flowing.wait()
            self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def _drop(self, reply: Reply) -> None:
        for entry in reply.entries:
            entry.delivered = False
        if reply.drop == "middle" and not reply.stream:
            self.transport.write(reply.head + reply.body[: len(reply.body) // 2])
        self.transport.close()


def note_what_was_read(connections: set[Connection]) -> None:
    """Replies on connections that are still open: the kernel knows whether the client has fetched them."""
    waiting = {connection.ports: connection for connection in list(connections) if connection.has_unread()}
    if not waiting or not TCP_TABLE.exists():
        return
    for line in TCP_TABLE.read_text().splitlines()[1:]:
        local, remote, _, queues = line.split()[1:5]
        ports = int(local.partition(":")[2], 16), int(remote.partition(":")[2], 16)
        if ports in waiting and int(queues.partition(":")[2], 16) == 0:
            waiting[ports].was_read()


def take_request(data: bytearray) -> Request | None:
    """The first whole request, taken out of `data`; None while some of it is still to come."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = bytes(data[:end]).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    taken = _in_chunks(data, end + 4) if "chunked" in headers.get("transfer-encoding", "") else _by_length(data, end + 4, headers)
    if taken is None:
        return None
    body, stop = taken
    del data[:stop]
    try:
        method, target, _ = first.split(" ")
    except ValueError:
        raise Malformed from None
    parts = urlsplit(target)
    return Request(method, unquote(parts.path), dict(parse_qsl(parts.query)), headers, body)


def _by_length(data: bytearray, start: int, headers: dict[str, str]) -> tuple[bytes, int] | None:
    stop = start + int(headers.get("content-length", 0))
    return (bytes(data[start:stop]), stop) if len(data) >= stop else None


def _in_chunks(data: bytearray, start: int) -> tuple[bytes, int] | None:
    pieces = []
    while (end := data.find(b"\r\n", start)) >= 0:
        size = int(data[start:end].split(b";")[0], 16)
        if len(data) < end + 2 + size + 2:
            return None
        if size == 0:
            return b"".join(pieces), end + 4
        pieces.append(bytes(data[end + 2 : end + 2 + size]))
        start = end + 2 + size + 2
    return None
