"""What every engine promises: the same call, the same answer and the same errors, in this process or another one."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from distillery_site.common.errors import DistilleryError


@dataclass(frozen=True)
class Score:
    """Raw answers, unclipped: `raw` is float64 [texts, outputs], a row for each text in the order asked.

    `outputs` are {filter, version, dimension}, one a column; `cached` counts the texts answered from memory.
    """

    model: str
    manifest_sha256: str
    outputs: list[dict[str, Any]]
    raw: np.ndarray
    seconds: float
    cached: int = 0


class Engine(Protocol):
    def score(self, *, model: str, manifest_sha256: str, texts: list[str]) -> Score:
        """Score texts with the version at `model` ("name/v1"), which must have exactly this manifest.

        Raises EngineError: UnknownModel, WrongHash, BrokenModel, TooLarge, Overloaded or EngineDown.
        """
        ...

    def health(self) -> dict[str, Any]: ...


class EngineError(DistilleryError):
    """Why an engine did not answer; `permanent` says whether asking again can help."""

    code = "engine_error"
    status = 500
    permanent = True


class BadRequest(EngineError):
    code, status = "bad_request", 400


class NotAllowed(EngineError):
    code, status = "not_allowed", 401


class UnknownModel(EngineError):
    code, status = "unknown_model", 404


class WrongHash(EngineError):
    code, status = "wrong_hash", 409


class TooLarge(EngineError):
    code, status = "too_large", 413


class BrokenModel(EngineError):
    """The files are there but can't be trusted: a hash or a golden prediction is off."""

    code, status = "broken_model", 500


class Overloaded(EngineError):
    """The queue is full; `retry_after` is in seconds."""

    code, status, permanent = "overloaded", 429, False

    def __init__(self, message: str, retry_after: float = 1.0):
        super().__init__(message)
        self.retry_after = retry_after


class EngineDown(EngineError):
    """Nobody answers, or the process is on its way out."""

    code, status, permanent = "engine_down", 503, False


KINDS: dict[str, type[EngineError]] = {
    kind.code: kind
    for kind in (EngineError, BadRequest, NotAllowed, UnknownModel, WrongHash, TooLarge, BrokenModel, Overloaded, EngineDown)
}
