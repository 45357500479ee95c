"""One suite over every engine: in this process, over HTTP and over a Unix socket."""

import socket
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from scoring.engine.base import (
    BadRequest,
    BrokenModel,
    Engine,
    EngineDown,
    EngineError,
    Overloaded,
    TooLarge,
    UnknownModel,
    WrongHash,
)
from scoring.engine.client import EngineClient
from scoring.engine.local import Limits, LocalEngine
from scoring.engine.server import make_app
from tests.fakes.student import FakeStudent, answer, shelve

TOKEN = "a token for the tests"
REF = "news-fake/v1"
LIMITS = Limits(max_batch=4, max_waiting=16, max_texts=8, max_characters=1000, models=2, rows=10)


@pytest.fixture(scope="module", params=["local", "http", "unix"])
def way(request: pytest.FixtureRequest) -> Iterator[tuple[Starlette, EngineClient] | None]:
    """How a test reaches an engine: a server and its client, or None for a call in this process."""
    if request.param == "local":
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        listener, url = listen(request.param, folder)
        app = make_app(LocalEngine(Path(folder)), TOKEN)
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=5))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        with EngineClient(url, TOKEN) as client:
            yield app, client
        server.should_exit = True
        thread.join(10)


def listen(kind: str, folder: str) -> tuple[socket.socket, str]:
    listener = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
    listener.bind(f"{folder}/e.sock" if kind == "unix" else ("127.0.0.1", 0))
    return listener, f"unix:{folder}/e.sock" if kind == "unix" else f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def students() -> dict[str, FakeStudent]:
    """What the shelf loads, by folder name; a test may change them first."""
    return {}


@pytest.fixture
def local(tmp_path: Path, students: dict[str, FakeStudent]) -> Iterator[LocalEngine]:
    def load(folder: Path, manifest_sha256: str) -> FakeStudent:
        return students.setdefault(folder.parent.name, FakeStudent())

    engine = LocalEngine(tmp_path, limits=LIMITS, load=load)
    yield engine
    engine.close()


@pytest.fixture
def engine(way: tuple[Starlette, EngineClient] | None, local: LocalEngine) -> Engine:
    if way is None:
        return local
    app, client = way
    app.state.engine = local
    return client


@pytest.fixture
def sha(tmp_path: Path) -> str:
    return shelve(tmp_path, REF)


def test_it_scores_texts_in_the_order_asked(engine, sha):
    texts = ["three short words", "one", "a much longer text with many more words in it", "two words", "", "five"]
    scored = engine.score(model=REF, manifest_sha256=sha, texts=texts)
    assert scored.raw.tolist() == [answer(text) for text in texts]
    assert scored.outputs == [{"filter": "uplifting", "version": 1, "dimension": key} for key in ("impact", "evidence")]
    assert (scored.model, scored.manifest_sha256, scored.cached) == (REF, sha, 0)


def test_it_remembers_what_it_scored(engine, sha, students):
    engine.score(model=REF, manifest_sha256=sha, texts=["one", "two"])
    again = engine.score(model=REF, manifest_sha256=sha, texts=["two", "three", "one"])
    assert again.raw.tolist() == [answer("two"), answer("three"), answer("one")]
    assert again.cached == 2
    assert students["news-fake"].batches[1:] == [["three"]]


def test_it_forgets_the_oldest_rows_beyond_its_bound(engine, sha):
    for start in range(0, 24, 8):
        engine.score(model=REF, manifest_sha256=sha, texts=[f"text {n}" for n in range(start, start + 8)])
    assert engine.health()["remembered"] == LIMITS.rows


def test_it_batches_by_length(engine, sha, students):
    engine.score(model=REF, manifest_sha256=sha, texts=["a" * n for n in (1, 7, 3, 5, 2, 6)])
    assert [[len(text) for text in batch] for batch in students["news-fake"].batches] == [[7, 6, 5, 3], [2, 1]]


def test_it_holds_no_more_students_than_allowed(engine, tmp_path):
    hashes = {f"student-{n}/v1": shelve(tmp_path, f"student-{n}/v1") for n in range(3)}
    for ref, sha in hashes.items():
        engine.score(model=ref, manifest_sha256=sha, texts=["x"])
    assert engine.health()["models"] == ["student-1/v1", "student-2/v1"]


def test_it_serves_many_at_once(engine, sha):
    def ask(n: int) -> list[list[float]]:
        return engine.score(model=REF, manifest_sha256=sha, texts=[f"request {n}"]).raw.tolist()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(16))) == [[answer(f"request {n}")] for n in range(16)]


def test_it_tells_how_it_is(engine):
    health = engine.health()
    assert (health["status"], health["models"], health["waiting"]) == ("ok", [], 0)
    assert health["rss_mb"] > 1


@pytest.mark.parametrize("ref", ["nobody/v1", "../news-fake/v1", "news-fake/../news-fake/v1", "/etc/v1", "x", "", "a" * 5000])
def test_it_refuses_a_model_that_is_not_on_its_shelf(engine, sha, ref):
    with pytest.raises(UnknownModel) as refused:
        engine.score(model=ref, manifest_sha256=sha, texts=["x"])
    assert refused.value.permanent


def test_it_refuses_a_link_that_leads_off_its_shelf(engine, tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    sha = shelve(elsewhere, REF)
    (tmp_path / "news-fake").symlink_to(elsewhere / "news-fake")
    with pytest.raises(UnknownModel):
        engine.score(model=REF, manifest_sha256=sha, texts=["x"])


def test_it_refuses_another_hash(engine, sha):
    with pytest.raises(WrongHash, match="registry and folder disagree"):
        engine.score(model=REF, manifest_sha256="0" * 64, texts=["x"])


def test_it_notices_that_a_loaded_model_was_exchanged_on_disk(engine, sha, tmp_path):
    engine.score(model=REF, manifest_sha256=sha, texts=["x"])
    (tmp_path / REF / "manifest.json").write_text("{}")
    with pytest.raises(WrongHash):
        engine.score(model=REF, manifest_sha256=sha, texts=["x"])


def test_it_refuses_no_text(engine, sha):
    with pytest.raises(BadRequest, match="no text"):
        engine.score(model=REF, manifest_sha256=sha, texts=[])


def test_it_refuses_half_a_character(engine, sha):
    with pytest.raises(BadRequest, match="surrogate"):
        engine.score(model=REF, manifest_sha256=sha, texts=["\ud800"])


@pytest.mark.parametrize("texts", [["x"] * 9, ["x" * 1001]])
def test_it_refuses_too_much_at_once(engine, sha, texts):
    with pytest.raises(TooLarge):
        engine.score(model=REF, manifest_sha256=sha, texts=texts)


def test_it_refuses_more_than_it_can_queue(engine, sha, students):
    students["news-fake"] = slow = FakeStudent()
    slow.may_answer.clear()

    def ask(n: int) -> list[list[float]]:
        return engine.score(model=REF, manifest_sha256=sha, texts=[f"{n} {i}" for i in range(8)]).raw.tolist()

    with ThreadPoolExecutor(4) as pool:
        running = pool.submit(ask, 0)
        assert slow.asked.wait(5)
        rest = [pool.submit(ask, n) for n in (1, 2, 3)]
        refused = next(as_completed(rest, timeout=5)).exception()
        slow.may_answer.set()
        assert [done.exception() is None for done in (running, *rest)].count(True) == 3
    assert isinstance(refused, Overloaded)
    assert (refused.permanent, refused.retry_after) == (False, 1)


def test_it_trusts_no_answer_of_another_shape(engine, sha, students):
    students["news-fake"] = FakeStudent(outputs=FakeStudent().outputs * 2)
    with pytest.raises(BrokenModel):
        engine.score(model=REF, manifest_sha256=sha, texts=["x"])


def test_it_lives_on_after_a_student_crashed(engine, sha, students, monkeypatch):
    students["news-fake"] = student = FakeStudent()
    monkeypatch.setattr(student, "outputs", None)
    with pytest.raises((TypeError, EngineError)):
        engine.score(model=REF, manifest_sha256=sha, texts=["x"])
    monkeypatch.undo()
    assert engine.score(model=REF, manifest_sha256=sha, texts=["x"]).raw.tolist() == [answer("x")]


def test_it_refuses_new_work_once_closed(engine, local, sha):
    local.close()
    with pytest.raises(EngineDown):
        engine.score(model=REF, manifest_sha256=sha, texts=["x"])
