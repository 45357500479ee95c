"""What only the HTTP door of the engine does: the token, the shape of requests and of refusals."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from scoring.engine import server
from scoring.engine.local import LocalEngine
from scoring.engine.server import make_app
from tests.fakes.student import FakeStudent, shelve

TOKEN = "a token for the tests"
KEYED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def http(tmp_path: Path):
    engine = LocalEngine(tmp_path, load=lambda folder, sha: FakeStudent())
    with TestClient(make_app(engine, TOKEN), raise_server_exceptions=False) as client:
        yield client


def refused(response) -> tuple[int, str, bool]:
    error = response.json()["error"]
    assert error["message"].endswith("."), error
    return response.status_code, error["code"], error["permanent"]


def test_it_answers_with_raw_scores_and_what_they_mean(http, tmp_path):
    sha = shelve(tmp_path)
    body = {"model": "news-fake/v1", "manifest_sha256": sha, "texts": ["three short words"]}
    answer = http.post("/score", json=body, headers=KEYED).json()
    assert (answer["raw"], answer["cached"], answer["manifest_sha256"]) == ([[0.3, 1.7]], 0, sha)
    assert answer["outputs"][0] == {"filter": "uplifting", "version": 1, "dimension": "impact"}


def test_its_health_needs_no_token(http):
    assert http.get("/health").json()["status"] == "ok"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"bearer {TOKEN}x"}])
def test_it_refuses_callers_without_its_token(http, headers):
    assert refused(http.post("/score", json={}, headers=headers)) == (401, "not_allowed", True)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"model": 1, "manifest_sha256": "", "texts": []}',
        b'{"model": "", "manifest_sha256": "", "texts": "x"}',
    ],
)
def test_it_refuses_what_it_cannot_read(http, body):
    assert refused(http.post("/score", content=body, headers=KEYED)) == (400, "bad_request", True)


def test_it_refuses_a_large_body(http, monkeypatch):
    monkeypatch.setattr(server, "MAX_BODY", 100)
    assert refused(http.post("/score", content=b"x" * 101, headers=KEYED)) == (413, "too_large", True)


def test_it_refuses_other_addresses_and_methods_in_json(http):
    assert refused(http.get("/nothing"))[0] == 404
    assert refused(http.get("/score"))[0] == 405


def test_a_crash_is_told_without_its_insides(http, tmp_path, monkeypatch):
    monkeypatch.setattr(FakeStudent, "predict", lambda self, texts: 1 / 0)
    body = {"model": "news-fake/v1", "manifest_sha256": shelve(tmp_path), "texts": ["x"]}
    assert refused(http.post("/score", json=body, headers=KEYED)) == (500, "engine_error", True)
