"""The engine from another process, over HTTP."""

import json
from typing import Any, Self

import httpx2
import numpy as np

from scoring.engine.base import KINDS, EngineDown, EngineError, Overloaded, Score

_DROPPED = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)


class EngineClient:
    """Keeps its connections; safe to share between threads, but not across a fork.

    `url` is http://host:port, or unix:/path/to.sock; `timeout` is in seconds, for one request.
    """

    def __init__(self, url: str, token: str, timeout: float = 60.0):
        self.url, self.timeout = url, timeout
        path = url.removeprefix("unix:")
        transport = httpx2.HTTPTransport(uds=path) if path != url else None
        self._http = httpx2.Client(
            base_url="http://engine" if transport else url,
            transport=transport,
            trust_env=False,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx2.Timeout(timeout, connect=3.0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def score(self, *, model: str, manifest_sha256: str, texts: list[str]) -> Score:
        answer = self._ask("POST", "/score", {"model": model, "manifest_sha256": manifest_sha256, "texts": texts})
        raw = np.array(answer["raw"], dtype=np.float64)
        return Score(answer["model"], answer["manifest_sha256"], answer["outputs"], raw, answer["seconds"], answer["cached"])

    def health(self) -> dict[str, Any]:
        return self._ask("GET", "/health")

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        content = None if body is None else json.dumps(body).encode()
        try:
            try:
                response = self._http.request(method, path, content=content)
            except _DROPPED:  # a kept connection to a process that was restarted since; asking twice changes nothing
                response = self._http.request(method, path, content=content)
        except httpx2.ReadTimeout as error:
            raise EngineDown(f"The scoring process at {self.url} did not answer within {self.timeout:g} s.") from error
        except httpx2.TransportError as error:
            raise EngineDown(f"The scoring process does not answer at {self.url}; start it with manage.py up.") from error
        return response.json() if response.is_success else self._raise(response)

    def _raise(self, response: httpx2.Response) -> dict[str, Any]:
        try:
            told = response.json()["error"]
            kind, message = KINDS[told["code"]], told["message"]
        except (ValueError, KeyError, TypeError) as error:
            raise EngineError(f"What answers at {self.url} (HTTP {response.status_code}) is not the scoring process.") from error
        if kind is Overloaded:
            raise Overloaded(message, float(response.headers.get("Retry-After", 1)))
        raise kind(message)
