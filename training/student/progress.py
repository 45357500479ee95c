"""What a LoRA run measures after each epoch, kept beside its checkpoints so that a resumed run knows it too."""

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save_file

from . import artifact, history, model, tokens
from .config import LoraConfig
from .data import Corpus, Example, Floats, targets
from .events import Emit
from .metrics import mean_of_columns


class Progress:
    """One run's errors, weights and events, epoch by epoch."""

    def __init__(
        self, corpus: Corpus, config: LoraConfig, work: Path, tokenizer: tokens.Tokenizer, scorer: model.Scorer, emit: Emit
    ):
        self.config, self.work, self.tokenizer, self.scorer, self.emit = config, work, tokenizer, scorer, emit
        self.train, self.val = corpus.split("train"), corpus.split("val")
        self.seen = history.sample(config.train_sample, self.train, config.seed)
        self.history, self.reading = history.History(), tokens.Reading.of(vars(config))
        batches = math.ceil(len(self.train) / config.batch_size)
        self.steps_per_epoch = math.ceil(batches / config.accumulate)
        self.steps = self.steps_per_epoch * config.epochs
        self.measuring_s = 0.0

    def epoch_file(self, number: int) -> Path:
        return self.work / "epochs" / f"{number}.safetensors"

    def measure(self, number: int, seconds: float) -> None:
        """The errors of epoch `number`, its weights, and the history, in this order on disk."""
        began = time.monotonic()
        val, train = self._errors(self.val), self._errors(self.seen)
        self.measuring_s = time.monotonic() - began
        path = self.epoch_file(number)
        path.parent.mkdir(exist_ok=True)
        save_file(self.scorer.trainable(), path)
        epoch = history.Epoch(number, mean_of_columns(train), mean_of_columns(val), history.by_output(val), seconds)
        self.history.add(epoch, self.emit)
        self.store()

    def store(self) -> None:
        artifact.write_json(self.work / "history.json", self.history.to_json())

    def resume(self, step: int) -> None:
        """Know again what was known at `step`; what came later will be done again."""
        path = self.work / "history.json"
        if path.is_file():
            stored = json.loads(path.read_text(encoding="utf-8"))
            self.history = history.History.from_json(stored, step, step // self.steps_per_epoch)

    def _errors(self, examples: Sequence[Example]) -> Floats:
        texts = [example.text for example in examples]
        return history.errors(targets(examples), model.predict(self.scorer, self.tokenizer, texts, self.reading))
