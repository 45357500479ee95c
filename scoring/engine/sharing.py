"""One accelerator for two: while a training holds its lease, scoring makes room and goes on.

A training has the lease (training/student/lease.py) for as long as it learns. Scoring looks at most once a second,
between two batches or while nothing is asked, and never waits for it: it keeps to a share of the memory in small
batches, or moves its students to the processor, and takes everything back afterwards.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from training.student import devices, lease

if TYPE_CHECKING:
    from training.student.artifact import Student

Manner = Literal["shrink", "cpu", "ignore"]
MANNERS: tuple[str, ...] = get_args(Manner)
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Rule:
    """`lease` is the training's lock; "shrink" keeps to `share` of the accelerator's memory and quarter batches."""

    lease: Path | None = None
    manner: Manner = "shrink"
    share: float = 0.25


class Mover(Protocol):
    """What scoring can do about the accelerator."""

    def present(self) -> bool:
        """Whether there is one that this process uses by now."""
        ...

    def limit(self, share: float) -> None:
        """Take no more than this share of its memory, and give back what is kept in reserve."""
        ...

    def move(self, student: Any, away: bool) -> None:
        """To the processor, or back to the accelerator."""
        ...

    def stay_away(self, away: bool) -> None:
        """The same for students that are yet to be loaded."""
        ...

    def is_full(self, error: Exception) -> bool:
        """Whether this says that the accelerator's memory ran out."""
        ...


class TorchMover:
    """Imports nothing: without torch in the process no student is on an accelerator."""

    def present(self) -> bool:
        torch = _torch()
        return torch is not None and bool(torch.cuda.is_available())

    def limit(self, share: float) -> None:
        torch = _torch()
        torch.cuda.set_per_process_memory_fraction(share)
        torch.cuda.empty_cache()

    def move(self, student: Any, away: bool) -> None:
        devices.place(student, "cpu" if away else "cuda")
        _torch().cuda.empty_cache()

    def stay_away(self, away: bool) -> None:
        devices.stay_away(away)

    def is_full(self, error: Exception) -> bool:
        torch = _torch()
        return torch is not None and isinstance(error, torch.OutOfMemoryError)


def _torch() -> Any:
    return sys.modules.get("torch")


class Sharing:
    """All but `told` belongs to the one thread that computes."""

    def __init__(self, rule: Rule, mover: Mover | None = None):
        self.rule, self._mover = rule, mover or TorchMover()
        self._next_look, self._training = 0.0, False
        self._limited = self._retreated = False
        self._away: list[Student] = []

    def heed(self, loaded: Sequence["Student"]) -> None:
        """Make room, or take it back, for the students in memory."""
        self._look()
        leave = self._training and (self.rule.manner == "cpu" or self._retreated)
        self._mover.stay_away(leave)
        if self._mover.present():
            self._limit(self._training and not leave)
            self._move(loaded if leave else (), loaded)

    def retreat(self, error: Exception) -> bool:
        """Whether a failure was want of room in the share; then the processor has to do until the training is over."""
        if not (self._limited and self._mover.is_full(error)):
            return False
        self._retreated = True
        return True

    def batch(self, usual: int) -> int:
        """How many texts go in one forward pass."""
        return max(1, usual // 4) if self._limited else usual

    def told(self) -> dict[str, Any]:
        """For whoever asks how scoring is doing: "all" of the accelerator, a "share", or none but the "processor"."""
        if not self._mover.present():
            return {"training": self._training, "uses": "processor"}
        uses = "share" if self._limited else "processor" if self._training and self._away else "all"
        return {"training": self._training, "uses": uses}

    def _look(self) -> None:
        now = time.monotonic()
        if self.rule.lease is None or self.rule.manner == "ignore" or now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        self._training = lease.held(self.rule.lease) is not None
        self._retreated = self._retreated and self._training

    def _limit(self, wanted: bool) -> None:
        if wanted != self._limited:
            self._mover.limit(self.rule.share if wanted else 1.0)
            self._limited = wanted

    def _move(self, away: Sequence["Student"], loaded: Sequence["Student"]) -> None:
        """Exactly these of the loaded ones are on the processor afterwards."""
        for student in away:
            if not _among(student, self._away):
                self._mover.move(student, True)
        for student in self._away:
            if not _among(student, away) and _among(student, loaded):
                self._mover.move(student, False)
        self._away = list(away)


def _among(student: object, others: Sequence[object]) -> bool:
    return any(student is other for other in others)
