"""What a training keeps while it goes on, and what it says of the articles before it starts."""

import json
import shutil
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from distillery_site.common.errors import BadInput

from . import artifact, parallel, tokens
from .config import Config, to_json
from .data import Corpus
from .events import Emit


class Limits(Protocol):
    """The options of a kind that reads tokens."""

    @property
    def max_tokens(self) -> int: ...

    @property
    def max_lost_share(self) -> float: ...


def folder(corpus: Corpus, config: Config, directory: Path, emit: Emit) -> Path:
    """Where checkpoints lie; those of another data set or configuration are thrown away."""
    work, key = directory / artifact.WORK, {"fingerprint": corpus.fingerprint, "config": to_json(config)}
    stored = work / "run.json"
    if parallel.is_main():
        if stored.is_file() and json.loads(stored.read_text(encoding="utf-8")) != key:
            emit("note", text="The checkpoints here belong to another data set or configuration; training starts afresh.")
            shutil.rmtree(work)
        artifact.write_json(stored, key)
    parallel.wait()
    return work


def truncation(corpus: Corpus, tokenizer: tokens.Tokenizer, config: Limits, emit: Emit) -> dict[str, Any]:
    """How much of the articles the token limit cuts away; refuses when the median article loses too much."""
    around = tokens.frame(tokenizer, tokens.Reading.of(vars(config)))
    found = np.array(tokens.lengths(tokenizer, [example.text for example in corpus.examples]))
    lost = np.maximum(0.0, 1.0 - around.room / np.maximum(found, 1))
    cut = {
        "max_tokens": config.max_tokens,
        "instruction_tokens": around.instruction_tokens,
        "share": float(np.mean(found > around.room)),
        "median_lost": float(np.median(lost)),
        "median_tokens": float(np.median(found)),
    }
    text = f"The median article has {cut['median_tokens']:.0f} tokens and loses {cut['median_lost']:.0%} of them"
    limit = f"the limit of {config.max_tokens}"
    if around.instruction_tokens:
        limit += f", of which the instruction takes {around.instruction_tokens}"
    if cut["median_lost"] > config.max_lost_share:
        raise BadInput(f"{text} to {limit}; max_lost_share allows {config.max_lost_share:.0%}: raise max_tokens.")
    emit("note", text=f"{text} to {limit}; {cut['share']:.0%} of the articles are cut.")
    return cut
