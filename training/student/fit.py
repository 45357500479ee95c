"""`lora`: adapters and a head learn on one processor or GPU; whatever kills a run, the next one goes on from a checkpoint."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import set_seed

from distillery_site.common.errors import BadInput

from . import artifact, bases, model, tokens, trainer
from .config import LoraConfig, to_json
from .data import Corpus
from .events import Emit
from .finish import Trained
from .progress import Progress


def fit(corpus: Corpus, config: LoraConfig, directory: Path, emit: Emit, base: Path) -> Trained:
    """Train or resume, take the best epoch, fold the scale into the head, and write plain PEFT."""
    started = time.monotonic()
    work = _work_folder(corpus, config, directory, emit)
    card, tokenizer, reading = bases.card(base), tokens.tokenizer_of(base), tokens.Reading.of(vars(config))
    set_seed(config.seed)
    scorer = model.build(base, tokenizer, config.pooling, len(corpus.outputs), config)
    truncation = _truncation(corpus, tokenizer, config, emit)
    scorer.to("cuda" if torch.cuda.is_available() else "cpu")
    progress = Progress(corpus, config, work, tokenizer, scorer, emit)
    trainer.train(scorer, trainer.Rows(progress.train, tokenizer, config), progress)
    scorer.fill(load_file(progress.epoch_file(progress.history.best.number)))
    scorer.fold()
    model.save(scorer, tokenizer, directory, card, reading)
    about = {**vars(card), "pad_token_id": tokenizer.pad_token_id, "pooling": config.pooling}
    manifest = artifact.describe(
        "lora", corpus, config, base=about, parameters=model.parameters(scorer), truncation=truncation,
        arithmetic={"training": "bf16" if trainer.bf16(config) else "fp32", "prediction": "fp32"},
    )  # fmt: skip
    return Trained(
        manifest, lambda texts: model.predict(scorer, tokenizer, texts, reading), progress.history, started=started
    )


def _work_folder(corpus: Corpus, config: LoraConfig, directory: Path, emit: Emit) -> Path:
    """Where checkpoints lie; those of another data set or configuration are thrown away."""
    work, key = directory / artifact.WORK, {"fingerprint": corpus.fingerprint, "config": to_json(config)}
    stored = work / "run.json"
    if stored.is_file() and json.loads(stored.read_text(encoding="utf-8")) != key:
        emit("note", text="The checkpoints here belong to another data set or configuration; training starts afresh.")
        shutil.rmtree(work)
    artifact.write_json(stored, key)
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
