"""Hugging Face's Trainer, made to learn scores: a masked loss, a repeatable order, small checkpoints, events."""

import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from distillery_site.common.errors import Permanent

from . import history, model, tokens
from .config import LoraConfig
from .data import Example, targets
from .progress import Progress

_EVENT_SECONDS = 2.0
_MOVED_BY = 8  # optimiser steps after which every LoRA B must have left zero
_MULTIPLE = 16  # widths are rounded up to this: fewer shapes, less memory
_DIRECTION_TEXTS = 64


def bf16(config: LoraConfig) -> bool:
    """Whether training runs in bf16: asked for, or "auto" on a processor that has it."""
    if config.autocast != "auto":
        return config.autocast == "bf16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def train(scorer: model.Scorer, rows: "Rows", progress: Progress) -> None:
    """From the newest complete checkpoint, or from the start, to the last step."""
    config, checkpoints = progress.config, progress.work / "checkpoints"
    start(scorer, rows, config)
    _warn(config, progress)
    if config.checkpointing == "on":
        scorer.model.gradient_checkpointing_enable({"use_reentrant": False})
    trainer = ScoreTrainer(model=scorer, args=_arguments(config, checkpoints), train_dataset=rows, data_collator=rows.collate)
    trainer.squared = config.loss == "mse"
    trainer.remove_callback(PrinterCallback)  # it prints to stdout, which carries events
    trainer.add_callback(Watch(progress, trainer))
    trainer.train(resume_from_checkpoint=_resume_from(checkpoints, progress))
    if config.checkpointing == "on":
        scorer.model.gradient_checkpointing_disable()


def _resume_from(checkpoints: Path, progress: Progress) -> str | None:
    last = _last_complete(checkpoints)
    if last is None:
        return None
    step = int(last.name.rpartition("-")[2])
    progress.resume(step)
    progress.emit("note", text=f"Resumed from the checkpoint at step {step} of {progress.steps}.")
    return str(last)


def _arguments(config: LoraConfig, checkpoints: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulate,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule if config.schedule != "constant" else "constant_with_warmup",
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        bf16=bf16(config),
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        remove_unused_columns=False,
        save_strategy="no",  # Watch asks for checkpoints
        save_total_limit=2,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=config.seed,
    )


def _warn(config: LoraConfig, progress: Progress) -> None:
    if not config.standardise:
        progress.emit("note", text="Warning: the head starts at zero and learns raw scores, far from every mean; expect a bad "
                      "start. `standardise` begins at each output's mean instead.")  # fmt: skip
    if config.warmup >= progress.steps_per_epoch:
        progress.emit("note", text=f"Warning: a warm-up of {config.warmup:.0f} steps is longer than the first epoch "
                      f"({progress.steps_per_epoch} steps); the student hardly learns until then.")  # fmt: skip


def _last_complete(checkpoints: Path) -> Path | None:
    """The newest checkpoint whose marker was written, which happens after all its files."""
    done = [path.parent for path in checkpoints.glob("checkpoint-*/complete")]
    for path in checkpoints.glob("checkpoint-*"):
        if path not in done:
            shutil.rmtree(path)
    return max(done, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


class Rows(torch.utils.data.Dataset[dict[str, Any]]):
    """The training articles as token ids, with their targets in units of each output's spread."""

    def __init__(self, examples: Sequence[Example], tokenizer: tokens.Tokenizer, config: LoraConfig):
        self.ids = [example.id for example in examples]
        self.pad_token = tokenizer.pad_token_id
        self.tokens = tokens.encode(tokenizer, [example.text for example in examples], tokens.Reading.of(vars(config)))
        truth = targets(examples)
        self.mean = np.nan_to_num(np.array([np.nanmean(c) if not np.isnan(c).all() else 0.0 for c in truth.T]))
        spread = np.array([np.nanstd(c) if not np.isnan(c).all() else 0.0 for c in truth.T])
        self.scale = np.where(spread > 1e-6, spread, 1.0) if config.standardise else np.ones(truth.shape[1])
        self.targets = torch.tensor(truth / self.scale, dtype=torch.float32)
        self.weights = torch.tensor([example.weight for example in examples], dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"row": index}

    def collate(self, items: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        rows = [item["row"] for item in items]
        inputs = tokens.pad([self.tokens[i] for i in rows], self.pad_token, _MULTIPLE)
        return {**inputs, "labels": self.targets[rows], "weights": self.weights[rows], "rows": torch.tensor(rows)}


class ByLength(torch.utils.data.Sampler[int]):
    """A fresh shuffle each epoch, batches of like length; the same seed and epoch give the same order, also when resumed."""

    def __init__(self, lengths: Sequence[int], batch: int, seed: int):
        self.lengths, self.batch, self.seed, self.epoch = np.array(lengths), batch, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(len(self.lengths))
        pool = self.batch * 32
        groups: list[list[int]] = []
        for begin in range(0, len(order), pool):
            part = order[begin : begin + pool]
            part = part[np.argsort(-self.lengths[part], kind="stable")]
            groups += [part[i : i + self.batch].tolist() for i in range(0, len(part), self.batch)]
        full, rest = [g for g in groups if len(g) == self.batch], [g for g in groups if len(g) < self.batch]
        for i in rng.permutation(len(full)):
            yield from full[i]
        for group in rest:  # last, or it would shift every batch behind it
            yield from group


class ScoreTrainer(Trainer):
    """The masked loss, the deterministic order, and checkpoints of trained tensors only."""

    squared = False
    tokens_seen = 0

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.losses: list[float] = []  # of the batches since Watch last looked

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Weighted mean over the known targets of |difference| (or its square), in units of each output's spread."""
        found = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).float()
        loss = masked_loss(found, inputs["labels"], inputs["weights"], squared=self.squared)
        self.losses.append(float(loss.detach()))
        if not math.isfinite(self.losses[-1]):
            rows: Rows = self.train_dataset  # type: ignore[assignment]
            names = ", ".join(rows.ids[i] for i in inputs["rows"].tolist())
            raise Permanent(f"The loss became {self.losses[-1]} at step {self.state.global_step + 1}, on the articles {names}.")
        self.tokens_seen += int(inputs["attention_mask"].sum())
        return (loss, found) if return_outputs else loss

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        rows: Rows = self.train_dataset  # type: ignore[assignment]
        return ByLength([len(row) for row in rows.tokens], self.args.per_device_train_batch_size, self.args.seed)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        target = Path(output_dir or self.args.output_dir or ".")
        target.mkdir(parents=True, exist_ok=True)
        scorer: model.Scorer = self.model  # type: ignore[assignment]
        save_file(scorer.trainable(), target / "trainable.safetensors")

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        scorer: Any = self.model
        scorer.fill(load_file(Path(resume_from_checkpoint) / "trainable.safetensors"))


def masked_loss(found: Tensor, labels: Tensor, weights: Tensor, *, squared: bool = False) -> Tensor:
    """Null targets (NaN) count neither in the sum nor in the mean."""
    known = ~torch.isnan(labels)
    difference = torch.where(known, found - torch.nan_to_num(labels), torch.zeros_like(found))
    share = known * weights[:, None]
    return ((difference**2 if squared else difference.abs()) * share).sum() / share.sum().clamp(min=1e-9)


class Watch(TrainerCallback):
    """Turns the Trainer's hooks into events, checkpoints and measurements."""

    def __init__(self, progress: Progress, trainer: ScoreTrainer):
        self.progress, self.trainer = progress, trainer
        self.first = 0
        self.epoch_began = self.said = time.monotonic()
        self.busy_s = 0.0  # in steps alone, without measuring and saving
        self.mark = self.epoch_began

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.max_steps != self.progress.steps:
            raise Permanent(f"The Trainer plans {state.max_steps} steps where {self.progress.steps} were expected.")
        self.first = state.global_step
        self.epoch_began = self.mark = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        now, step = time.monotonic(), state.global_step
        self.busy_s += now - self.mark
        self.mark = now
        if step - self.first == min(_MOVED_BY, self.progress.steps - self.first):
            self._insist_that_adapters_move(step)
        if now - self.said >= _EVENT_SECONDS or step == state.max_steps:
            self._say(step, float(kwargs["lr_scheduler"].get_last_lr()[0]))
            self.said = now
        # An epoch's last step is saved after it was measured: a checkpoint there means a measured epoch.
        if step % self.progress.config.save_steps == 0 and step % self.progress.steps_per_epoch:
            control.should_save = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        number = state.global_step // self.progress.steps_per_epoch
        self.progress.measure(number, time.monotonic() - self.epoch_began)
        control.should_save = True

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.epoch_began = self.mark = time.monotonic()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.progress.store()
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / "complete").touch()
        self.mark = time.monotonic()

    def _insist_that_adapters_move(self, step: int) -> None:
        still = model.unmoved(self.progress.scorer)
        if still and step >= _MOVED_BY // 2:
            raise Permanent(f"After {step} steps {len(still)} adapters have not moved ({still[0]} …): they are frozen.")

    def _say(self, step: int, rate: float) -> None:
        progress, losses = self.progress, self.trainer.losses
        loss = sum(losses) / len(losses)
        losses.clear()
        progress.history.loss.append((step, loss))
        left, epochs_left = progress.steps - step, progress.config.epochs - step // progress.steps_per_epoch
        eta = self.busy_s / (step - self.first) * left + progress.measuring_s * epochs_left
        progress.emit("step", step=step, steps=progress.steps, epoch=step / progress.steps_per_epoch, loss=loss, lr=rate,
                      eta_s=eta, tokens_per_s=self.trainer.tokens_seen / self.busy_s)  # fmt: skip


@torch.no_grad()
def start(scorer: model.Scorer, rows: Rows, config: LoraConfig) -> None:
    """Set the scale, and the head so that every first prediction is (nearly) its output's mean; raw recipes begin at zero.

    An own head has a bias for that. The stock head has none: there the mean rides on the direction u of the base's
    vectors in which all articles agree (least squares of u · h = 1), so its weights begin as mean ⊗ u.
    """
    device = scorer.scale.device
    scorer.scale.copy_(torch.tensor(rows.scale, dtype=torch.float32))
    scorer.final.weight.zero_()
    if scorer.final.bias is not None:
        scorer.final.bias.zero_()
    if not config.standardise:
        return
    mean = torch.tensor(rows.mean / rows.scale, dtype=torch.float32, device=device)
    if scorer.final.bias is not None:
        scorer.final.bias.copy_(mean)
    else:
        scorer.final.weight.copy_(torch.outer(mean, _common_direction(scorer, rows, config.seed)))


def _common_direction(scorer: model.Scorer, rows: Rows, seed: int) -> Tensor:
    """u with u · h ≈ 1 for the last token's vector h of a sample of articles; ridge keeps it from memorising them."""
    found, device = [], scorer.scale.device
    with model.evaluating(scorer):
        for i in history.sample(_DIRECTION_TEXTS, range(len(rows)), seed):
            inputs = {name: value.to(device) for name, value in tokens.pad([rows.tokens[i]], rows.pad_token).items()}
            found.append(scorer.backbone(**inputs)[0, -1].float())
    vectors = torch.stack(found)
    gram = vectors @ vectors.T
    gram += 0.01 * gram.diagonal().mean() * torch.eye(len(found), device=device)
    direction = vectors.T @ torch.linalg.solve(gram, torch.ones(len(found), device=device))
    return (direction / (vectors @ direction).mean()).clone()
