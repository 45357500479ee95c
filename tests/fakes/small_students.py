"""A tiny corpus that can be learned, and trained students of each kind, made once a test run."""

import atexit
import functools
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.fakes.tiny_base import WORDS, make_tiny_base
from training.student import __main__ as command
from training.student.data import Corpus, Example, Output, write_corpus

OUTPUTS = (Output("gloom", 1, "crisis"), Output("gloom", 1, "strike"), Output("cheer", 2, "school"))


@dataclass
class Done:
    """How a command ended, and what it said."""

    code: int
    events: list[dict[str, Any]]

    def named(self, event: str) -> list[dict[str, Any]]:
        return [said for said in self.events if said["event"] == event]


GLOOMY, CHEERFUL = WORDS[13:16] + WORDS[21:24], WORDS[17:20] + WORDS[25:27] + WORDS[32:36]


def article(rng: random.Random) -> str:
    """Words of which a gloomy and a cheerful share were drawn beforehand."""
    gloomy, cheerful = rng.random() ** 2, rng.random()
    pools = (GLOOMY, CHEERFUL, WORDS)
    return " ".join(rng.choice(rng.choices(pools, (gloomy, cheerful, 0.5))[0]) for _ in range(rng.randint(8, 40)))


def scores(text: str, number: int) -> tuple[float | None, ...]:
    """What an oracle that counts words would say; the second is rare, and every fifth article has none."""
    words = text.split()
    gloom, cheer = (10 * sum(word in pool for word in words) / len(words) for pool in (GLOOMY, CHEERFUL))
    return (gloom, None if number % 5 == 0 else min(10.0, 4.0 * words.count("strike")), cheer)


def corpus(train: int = 96, val: int = 32, seed: int = 0) -> Corpus:
    rng = random.Random(seed)
    texts = [article(rng) for _ in range(train + val)]
    examples = tuple(Example(f"a{i}", text, scores(text, i), "train" if i < train else "val") for i, text in enumerate(texts))
    return Corpus(
        "words", f"{seed:064d}", OUTPUTS, {"fields": ["text"], "max_words": 400}, {"gloom": "g", "cheer": "c"}, examples
    )


def write(directory: Path, **changes: Any) -> Path:
    """The corpus as a data folder, some of its fields changed."""
    write_corpus(directory, replace(corpus(), **changes))
    return directory


def run(*arguments: str | Path, **options: Any) -> Done:
    """`python -m training.student fit …` in this process; `options` become its configuration file."""
    events: list[dict[str, Any]] = []
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(options, file)
        file.flush()
        parts = ["fit", *map(str, arguments), "--config", file.name]
        return Done(command.main(parts, lambda event, **values: events.append({"event": event, **values})), events)


@dataclass(frozen=True)
class Cast:
    """Folders of a data set, a base model and a student of each kind, for reading only; copy one before changing it."""

    data: Path
    base: Path
    ridge: Path
    kernel: Path
    lora: Path
    lora_mean: Path
    stack: Path
    said: dict[str, Done]

    def of(self, kind: str) -> Path:
        path: Path = getattr(self, kind)
        return path


@functools.cache
def cast() -> Cast:
    """Train them all; a second asker gets the same folders, which go when the process ends."""
    import torch

    torch.set_num_threads(1)
    root = Path(tempfile.mkdtemp(prefix="distillery-students-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    data, base = write(root / "data"), make_tiny_base(root / "bases" / "tiny")
    models = {kind: root / "models" / f"words-{kind}" / "v1" for kind in ("ridge", "kernel", "lora", "lora_mean", "stack")}
    on_base = ("--data", data, "--base", base, "--out")
    lora = ("--kind", "lora", *on_base)
    steps: dict[str, Callable[[], Done]] = {
        "ridge": lambda: run("--kind", "ridge", "--data", data, "--out", models["ridge"]),
        "kernel": lambda: run("--kind", "kernel", *on_base, models["kernel"], max_tokens=64, max_lost_share=1.0),
        "lora": lambda: run(*lora, models["lora"], preset="tiny"),
        "lora_mean": lambda: run(*lora, models["lora_mean"], preset="tiny", pooling="mean", learning_rate=1e-2, epochs=4),
        "stack": lambda: run(
            "--kind", "stack", "--data", data, "--out", models["stack"], "--member", models["ridge"], "--member", models["lora"]
        ),
    }
    said = {kind: step() for kind, step in steps.items()}
    return Cast(data, base, **models, said=said)
