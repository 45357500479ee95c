"""The server: one port for all three APIs, in a thread of a test or as a process of its own."""

import asyncio
import json
import threading
import traceback
from functools import partial
from typing import Any

from tests.fakes.vendor.anthropic import Anthropic
from tests.fakes.vendor.control import control
from tests.fakes.vendor.core import Api, Core, Refused
from tests.fakes.vendor.gemini import Gemini
from tests.fakes.vendor.http import Connection, Reply, Request, note_what_was_read
from tests.fakes.vendor.ledger import Entry
from tests.fakes.vendor.openai import OpenAI
from tests.fakes.vendor.state import Fault, State


class FakeVendor:
    """`with FakeVendor() as server:` serves at `server.url` until the block ends."""

    def __init__(self, port: int = 0):
        self.state = State()
        self.core = Core(self.state)
        self.apis: dict[str, Api] = {api.name: api for api in (Anthropic(self.core), Gemini(self.core), OpenAI(self.core))}
        self.port = port
        self._connections: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Each accepted request for an article, in its API's own JSON."""
        return self.state.journal

    @property
    def ledger(self) -> list[Entry]:
        note_what_was_read(self._connections)
        return self.state.ledger

    def fault(self, name: str, times: int | None = 1, **how: Any) -> None:
        self.state.faults.append(Fault(name, times=times, **how))

    def __enter__(self) -> "FakeVendor":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        connect = partial(Connection, self._answer, self._connections)
        self._server = await loop.create_server(connect, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _answer(self, request: Request) -> Reply:
        if request.path.startswith("/_control"):
            note_what_was_read(self._connections)
            return control(self.state, request)
        api = self.apis[spoken(request)]
        try:
            for method, path, handler in api.routes:
                if method == request.method and (found := path.fullmatch(request.path)):
                    return await handler(request, found)
            raise Refused("404", f"no such path: {request.method} {request.path}")
        except Refused as refused:
            return self._refuse(api, refused)
        except Exception as error:  # the fake itself is wrong: say so instead of hanging
            traceback.print_exc()
            return Reply(501, json.dumps({"error": {"message": f"The fake vendor broke: {error!r}"}}).encode())

    def _refuse(self, api: Api, refused: Refused) -> Reply:
        request_id = f"req_{self.core.new_id()}"
        self.state.counts[f"refused {refused.name}"] += 1
        reply = api.error(refused.name, refused.message, request_id, refused.retry_after)
        reply.headers |= api.headers(request_id, self.state.limits)
        return reply


def spoken(request: Request) -> str:
    """Which API is meant: some paths belong to more than one."""
    if request.path.startswith("/v1/messages") or "anthropic-version" in request.headers:
        return "anthropic"
    if "x-goog-api-key" in request.headers or request.path.startswith(("/v1beta/", "/upload/")) or ":" in request.path:
        return "gemini"
    return "openai"
