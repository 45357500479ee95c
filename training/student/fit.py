"""`lora`: adapters and a head learn, on one device or several; whatever kills a run, the next goes on from a checkpoint."""

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import set_seed

from distillery_site.common.errors import BadInput

from . import artifact, bases, model, parallel, tokens, trainer
from .config import LoraConfig, to_json
from .data import Corpus
from .events import Emit
from .finish import Trained
from .progress import Progress
from .rows import Rows


def fit(corpus: Corpus, config: LoraConfig, directory: Path, emit: Emit, base: Path) -> Trained:
    """Train or resume, take the best epoch, fold the scale into the head, and write plain PEFT."""
    started = time.monotonic()
    work = _work_folder(corpus, config, directory, emit)
    progress = _trained(corpus, config, work, emit, base, started)
    parallel.leave_the_rest_to_the_main_process()
    averaged = progress.take_the_best()
    scorer, tokenizer, reading, card = progress.scorer, progress.tokenizer, progress.reading, bases.card(base)
    scorer.fold()
    model.save(scorer, tokenizer, directory, card, reading)
    about = {**vars(card), "pad_token_id": tokenizer.pad_token_id, "pooling": config.pooling}
    more = {} if averaged is None else {"averaged": averaged}
    manifest = artifact.describe(
        "lora", corpus, config, base=about, parameters=model.parameters(scorer), truncation=progress.truncation,
        arithmetic={"training": "bf16" if trainer.bf16(config) else "fp32", "prediction": "fp32"},
        processes=parallel.count(), micro_batch=progress.micro, checkpointing=progress.plan.checkpointing, **more,
    )  # fmt: skip
    return Trained(manifest, lambda texts: model.predict(scorer, tokenizer, texts, reading), progress.history, started=started)


def foretell(corpus: Corpus, config: LoraConfig, emit: Emit, base: Path) -> None:
    """Take the first steps, say what they mean for the whole (the `estimate` event), and leave nothing behind."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="estimate-") as folder:
        _trained(corpus, config, Path(folder) / artifact.WORK, emit, base, started, only=True)


def _trained(
    corpus: Corpus, config: LoraConfig, work: Path, emit: Emit, base: Path, began: float, *, only: bool = False
) -> Progress:
    """Everything up to the last step."""
    tokenizer = tokens.tokenizer_of(base)
    set_seed(config.seed)
    truncation = _truncation(corpus, tokenizer, config, emit)
    scorer = model.build(base, tokenizer, config.pooling, len(corpus.outputs), config)
    scorer.to("cuda" if torch.cuda.is_available() else "cpu")
    progress = Progress(corpus, config, work, tokenizer, scorer, emit, truncation=truncation, began=began, only=only)
    trainer.train(scorer, Rows(progress.train, tokenizer, config), progress)
    return progress


def _work_folder(corpus: Corpus, config: LoraConfig, directory: Path, emit: Emit) -> Path:
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


def _truncation(corpus: Corpus, tokenizer: tokens.Tokenizer, config: LoraConfig, emit: Emit) -> dict[str, Any]:
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
