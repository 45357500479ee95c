"""What a training's first steps say of the whole: memory, time and tokens, before anybody waits for it."""

import time
from collections.abc import Sequence

from .. import artifact, tokens
from . import memory
from .progress import Progress

STEPS = 20
_PROBED = 16  # validation articles whose measuring is timed


def foretell(progress: Progress, tokens_per_s: float) -> None:
    """The `estimate` event, from a speed measured over the first optimiser steps."""
    learnt = _count(progress, [example.text for example in progress.train])
    total = learnt * progress.config.epochs
    measured = _measured_tokens(progress) / _measuring_speed(progress)
    progress.emit(
        "estimate",
        tokens_per_s=tokens_per_s,
        seconds=total / tokens_per_s + measured + 2 * progress.setting_up_s,  # once before, and once to read it back
        steps=progress.steps,
        tokens=total,
        peak_memory_bytes=max(memory.peak(), progress.plan.bytes),
        device=memory.device(),
        device_memory_bytes=memory.of_device(),
        fits=max(memory.peak(), progress.plan.bytes) <= memory.of_device(),
        truncation=progress.truncation,
        checkpointing=progress.plan.checkpointing,
        micro_batch=progress.micro,
        code_version=artifact.code_version(),
    )


def _measured_tokens(progress: Progress) -> int:
    """After each epoch the validation articles and the training sample; in the end the validation articles once more."""
    val, seen = (_count(progress, [example.text for example in rows]) for rows in (progress.val, progress.seen))
    return (val + seen) * progress.config.epochs + val


def _measuring_speed(progress: Progress) -> float:
    """Tokens a second when predicting."""
    probe = progress.val[:_PROBED]
    began = time.monotonic()
    progress.errors(probe)
    return _count(progress, [example.text for example in probe]) / max(time.monotonic() - began, 1e-9)


def _count(progress: Progress, texts: Sequence[str]) -> int:
    return sum(len(row) for row in tokens.encode(progress.tokenizer, texts, progress.reading))
