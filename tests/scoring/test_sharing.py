"""Scoring beside a training: what happens to students and batches while somebody has the accelerator."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scoring.engine import batcher, sharing
from scoring.engine.local import Limits, LocalEngine
from scoring.engine.sharing import Rule, Sharing, TorchMover
from tests.fakes.student import FakeStudent, answer, shelve
from training.student import devices, lease

REF = "news-fake/v1"


class Full(Exception):
    """The accelerator's memory ran out."""


@dataclass
class FakeMover:
    """An accelerator that isn't there; remembers what was asked of it."""

    there: bool = True
    shares: list[float] = field(default_factory=list)
    moves: list[tuple[Any, str]] = field(default_factory=list)
    away: bool = False

    def present(self) -> bool:
        return self.there

    def limit(self, share: float) -> None:
        self.shares.append(share)

    def move(self, student: Any, away: bool) -> None:
        self.moves.append((student, "processor" if away else "accelerator"))

    def stay_away(self, away: bool) -> None:
        self.away = away

    def is_full(self, error: Exception) -> bool:
        return isinstance(error, Full)


class Training:
    """Takes and leaves the lease when told to."""

    def __init__(self, path: Path):
        self.path, self._held = path, ExitStack()

    def start(self) -> None:
        self._held.enter_context(lease.hold(self.path, {"run": 1}))

    def end(self) -> None:
        self._held.close()


@pytest.fixture(autouse=True)
def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "LOOK_SECONDS", 0.0)


@pytest.fixture
def training(tmp_path: Path) -> Iterator[Training]:
    found = Training(tmp_path / "gpu.lease")
    yield found
    found.end()


@pytest.fixture
def mover() -> FakeMover:
    return FakeMover()


def rule(training: Training, manner: Any = "shrink") -> Rule:
    return Rule(training.path, manner, 0.25)


def test_it_keeps_to_its_share_in_small_batches_and_takes_all_back(training: Training, mover: FakeMover) -> None:
    shared = Sharing(rule(training), mover)
    shared.heed([])
    assert (mover.shares, shared.batch(32), shared.told()) == ([], 32, {"training": False, "uses": "all"})
    training.start()
    shared.heed([])
    shared.heed([])
    assert (mover.shares, shared.batch(32), shared.told()) == ([0.25], 8, {"training": True, "uses": "share"})
    training.end()
    shared.heed([])
    assert (mover.shares, shared.batch(32), shared.told()) == ([0.25, 1.0], 32, {"training": False, "uses": "all"})


def test_students_move_to_the_processor_once_and_back(training: Training, mover: FakeMover) -> None:
    shared, first, second = Sharing(rule(training, "cpu"), mover), FakeStudent(), FakeStudent()
    training.start()
    shared.heed([first])
    shared.heed([first, second])
    assert [where for _, where in mover.moves] == ["processor", "processor"]
    assert mover.away and mover.shares == [] and shared.told()["uses"] == "processor"
    training.end()
    shared.heed([first, second])
    assert [where for _, where in mover.moves[2:]] == ["accelerator", "accelerator"] and not mover.away


def test_a_student_that_left_memory_meanwhile_is_not_brought_back(training: Training, mover: FakeMover) -> None:
    shared = Sharing(rule(training, "cpu"), mover)
    training.start()
    shared.heed([FakeStudent()])
    training.end()
    shared.heed([])
    assert len(mover.moves) == 1


@pytest.mark.parametrize("manner", ["shrink", "cpu"])
def test_without_an_accelerator_nothing_moves(training: Training, manner: str) -> None:
    mover = FakeMover(there=False)
    shared = Sharing(rule(training, manner), mover)
    training.start()
    shared.heed([FakeStudent()])
    assert mover.moves == mover.shares == [] and shared.batch(32) == 32
    assert shared.told() == {"training": True, "uses": "processor"}


def test_whoever_ignores_trainings_is_not_disturbed(training: Training, mover: FakeMover) -> None:
    shared = Sharing(rule(training, "ignore"), mover)
    training.start()
    shared.heed([FakeStudent()])
    assert mover.moves == mover.shares == [] and shared.told() == {"training": False, "uses": "all"}


def test_it_looks_at_most_once_a_second(training: Training, mover: FakeMover, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "LOOK_SECONDS", 60.0)
    shared = Sharing(rule(training), mover)
    shared.heed([])
    training.start()
    shared.heed([])
    assert mover.shares == []


def until(so: Callable[[], bool]) -> None:
    for _ in range(500):
        if so():
            return
        time.sleep(0.01)


@pytest.fixture
def student() -> FakeStudent:
    return FakeStudent()


@pytest.fixture
def engine(
    training: Training, mover: FakeMover, student: FakeStudent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalEngine]:
    monkeypatch.setattr(batcher, "IDLE_SECONDS", 0.01)
    shared = Sharing(rule(training), mover)
    made = LocalEngine(tmp_path, limits=Limits(max_batch=8, models=2), load=lambda *_: student, sharing=shared)
    yield made
    made.close()


def test_an_engine_goes_on_in_quarter_batches(
    engine: LocalEngine, training: Training, student: FakeStudent, tmp_path: Path
) -> None:
    sha = shelve(tmp_path)
    training.start()
    until(lambda: engine.health()["accelerator"]["uses"] == "share")
    texts = [f"text {number}" for number in range(5)]
    scored = engine.score(model=REF, manifest_sha256=sha, texts=texts)
    assert scored.raw.tolist() == [answer(text) for text in texts]
    assert [len(batch) for batch in student.batches] == [2, 2, 1]
    assert engine.health()["accelerator"] == {"training": True, "uses": "share"}


def test_an_engine_makes_room_while_nobody_asks_it(
    engine: LocalEngine, training: Training, mover: FakeMover, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = threading.Event()
    monkeypatch.setattr(mover, "limit", lambda share: limited.set())
    training.start()
    assert limited.wait(5)


def test_a_student_too_large_for_the_share_goes_on_on_the_processor(
    engine: LocalEngine, training: Training, mover: FakeMover, student: FakeStudent, tmp_path: Path
) -> None:
    def says(text: str) -> list[float]:
        if not mover.moves:
            raise Full
        return answer(text)

    sha, student.says = shelve(tmp_path), says
    training.start()
    assert engine.score(model=REF, manifest_sha256=sha, texts=["x"]).raw.tolist() == [answer("x")]
    assert mover.moves == [(student, "processor")] and mover.shares == [0.25, 1.0]
    assert engine.health()["accelerator"] == {"training": True, "uses": "processor"}
    training.end()
    engine.score(model=REF, manifest_sha256=sha, texts=["y"])
    assert mover.moves[-1] == (student, "accelerator")


def test_a_full_accelerator_without_a_training_is_an_error_as_ever(
    engine: LocalEngine, student: FakeStudent, tmp_path: Path
) -> None:
    def says(text: str) -> list[float]:
        raise Full

    student.says = says
    with pytest.raises(Full):
        engine.score(model=REF, manifest_sha256=shelve(tmp_path), texts=["x"])


def test_torch_is_not_loaded_to_find_out_that_nothing_is_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sharing.sys.modules, "torch", None)
    assert not TorchMover().present() and not TorchMover().is_full(MemoryError())


def test_loading_stays_away_from_the_accelerator_while_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.best() == "cuda"
    devices.stay_away(True)
    try:
        assert devices.best() == "cpu"
    finally:
        devices.stay_away(False)
