"""Turns the Trainer's hooks into events, checkpoints and measurements."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from distillery_site.common.errors import Permanent

from .. import parallel
from . import estimate, model
from .progress import Progress

if TYPE_CHECKING:
    from .trainer import ScoreTrainer

_EVENT_SECONDS = 2.0
_MOVED_BY = 8  # optimiser steps after which every LoRA B must have left zero


class Watch(TrainerCallback):
    def __init__(self, progress: Progress, trainer: "ScoreTrainer"):
        self.progress, self.trainer = progress, trainer
        self.first = self.said_step = 0
        self.epoch_began = self.said = time.monotonic()
        self.busy_s = 0.0  # in steps alone, without measuring and saving
        self.warm = (0.0, 0)  # seconds and tokens of the first step, which is slower than the others
        self.mark = self.epoch_began

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.max_steps != self.progress.steps:
            raise Permanent(f"The Trainer plans {state.max_steps} steps where {self.progress.steps} were expected.")
        self.first = self.said_step = state.global_step
        self.epoch_began = self.mark = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        now, step = time.monotonic(), state.global_step
        self.busy_s += now - self.mark
        self.mark = now
        taken = step - self.first
        if taken == 1:
            self.warm = (self.busy_s, self.trainer.tokens_seen)
        if taken == min(_MOVED_BY, self.progress.steps - self.first):
            self._insist_that_adapters_move(step)
        if now - self.said >= _EVENT_SECONDS or step == state.max_steps:
            self._say(step, float(kwargs["lr_scheduler"].get_last_lr()[0]))
            self.said, self.said_step = now, step
        if taken == min(estimate.STEPS, self.progress.steps - self.first):
            self._foretell(taken)
            control.should_training_stop = bool(self.progress.only)
        # An epoch's last step is saved after it was measured: a checkpoint there means a measured epoch.
        inside = step % self.progress.config.save_steps == 0 and step % self.progress.steps_per_epoch
        control.should_save = bool(inside) and not self.progress.only

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.progress.only:
            return
        number = state.global_step // self.progress.steps_per_epoch
        epoch = self.progress.measure(number, time.monotonic() - self.epoch_began)
        self._log({"mae": epoch.train_mae, "eval_mae": epoch.val_mae, **self.progress.by_name(epoch)})
        control.should_save = True

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.epoch_began = self.mark = time.monotonic()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if parallel.is_main():
            self.progress.store()
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / "complete").touch()
            self.progress.prune()
        self.mark = time.monotonic()

    def _insist_that_adapters_move(self, step: int) -> None:
        still = model.unmoved(self.progress.scorer)
        if still and not self.trainer.erred:
            self.progress.emit("note", text="The first steps found no error: every target is its output's mean already.")
            return
        if still and step >= _MOVED_BY // 2:
            raise Permanent(f"After {step} steps {len(still)} adapters have not moved ({still[0]} …): they are frozen.")

    def _say(self, step: int, rate: float) -> None:
        progress, losses = self.progress, self.trainer.losses
        loss = sum(losses) / (step - self.said_step)
        losses.clear()
        progress.history.loss.append((step, loss))
        left, epochs_left = progress.steps - step, progress.config.epochs - step // progress.steps_per_epoch
        eta = self.busy_s / (step - self.first) * left + progress.measuring_s * epochs_left
        speed = self.trainer.tokens_seen / self.busy_s
        progress.emit("step", step=step, steps=progress.steps, epoch=step / progress.steps_per_epoch, loss=loss, lr=rate,
                      eta_s=eta, tokens_per_s=speed)  # fmt: skip
        self._log({"loss": loss, "learning_rate": rate, "tokens_per_s": speed})

    def _foretell(self, taken: int) -> None:
        seconds, tokens = self.busy_s, self.trainer.tokens_seen
        if taken > 1:
            seconds, tokens = seconds - self.warm[0], tokens - self.warm[1]
        estimate.foretell(self.progress, tokens / max(seconds, 1e-9))
        self.mark = time.monotonic()

    def _log(self, figures: dict[str, float]) -> None:
        """To every tracker that listens; the Trainer would also keep them all in each checkpoint."""
        self.trainer.log(figures)
        self.trainer.state.log_history.clear()
