"""What a LoRA run measures after each epoch, kept beside its checkpoints so that a resumed run knows it too."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from .. import artifact, disk, history, parallel, tokens
from ..config import LoraConfig
from ..data import Corpus, Example, Floats, targets
from ..events import Emit
from ..metrics import mean_of_columns
from . import memory, model


class Progress:
    """One run's errors, weights and events, epoch by epoch; with `only`, of the first steps of one that isn't finished."""

    plan: memory.Plan
    micro: int

    def __init__(
        self,
        corpus: Corpus,
        config: LoraConfig,
        work: Path,
        tokenizer: tokens.Tokenizer,
        scorer: model.Scorer,
        emit: Emit,
        *,
        truncation: Mapping[str, Any] | None = None,
        began: float | None = None,
        only: bool = False,
    ):
        self.config, self.work, self.tokenizer, self.scorer, self.emit = config, work, tokenizer, scorer, emit
        self.outputs, self.truncation, self.only = corpus.outputs, dict(truncation or {}), only
        self.train, self.val = corpus.split("train"), corpus.split("val")
        self.seen = history.sample(config.train_sample, self.train, config.seed)
        self.history, self.reading = history.History(), tokens.Reading.of(vars(config))
        batches = math.ceil(len(self.train) / config.batch_size)
        self.steps_per_epoch = math.ceil(batches / config.accumulate)
        self.steps = self.steps_per_epoch * config.epochs
        self.measuring_s = self.setting_up_s = 0.0
        self.began = time.monotonic() if began is None else began

    def fits(self, micro: int, plan: memory.Plan) -> None:
        """How the training fits this machine, known just before its first step."""
        self.micro, self.plan = micro, plan
        self.setting_up_s = self.setting_up_s or time.monotonic() - self.began

    def epoch_file(self, number: int) -> Path:
        return self.work / "epochs" / f"{number}.safetensors"

    def measure(self, number: int, seconds: float) -> history.Epoch:
        """The errors of epoch `number`, its weights, and the history, in this order on disk."""
        began = time.monotonic()
        val, train = self.errors(self.val), self.errors(self.seen)
        self.measuring_s = time.monotonic() - began
        path = self.epoch_file(number)
        if parallel.is_main():
            with disk.minded(self.work):
                path.parent.mkdir(exist_ok=True)
                save_file(self.scorer.trainable(), path)
        epoch = history.Epoch(number, mean_of_columns(train), mean_of_columns(val), history.by_output(val), seconds)
        self.history.add(epoch, self.emit)
        self.store()
        return epoch

    def by_name(self, epoch: history.Epoch) -> dict[str, float]:
        """The validation MAE of each output that has one."""
        named = zip(self.outputs, epoch.val_mae_by_output, strict=True)
        return {f"eval_mae_{o.filter}.{o.dimension}": value for o, value in named if not math.isnan(value)}

    def store(self) -> None:
        if parallel.is_main() and not self.only:
            with disk.minded(self.work):
                artifact.write_json(self.work / "history.json", self.history.to_json())

    def resume(self, step: int) -> None:
        """Know again what was known at `step`; what came later will be done again."""
        path = self.work / "history.json"
        if path.is_file():
            stored = json.loads(path.read_text(encoding="utf-8"))
            self.history = history.History.from_json(stored, step, step // self.steps_per_epoch)

    def forget(self) -> None:
        """Start from nothing, unless there is something to resume from."""
        self.history = history.History()

    def prune(self) -> None:
        """Only the weights that may still be chosen stay: the best epoch's, and the last ones that may be averaged."""
        numbers = [epoch.number for epoch in self.history.epochs]
        if numbers:
            kept = {self.history.best.number, *numbers[-self.config.average :]}
            for number in set(numbers) - kept:
                self.epoch_file(number).unlink(missing_ok=True)

    def take_the_best(self) -> dict[str, Any] | None:
        """Fill the scorer with the weights of the best epoch, or with the mean of the last ones where that is better.

        What was averaged, for the manifest; None where nothing was to be.
        """
        best = self.history.best
        mean = self._averaged() if self.config.average > 1 else None
        if mean is None or not mean["kept"]:
            self.scorer.fill(load_file(self.epoch_file(best.number)))
        return mean

    def _averaged(self) -> dict[str, Any]:
        """The scorer holds the mean of the last epochs' weights afterwards."""
        best, numbers = self.history.best, [epoch.number for epoch in self.history.epochs][-self.config.average :]
        weights = [load_file(self.epoch_file(number)) for number in numbers]
        self.scorer.fill({name: torch.stack([w[name] for w in weights]).mean(0) for name in weights[0]})
        mae = mean_of_columns(self.errors(self.val))
        kept = bool(mae < best.val_mae)
        text = f"The mean of the weights of the epochs {numbers[0]}–{numbers[-1]} has a validation MAE of {mae:.4f}"
        verdict = f"epoch {best.number} alone {best.val_mae:.4f}: {'the mean' if kept else 'the epoch'} is kept."
        self.emit("note", text=f"{text}, {verdict}")
        return {"epochs": numbers, "val_mae": mae, "kept": kept}

    def remembered_micro(self) -> int | None:
        """How many articles at a time fitted when memory had run out before."""
        path = self.work / "memory.json"
        return json.loads(path.read_text(encoding="utf-8"))["micro_batch"] if path.is_file() else None

    def remember_micro(self, micro: int) -> None:
        if parallel.is_main():
            artifact.write_json(self.work / "memory.json", {"micro_batch": micro})

    def errors(self, examples: Sequence[Example]) -> Floats:
        """[n, outputs] absolute errors now, in eval mode."""
        texts = [example.text for example in examples]
        return history.errors(targets(examples), model.predict(self.scorer, self.tokenizer, texts, self.reading))
