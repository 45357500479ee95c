"""A server on loopback that speaks Anthropic's Messages protocol, strictly, with faults on demand.

Its scores come from the article's words alone, so they are the same each time and a student can learn them.
By itself: `python -m tests.fakes.anthropic_server --port 9100`, then ANTHROPIC_BASE_URL=http://127.0.0.1:9100.
"""

import argparse
import hashlib
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "test-key"
MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")
KNOWN = {"model", "max_tokens", "messages", "system", "output_config", "thinking", "metadata", "service_tier", "stream"}
GONE = ("temperature", "top_p", "top_k")


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request. `marker`: only for a request whose article holds this text."""

    name: str
    marker: str = ""
    retry_after: str = ""
    category: str = "cyber"
    seconds: float = 0.0


@dataclass
class State:
    faults: deque[Fault] = field(default_factory=deque)
    journal: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    seconds: float = 0.0  # how long each answer takes
    busy: int = 0
    most_busy: int = 0

    def next_fault(self, article: str) -> Fault | None:
        with self.lock:
            found = next((fault for fault in self.faults if fault.marker in article), None)
            if found is not None:
                self.faults.remove(found)
            return found


class Refused(Exception):
    def __init__(self, status: int, kind: str, message: str, code: str = ""):
        super().__init__(message)
        details = {"details": {"error_code": code}} if code else {}
        self.status, self.body = status, {"type": "error", "error": {"type": kind, "message": message, **details}}


class FakeAnthropic:
    """`with FakeAnthropic() as server:` serves at `server.url` until the block ends."""

    def __init__(self, port: int = 0):
        self.state = State()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"state": self.state}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def calls(self) -> list[dict[str, Any]]:
        return self.state.journal

    def fault(self, name: str, times: int = 1, **how: Any) -> None:
        self.state.faults.extend(Fault(name, **how) for _ in range(times))

    def __enter__(self) -> "FakeAnthropic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: State
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        routes: dict[str, Callable[[dict[str, Any]], None]] = {
            "/v1/messages": self._message,
            "/v1/messages/count_tokens": self._count,
        }
        try:
            if self.path not in routes:
                raise Refused(404, "not_found_error", f"no such path: {self.path}")
            self._check_headers()
            routes[self.path](json.loads(body))
        except Refused as refused:
            self._send(refused.status, json.dumps(refused.body))

    def _check_headers(self) -> None:
        given = self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")
        if given != KEY:
            raise Refused(401, "authentication_error", "invalid api key")
        if not self.headers.get("anthropic-version"):
            raise Refused(400, "invalid_request_error", "anthropic-version: header is required")

    def _count(self, request: dict[str, Any]) -> None:
        self._send(200, json.dumps({"input_tokens": _tokens(json.dumps(request["messages"]))}))

    def _message(self, request: dict[str, Any]) -> None:
        check(request)
        article = request["messages"][-1]["content"]
        with self.state.lock:
            self.state.journal.append(request)
            self.state.busy += 1
            self.state.most_busy = max(self.state.busy, self.state.most_busy)
        try:
            time.sleep(self.state.seconds)
            self._answer(request, article, self.state.next_fault(article))
        finally:
            with self.state.lock:
                self.state.busy -= 1

    def _answer(self, request: dict[str, Any], article: str, fault: Fault | None) -> None:
        message = reply(request, article)
        if fault is None:
            return self._send(200, json.dumps(message))
        if fault.name in STATUSES:
            status, kind, code = STATUSES[fault.name]
            refused = Refused(status, kind, f"scripted {fault.name}", code)
            return self._send(status, json.dumps(refused.body), {"retry-after": fault.retry_after} if fault.retry_after else {})
        if fault.name == "html":
            return self._send(200, "<html><body>Please log in to the hotel network</body></html>", {"content-type": "text/html"})
        if fault.name == "other_json":
            return self._send(200, '{"status": "ok"}')
        if fault.name == "truncated_json":
            return self._send(200, json.dumps(message)[:80])
        if fault.name == "drop":
            return self._drop()
        if fault.name == "hang":
            time.sleep(fault.seconds)
        return self._send(200, json.dumps(SPOILED.get(fault.name, _as_it_is)(message, fault)))

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        data = text.encode()
        self.send_response(status)
        head = {"content-type": "application/json", "content-length": str(len(data)), "request-id": f"req_{id(self):x}"}
        for name, value in {**head, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


STATUSES = {
    "400": (400, "invalid_request_error", ""),
    "401": (401, "authentication_error", ""),
    "402": (402, "billing_error", ""),
    "413": (413, "request_too_large", ""),
    "429": (429, "rate_limit_error", ""),
    "500": (500, "api_error", ""),
    "529": (529, "overloaded_error", ""),
    "spend_limit": (429, "rate_limit_error", "enforced_spend_limit_reached"),
}


def check(request: dict[str, Any]) -> None:
    """Refuse what the real API refuses."""
    if gone := [name for name in GONE if name in request]:
        raise Refused(400, "invalid_request_error", f"{gone[0]}: this parameter is no longer supported")
    if unknown := sorted(set(request) - KNOWN):
        raise Refused(400, "invalid_request_error", f"{unknown[0]}: extra inputs are not permitted")
    if request.get("model") not in MODELS:
        raise Refused(404, "not_found_error", f"model: {request.get('model')}")
    if not isinstance(request.get("max_tokens"), int) or not request.get("messages"):
        raise Refused(400, "invalid_request_error", "max_tokens and messages are required")
    if request["messages"][-1]["role"] != "user":
        raise Refused(400, "invalid_request_error", "the conversation must end with a user message")
    if request["output_config"]["format"]["type"] != "json_schema":
        raise Refused(400, "invalid_request_error", "output_config.format.type: must be json_schema")


def reply(request: dict[str, Any], article: str) -> dict[str, Any]:
    keys = request["output_config"]["format"]["schema"]["properties"]["scores"]["required"]
    scores = {key: score(key, article) for key in keys}
    answer = json.dumps({"reasoning": f"Judged by {len(article.split())} words.", "scores": scores})
    usage = {"input_tokens": _tokens(request["system"] + article), "output_tokens": _tokens(answer) + 60}
    content = [{"type": "thinking", "thinking": "…", "signature": "x"}, {"type": "text", "text": answer}]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }


def score(key: str, article: str) -> float:
    """0–10 in halves: how many of the words belong to this key (about one in eight does)."""
    words = [word.strip(".,").lower() for word in article.split()]
    own = sum(hashlib.sha256(f"{key}:{word}".encode()).digest()[0] < 32 for word in words)
    return min(10.0, round(40 * own / max(1, len(words))) / 2)


def _tokens(text: str) -> int:
    return len(text) // 4


def _as_it_is(message: dict[str, Any], fault: Fault) -> dict[str, Any]:
    return message


def _refusal(message: dict[str, Any], fault: Fault) -> dict[str, Any]:
    details = {"type": "refusal", "category": fault.category, "explanation": "scripted"}
    return {**message, "content": [], "stop_reason": "refusal", "stop_details": details}


def _max_tokens(message: dict[str, Any], fault: Fault) -> dict[str, Any]:
    return _with_text(message, message["content"][1]["text"][:30], stop_reason="max_tokens")


def _missing_dimension(message: dict[str, Any], fault: Fault) -> dict[str, Any]:
    answer = json.loads(message["content"][1]["text"])
    answer["scores"].popitem()
    return _with_text(message, json.dumps(answer))


def _out_of_range(message: dict[str, Any], fault: Fault) -> dict[str, Any]:
    answer = json.loads(message["content"][1]["text"])
    answer["scores"][next(iter(answer["scores"]))] = 11
    return _with_text(message, json.dumps(answer))


def _with_text(message: dict[str, Any], text: str, **changes: Any) -> dict[str, Any]:
    return {**message, "content": [message["content"][0], {"type": "text", "text": text}], **changes}


SPOILED = {"refusal": _refusal, "max_tokens": _max_tokens, "missing_dimension": _missing_dimension, "out_of_range": _out_of_range}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9100)
    with FakeAnthropic(parser.parse_args().port) as server:
        print(f"ANTHROPIC_BASE_URL={server.url} ANTHROPIC_API_KEY={KEY}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
