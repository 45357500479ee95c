"""`python -m scoring.engine.bench`: how many articles a second, and how long one waits. Prints one JSON object.

Without --url it starts a scoring process of its own on a free loopback port and ends it afterwards. The texts are made
up, all different (so none is answered from memory), and as long as --words says. It stops at --requests or --seconds.
"""

import argparse
import hashlib
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from scoring.engine.base import EngineDown, EngineError
from scoring.engine.client import EngineClient

START_SECONDS = 20
_SYLLABLES = [a + b for a in "bdfgklmnprst" for b in ("an", "er", "il", "os", "um")]


@dataclass(frozen=True)
class Load:
    """What is asked: `requests` of `batch` texts each, `clients` at a time, for `seconds` at most."""

    model: str
    manifest_sha256: str
    requests: int
    seconds: float
    clients: int
    batch: int
    words: int


def measure(engine: EngineClient, load: Load) -> dict[str, Any]:
    """Articles a second over the whole time, and percentiles of a request's latency in milliseconds."""
    ask = partial(engine.score, model=load.model, manifest_sha256=load.manifest_sha256)
    batches = [[prose(f"{number} {place}", load.words) for place in range(load.batch)] for number in range(load.requests)]
    ask(texts=[prose("warm-up", load.words)])  # loads the student
    waiting: SimpleQueue[list[str]] = SimpleQueue()
    for batch in batches:
        waiting.put(batch)
    start = time.monotonic()
    with ThreadPoolExecutor(load.clients) as pool:
        clients = [pool.submit(_client, ask, waiting, start + load.seconds) for _ in range(load.clients)]
        latencies = [taken for client in clients for taken in client.result()]
    return _figures(load, latencies, time.monotonic() - start) | {"rss_mb": engine.health()["rss_mb"]}


def _client(ask: Callable[..., Any], waiting: "SimpleQueue[list[str]]", until: float) -> list[float]:
    """Seconds of each request that this client sent, one after the other."""
    taken = []
    while time.monotonic() < until:
        try:
            batch = waiting.get_nowait()
        except Empty:
            break
        start = time.monotonic()
        ask(texts=batch)
        taken.append(time.monotonic() - start)
    return taken


def _figures(load: Load, latencies: list[float], seconds: float) -> dict[str, Any]:
    p50, p95 = np.percentile(latencies, [50, 95]) * 1000
    return {
        "model": load.model,
        "clients": load.clients,
        "batch": load.batch,
        "words": load.words,
        "requests": len(latencies),
        "articles": len(latencies) * load.batch,
        "seconds": round(seconds, 3),
        "articles_per_second": round(len(latencies) * load.batch / seconds, 1),
        "latency_ms": {"p50": round(float(p50), 2), "p95": round(float(p95), 2)},
    }


def prose(seed: str, words: int) -> str:
    """Text that no other seed gives."""
    source = random.Random(seed)  # noqa: S311
    return " ".join("".join(source.choices(_SYLLABLES, k=source.randint(1, 4))) for _ in range(words))


@contextmanager
def own_engine(models: Path, bases: Path | None) -> Iterator[EngineClient]:
    """A scoring process that lives as long as the block."""
    token, port = secrets.token_urlsafe(24), _free_port()
    command = [sys.executable, "-m", "scoring.engine", "--models", str(models), "--port", str(port)]
    command += ["--bases", str(bases)] if bases else []
    child = subprocess.Popen(command, env={**os.environ, "ENGINE_TOKEN": token}, stdout=subprocess.DEVNULL)
    try:
        with EngineClient(f"http://127.0.0.1:{port}", token) as engine:
            _await(engine, child)
            yield engine
    finally:
        child.terminate()
        child.wait()


def _await(engine: EngineClient, child: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        try:
            engine.health()
        except EngineDown:
            time.sleep(0.1)
        else:
            return
    raise EngineDown("The scoring process did not start.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_loopback(url: str) -> bool:
    """A load test is for one's own machine."""
    host = urlsplit(url).hostname or ""
    try:
        return url.startswith("unix:") or host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scoring.engine.bench", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder that holds name/v1/…")
    parser.add_argument("--bases", type=Path, help="folder of the base models")
    parser.add_argument("--model", required=True, help="the version to ask, such as news-ridge/v1")
    parser.add_argument("--url", help="a running scoring process on this machine (its ENGINE_TOKEN in the environment)")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8, help="articles in one request")
    parser.add_argument("--words", type=int, default=400)
    return parser.parse_args()


def main() -> None:
    asked = _arguments()
    if asked.url and not is_loopback(asked.url):
        sys.exit(f"{asked.url} is not on this machine; a load test is for one's own.")
    manifest = asked.models / asked.model / "manifest.json"
    if not manifest.is_file():
        sys.exit(f"There is no model at {manifest.parent}.")
    sha = hashlib.sha256(manifest.read_bytes()).hexdigest()
    load = Load(asked.model, sha, asked.requests, asked.seconds, asked.clients, asked.batch, asked.words)
    token = os.environ.get("ENGINE_TOKEN", "")
    try:
        with EngineClient(asked.url, token) if asked.url else own_engine(asked.models, asked.bases) as engine:
            print(json.dumps(measure(engine, load)))
    except EngineError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
