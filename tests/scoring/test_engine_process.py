"""The scoring process as it really runs: a child with a real student, ended, restarted and misused."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scoring.engine.base import BrokenModel, EngineDown
from scoring.engine.bench import is_loopback
from scoring.engine.client import EngineClient
from tests.training.world import prose
from training.student import artifact
from training.student.__main__ import main as student
from training.student.data import Corpus, Example, Output, write_corpus

TOKEN = "a token for the tests"
REF = "wells-ridge/v1"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one real ridge that learned to count the good word."""
    root = tmp_path_factory.mktemp("models")
    rows = [Example(str(n), prose(n, n % 11), (float(n % 11),), "val" if n % 5 == 0 else "train") for n in range(60)]
    write_corpus(root / ".data", Corpus("wells", "f" * 64, (Output("uplifting", 1, "impact"),), {}, {}, tuple(rows)))
    assert student(["fit", "--kind", "ridge", "--data", str(root / ".data"), "--out", str(root / REF)], lambda *a, **b: None) == 0
    return root


@pytest.fixture(scope="module")
def sha(shelf: Path) -> str:
    return hashlib.sha256((shelf / REF / "manifest.json").read_bytes()).hexdigest()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(*arguments: object, token: str = TOKEN) -> subprocess.Popen:
    command = [sys.executable, "-m", "scoring.engine", *map(str, arguments)]
    env = {**os.environ, "ENGINE_TOKEN": token}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def started(*arguments: object) -> subprocess.Popen:
    child = start(*arguments)
    assert "serves" in child.stdout.readline(), child.stderr.read()
    return child


@pytest.fixture
def engine(shelf: Path, port: int) -> Iterator[subprocess.Popen]:
    child = started("--models", shelf, "--port", port)
    yield child
    child.kill()
    child.wait()


@pytest.fixture
def client(engine: subprocess.Popen, port: int) -> Iterator[EngineClient]:
    with EngineClient(f"http://127.0.0.1:{port}", TOKEN, timeout=30) as client:
        wait_for(client)
        yield client


def wait_for(client: EngineClient) -> None:
    for _ in range(100):
        try:
            client.health()
        except EngineDown:
            time.sleep(0.1)
        else:
            return


def test_it_scores_as_the_student_does_from_disk(client, shelf, sha):
    texts = [prose(n, n) for n in (1, 9, 4)]
    scored = client.score(model=REF, manifest_sha256=sha, texts=texts)
    np.testing.assert_allclose(scored.raw, artifact.load(shelf / REF).predict(texts), atol=1e-9)
    assert client.health()["models"] == [REF]


def test_a_batch_scores_as_its_texts_one_by_one(client, sha):
    texts = [prose(n, n % 7, words=10 * n + 8) for n in range(20)]
    together = client.score(model=REF, manifest_sha256=sha, texts=texts).raw
    alone = [client.score(model=REF, manifest_sha256=sha, texts=[f"{text} "]).raw[0] for text in texts]
    np.testing.assert_allclose(together, alone, atol=1e-3)


def test_a_damaged_student_is_not_believed(client, shelf, sha):
    shutil.copytree(shelf / REF, shelf / "damaged" / "v1")
    weights = shelf / "damaged" / "v1" / "model" / "ridge.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    with pytest.raises(BrokenModel, match="has changed since it was written"):
        client.score(model="damaged/v1", manifest_sha256=sha, texts=["x"])


def test_it_leaves_in_peace_when_told_to(engine, client):
    engine.send_signal(signal.SIGTERM)
    assert engine.wait(10) == 0


def test_a_client_lives_through_a_restart(engine, client, shelf, sha, port):
    client.score(model=REF, manifest_sha256=sha, texts=["before"])
    engine.kill()
    engine.wait()
    with pytest.raises(EngineDown, match=f"does not answer at http://127.0.0.1:{port}; start it with manage.py up."):
        client.score(model=REF, manifest_sha256=sha, texts=["between"])
    again = started("--models", shelf, "--port", port)
    try:
        wait_for(client)
        assert client.score(model=REF, manifest_sha256=sha, texts=["after"]).raw.shape == (1, 1)
    finally:
        again.terminate()
        assert again.wait(10) == 0


def test_a_kept_connection_that_broke_is_not_an_error(engine, client, shelf, sha, port):
    client.score(model=REF, manifest_sha256=sha, texts=["before"])
    engine.kill()
    engine.wait()
    again = started("--models", shelf, "--port", port)
    try:
        with EngineClient(client.url, TOKEN) as other:
            wait_for(other)
        assert client.score(model=REF, manifest_sha256=sha, texts=["after"]).raw.shape == (1, 1)
    finally:
        again.terminate()
        again.wait(10)


def test_it_serves_at_a_socket_that_a_killed_process_left(shelf, tmp_path):
    path = tmp_path / "e.sock"
    for _ in range(2):
        child = started("--models", shelf, "--socket", path)
        with EngineClient(f"unix:{path}", TOKEN) as client:
            wait_for(client)
            assert client.health()["status"] == "ok"
        child.kill()
        child.wait()


def complaint(*arguments: object, token: str = TOKEN) -> str:
    child = start(*arguments, token=token)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 1
    assert "Traceback" not in said
    return said.strip()


def test_a_port_in_use_is_told_in_a_sentence(engine, client, shelf, port):
    said = complaint("--models", shelf, "--port", port)
    assert said.startswith(f"The scoring process can't listen at port {port} on 127.0.0.1:")
    assert "in use" in said


def test_a_socket_in_use_is_told_in_a_sentence(shelf, tmp_path):
    child = started("--models", shelf, "--socket", tmp_path / "e.sock")
    assert "another process answers there" in complaint("--models", shelf, "--socket", tmp_path / "e.sock")
    child.kill()
    child.wait()


def test_it_does_not_start_without_a_secret(shelf, port):
    assert complaint("--models", shelf, "--port", port, token="short").startswith("Set ENGINE_TOKEN to a secret")


def bench(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "scoring.engine.bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_load_test_prints_its_figures_and_ends_in_time(shelf):
    figures = json.loads(bench("--models", shelf, "--model", REF, "--requests", 20, "--seconds", 5, "--words", 60).stdout)
    assert figures["articles"] == 160
    assert figures["articles_per_second"] > 0
    assert figures["latency_ms"]["p50"] <= figures["latency_ms"]["p95"]


def test_the_load_test_stays_on_this_machine(shelf):
    refused = bench("--models", shelf, "--model", REF, "--url", "http://198.51.100.7:80")
    assert refused.stderr.strip() == "http://198.51.100.7:80 is not on this machine; a load test is for one's own."


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.2:1", True),
        ("http://[::1]:1", True),
        ("unix:/tmp/e", True),
        ("http://localhost:1", True),
        ("http://localhost.example:1", False),
        ("http://127.0.0.1@198.51.100.7", False),
        ("http://", False),
    ],
)
def test_the_load_test_knows_this_machine(url, here):
    assert is_loopback(url) is here
