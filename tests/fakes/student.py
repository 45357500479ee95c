"""A student without weights: its answers can be worked out by hand from the words of a text."""

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.student.data import Output

OUTPUTS = [Output("uplifting", 1, "impact"), Output("uplifting", 1, "evidence")]


def answer(text: str) -> list[float]:
    """Words and characters, in tenths; long texts leave the 0–10 scale, as real raw scores do."""
    return [len(text.split()) / 10, len(text) / 10]


@dataclass
class FakeStudent:
    kind: str = "fake"
    says: Callable[[str], list[float]] = answer
    outputs: list[Output] = field(default_factory=lambda: list(OUTPUTS))
    view: dict = field(default_factory=dict)
    batches: list[list[str]] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()

    def predict(self, texts: list[str]) -> np.ndarray:
        self.batches.append(texts)
        self.asked.set()
        self.may_answer.wait(10)
        return np.array([self.says(text) for text in texts])


def shelve(root: Path, ref: str = "news-fake/v1") -> str:
    """Put a folder with a manifest where an engine looks for it; its hash comes back."""
    folder = root / ref
    folder.mkdir(parents=True)
    manifest = json.dumps({"kind": "fake", "ref": ref}).encode()
    (folder / "manifest.json").write_bytes(manifest)
    return hashlib.sha256(manifest).hexdigest()
