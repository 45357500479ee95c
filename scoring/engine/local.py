"""The engine in this process: what the server serves, and the twin for tests and commands."""

import os
import time
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from scoring.engine.backends import Load, Shelf, load_student
from scoring.engine.base import BadRequest, BrokenModel, Score, TooLarge
from scoring.engine.batcher import Batcher, Key
from scoring.engine.cache import Lru, row_key
from scoring.engine.sharing import Rule, Sharing


@dataclass(frozen=True)
class Limits:
    """What one engine holds and takes; every queue and memory in it has its bound here."""

    max_batch: int = 32
    """Texts in one forward pass."""
    max_waiting: int = 2048
    """Texts waiting for the thread; more are refused with Overloaded."""
    max_texts: int = 512
    """Texts in one request."""
    max_characters: int = 4_000_000
    """Characters in one request, all its texts together."""
    models: int = 3
    """Students in memory."""
    rows: int = 20_000
    """Predictions remembered."""


@dataclass(frozen=True)
class Row:
    outputs: list[dict[str, Any]]
    raw: np.ndarray


@dataclass
class Request:
    """One question on its way: rows that are known, and where the missing ones go."""

    model: str
    manifest_sha256: str
    texts: list[str]
    keys: list[bytes]
    rows: list[Row | None]
    started: float

    @property
    def missing(self) -> list[int]:
        return [i for i, row in enumerate(self.rows) if row is None]


class LocalEngine:
    """prepare · forward · finish: look up what is known, queue the rest, put the answer together."""

    def __init__(
        self,
        models: Path,
        *,
        bases: Path | None = None,
        limits: Limits | None = None,
        load: Load | None = None,
        sharing: Sharing | None = None,
    ):
        """Serve the students below `models`; `bases` holds the base models that some of them stand on.

        `sharing` says what is done while a training has the accelerator; by default nothing.
        """
        self.limits, self._sharing = limits or Limits(), sharing or Sharing(Rule())
        self.shelf = Shelf(models, self.limits.models, load or partial(load_student, bases=bases))
        self._rows: Lru[bytes, Row] = Lru(self.limits.rows)
        self._batcher: Batcher[Row] = Batcher(
            self._predict,
            max_batch=lambda: self._sharing.batch(self.limits.max_batch),
            max_waiting=self.limits.max_waiting,
            idle=self._heed if self._sharing.rule.lease else None,
        )
        self._started = time.monotonic()

    def score(self, *, model: str, manifest_sha256: str, texts: list[str]) -> Score:
        request = self.prepare(model, manifest_sha256, texts)
        return self.finish(request, self.forward(request).result())

    def prepare(self, model: str, manifest_sha256: str, texts: list[str]) -> Request:
        """Refuse early: an unknown model, another hash, too much at once."""
        if not texts:
            raise BadRequest("There is no text to score.")
        if len(texts) > self.limits.max_texts:
            raise TooLarge(f"{len(texts)} texts at once; {self.limits.max_texts} is the most.")
        if sum(map(len, texts)) > self.limits.max_characters:
            raise TooLarge(f"More than {self.limits.max_characters:,} characters at once.")
        self.shelf.find(model, manifest_sha256)
        keys = [row_key(manifest_sha256, text) for text in texts]
        return Request(model, manifest_sha256, texts, keys, [self._rows.get(key) for key in keys], time.monotonic())

    def forward(self, request: Request) -> "Future[list[Row]]":
        """Queue what is missing; nothing missing is answered at once."""
        if request.missing:
            return self._batcher.submit((request.model, request.manifest_sha256), [request.texts[i] for i in request.missing])
        done: Future[list[Row]] = Future()
        done.set_result([])
        return done

    def finish(self, request: Request, computed: list[Row]) -> Score:
        """Put known and computed rows together in the order asked, and remember the new ones."""
        for i, row in zip(request.missing, computed, strict=True):
            request.rows[i] = row
            self._rows.put(request.keys[i], row)
        rows = [row for row in request.rows if row is not None]
        return Score(
            request.model,
            request.manifest_sha256,
            rows[0].outputs,
            np.array([row.raw for row in rows]),
            seconds=time.monotonic() - request.started,
            cached=len(rows) - len(computed),
        )

    def health(self) -> dict[str, Any]:
        return {
            "status": "ok",
            "pid": os.getpid(),
            "models": self.shelf.loaded,
            "waiting": self._batcher.waiting,
            "remembered": len(self._rows),
            "rss_mb": round(psutil.Process().memory_info().rss / 1e6, 1),
            "accelerator": self._sharing.told(),
            "uptime_s": round(time.monotonic() - self._started, 1),
        }

    def close(self) -> None:
        self._batcher.close()

    def _predict(self, key: Key, texts: list[str]) -> list[Row]:
        """In the batcher's thread: make room for a training, or the same again on the processor where room runs out."""
        self._heed()
        try:
            return self._rows_of(key, texts)
        except Exception as error:
            if not self._sharing.retreat(error):
                raise
        self._heed()
        return self._rows_of(key, texts)

    def _heed(self) -> None:
        self._sharing.heed(self.shelf.students)

    def _rows_of(self, key: Key, texts: list[str]) -> list[Row]:
        """Load when needed, one forward pass, and no nonsense out."""
        student = self.shelf.student(*key)
        raw = np.asarray(student.predict(texts), dtype=np.float64)
        if raw.shape != (len(texts), len(student.outputs)) or not np.isfinite(raw).all():
            raise BrokenModel(f"{key[0]} answered with something that isn't a score for every output.")
        outputs = [asdict(output) for output in student.outputs]
        return [Row(outputs, row.copy()) for row in raw]
