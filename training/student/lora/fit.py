"""`lora`: adapters and a head learn, on one device or several; whatever kills a run, the next goes on from a checkpoint."""

import tempfile
import time
from pathlib import Path

import torch
from transformers import set_seed

from .. import artifact, parallel, tokens, work
from ..bases import store
from ..config import LoraConfig
from ..data import Corpus
from ..events import Emit
from ..finish import Trained
from . import model, trainer
from .progress import Progress
from .rows import Rows


def fit(corpus: Corpus, config: LoraConfig, directory: Path, emit: Emit, base: Path) -> Trained:
    """Train or resume, take the best epoch, fold the scale into the head, and write plain PEFT."""
    started = time.monotonic()
    folder = work.folder(corpus, config, directory, emit)
    progress = _trained(corpus, config, folder, emit, base, started)
    parallel.leave_the_rest_to_the_main_process()
    averaged = progress.take_the_best()
    scorer, tokenizer, reading, card = progress.scorer, progress.tokenizer, progress.reading, store.card(base)
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
    with tempfile.TemporaryDirectory(prefix="estimate-") as place:
        _trained(corpus, config, Path(place) / artifact.WORK, emit, base, started, only=True)


def _trained(
    corpus: Corpus, config: LoraConfig, folder: Path, emit: Emit, base: Path, began: float, *, only: bool = False
) -> Progress:
    """Everything up to the last step."""
    tokenizer = tokens.tokenizer_of(base)
    set_seed(config.seed)
    truncation = work.truncation(corpus, tokenizer, config, emit)
    scorer = model.build(base, tokenizer, config.pooling, len(corpus.outputs), config)
    scorer.to("cuda" if torch.cuda.is_available() else "cpu")
    progress = Progress(corpus, config, folder, tokenizer, scorer, emit, truncation=truncation, began=began, only=only)
    trainer.train(scorer, Rows(progress.train, tokenizer, config), progress)
    return progress
