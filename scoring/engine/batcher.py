"""One thread does all forward passes; requests that wait for the same model share them."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from scoring.engine.base import EngineDown, Overloaded

Key = tuple[str, str]
IDLE_SECONDS = 1.0
log = logging.getLogger(__name__)
R = TypeVar("R")


@dataclass(eq=False)
class Job(Generic[R]):
    key: Key
    texts: list[str]
    answer: "Future[list[R]]" = field(default_factory=Future)


class Batcher(Generic[R]):
    """A bounded queue before a thread. `forward(key, texts)` gives a row for each text and runs in that thread only.

    Waiting texts of one model are put together, sorted by length so that a batch pads little, and cut into
    batches of `max_batch()`. More than `max_waiting` waiting texts are refused at once. Where there is nothing to do,
    `idle` is called once a second, in that thread too.
    """

    def __init__(
        self,
        forward: Callable[[Key, list[str]], list[R]],
        *,
        max_batch: Callable[[], int],
        max_waiting: int,
        idle: Callable[[], None] | None = None,
    ):
        self._forward, self._max_batch, self._max_waiting, self._idle = forward, max_batch, max_waiting, idle
        self._jobs: deque[Job[R]] = deque()
        self._change = threading.Condition()
        self._closed = False
        self._rate = 0.0  # texts a second, for an honest Retry-After
        self._thread = threading.Thread(target=self._work, name="forward", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return sum(len(job.texts) for job in list(self._jobs))

    def submit(self, key: Key, texts: list[str]) -> "Future[list[R]]":
        """Queue texts; the future gives their rows in order. Raises Overloaded or EngineDown at once."""
        job: Job[R] = Job(key, texts)
        with self._change:
            if self._closed:
                raise EngineDown("The scoring process is stopping.")
            waiting = self.waiting
            if waiting + len(texts) > self._max_waiting:
                seconds = min(60.0, max(1.0, waiting / self._rate)) if self._rate else 1.0
                raise Overloaded(f"{waiting} texts are waiting already; try again in {seconds:.0f} s.", round(seconds))
            self._jobs.append(job)
            self._change.notify()
        return job.answer

    def close(self, timeout: float = 10) -> None:
        """Finish the batch under way, refuse the rest."""
        with self._change:
            self._closed = True
            left = list(self._jobs)
            self._jobs.clear()
            self._change.notify()
        for job in left:
            job.answer.set_exception(EngineDown("The scoring process stopped before it came to this request."))
        self._thread.join(timeout)

    def _work(self) -> None:
        while jobs := self._next():
            wanted = [job for job in jobs if job.answer.set_running_or_notify_cancel()]
            texts = [text for job in wanted for text in job.texts]
            if not texts:
                continue
            try:
                rows = self._batches(jobs[0].key, texts)
            except Exception as error:  # noqa: BLE001  (whatever it is, it belongs to those who asked, not to this thread)
                for job in wanted:
                    job.answer.set_exception(error)
            else:
                self._hand_out(wanted, rows)

    def _next(self) -> list[Job[R]]:
        """The oldest job and the waiting ones of the same model, up to four batches; empty when closed."""
        self._wait()
        with self._change:
            if not self._jobs:
                return []
            taken = [self._jobs.popleft()]
            size, most = len(taken[0].texts), 4 * self._max_batch()
            for job in list(self._jobs):
                if job.key == taken[0].key and size + len(job.texts) <= most:
                    self._jobs.remove(job)
                    taken.append(job)
                    size += len(job.texts)
            return taken

    def _wait(self) -> None:
        """Until there is a job, or the end."""
        while True:
            with self._change:
                if self._change.wait_for(lambda: self._jobs or self._closed, IDLE_SECONDS if self._idle else None):
                    return
            try:
                assert self._idle is not None
                self._idle()
            except Exception:  # noqa: BLE001  (nobody asked, so nobody can be told; the next request may fare better)
                log.exception("What is done between requests failed.")

    def _batches(self, key: Key, texts: list[str]) -> list[R]:
        start = time.monotonic()
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)
        rows: dict[int, R] = {}
        while len(rows) < len(order):
            batch = order[len(rows) : len(rows) + self._max_batch()]
            rows.update(zip(batch, self._forward(key, [texts[i] for i in batch]), strict=True))
        self._rate = len(texts) / max(1e-6, time.monotonic() - start)
        return [rows[i] for i in range(len(texts))]

    @staticmethod
    def _hand_out(jobs: list[Job[R]], rows: list[R]) -> None:
        start = 0
        for job in jobs:
            job.answer.set_result(rows[start : start + len(job.texts)])
            start += len(job.texts)
