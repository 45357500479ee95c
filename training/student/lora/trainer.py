"""Hugging Face's Trainer, made to learn scores: a masked loss, a repeatable order, small checkpoints, events.

`accelerate launch --num_processes N -m training.student fit …` trains on N GPUs. A batch is shared out among them, so the
student is that of one process up to rounding and the draws of dropout.
"""

import gc
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed

from distillery_site.common.errors import BadInput, Permanent, Transient

from .. import disk, parallel
from ..config import LoraConfig
from . import logs, memory, model, structure
from .head import start
from .progress import Progress
from .rows import ByLength, Rows
from .watch import Watch

_CALM = 1e-9  # keeps a batch without any target from dividing by zero


def bf16(config: LoraConfig) -> bool:
    """Whether training runs in bf16: asked for, or "auto" on a processor that has it."""
    if config.autocast != "auto":
        return config.autocast == "bf16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def train(scorer: model.Scorer, rows: Rows, progress: Progress) -> None:
    """From the newest complete checkpoint, or from the start, to the last step.

    Where memory runs out, from the newest checkpoint again with half as many articles at a time, in the same batches.
    """
    start(scorer, rows, progress.config)
    _warn(progress)
    first = {name: value.clone() for name, value in scorer.trainable().items()}
    tensorboard = logs.Tensorboard(progress.work.parent / "reports" / "tensorboard")
    micro = _micro_batch(progress)
    while not _trained(scorer, rows, progress, micro, tensorboard):
        micro = _fewer_at_a_time(progress, micro)
        scorer.fill(first)  # a checkpoint, where there is one, is read over it
        set_seed(progress.config.seed)
    scorer.stock.activation_checkpointing_disable()


def _trained(scorer: model.Scorer, rows: Rows, progress: Progress, micro: int, tensorboard: logs.Tensorboard) -> bool:
    """Whether it went through to the end; False where memory ran out."""
    scorer.stock.activation_checkpointing_disable()
    progress.fits(micro, _plan(scorer, rows, progress.config, micro))
    trainer = _trainer(scorer, rows, progress, tensorboard)
    try:
        trainer.train(resume_from_checkpoint=_resume_from(progress))
    except (RuntimeError, MemoryError) as error:
        if not memory.ran_out(error):
            raise
    else:
        return True
    del trainer  # with its optimizer and the gradients
    scorer.zero_grad()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False


def _trainer(scorer: model.Scorer, rows: Rows, progress: Progress, tensorboard: logs.Tensorboard) -> "ScoreTrainer":
    if progress.plan.checkpointing:
        scorer.stock.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    trainer = ScoreTrainer(model=scorer, args=_arguments(progress), train_dataset=rows, data_collator=rows.collate)
    trainer.recipe = progress.config
    trainer.remove_callback(PrinterCallback)  # it prints to stdout, which carries events
    trainer.add_callback(Watch(progress, trainer))
    if parallel.is_main() and not progress.only:
        watchers: list[Any] = [tensorboard, *logs.trackers(progress.emit)]
        for watcher in watchers:
            trainer.add_callback(watcher)
    return trainer


def _plan(scorer: model.Scorer, rows: Rows, config: LoraConfig, micro: int) -> memory.Plan:
    """From what the backward pass of the longest article will need, counted on its forward pass."""
    longest = max(rows.tokens, key=len)
    device = scorer.scale.device

    def forward(count: int) -> Tensor:
        found = rows.collate([{"row": rows.tokens.index(longest)}] * count)
        inputs = {name: found[name].to(device) for name in ("input_ids", "attention_mask")}
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16(config)):
            return scorer.score(**inputs)

    scorer.train()
    try:
        need = memory.kept(forward, scorer)
    except (RuntimeError, MemoryError) as error:
        if not memory.ran_out(error):
            raise
        return memory.Plan(config.checkpointing != "off", memory.of_device())
    depth = max(structure.depths(name for name, _ in scorer.named_parameters()).values()) + 1
    layer_input = len(longest) * structure.width(scorer.stock) * (2 if bf16(config) else 4)
    return memory.plan(config.checkpointing, need, micro, depth, layer_input, scorer)


def _micro_batch(progress: Progress) -> int:
    """Articles that one process reads at a time: all of its share of a batch, or what fitted before it was killed."""
    batch, processes = progress.config.batch_size, parallel.count()
    if batch % processes:
        raise BadInput(f"A batch of {batch} articles can't be shared out among {processes} processes; change batch_size.")
    return min(batch // processes, progress.remembered_micro() or batch)


def _fewer_at_a_time(progress: Progress, micro: int) -> int:
    """The next smaller micro-batch; Permanent at one article, Transient where other processes wait in the same step."""
    if micro == 1:
        raise Permanent(
            f"{memory.device()} has too little memory for this training, even with one article at a time: lower max_tokens or "
            "rank, set checkpointing on, or take a smaller base."
        )
    fewer = memory.smaller(micro)
    progress.remember_micro(fewer)
    said = f"Memory ran out with {micro} articles at a time; it goes on with {fewer}, in batches of the same size."
    if parallel.count() > 1:
        raise Transient(said, retry_after=1)
    progress.emit("note", text=said)
    progress.forget()
    return fewer


def _resume_from(progress: Progress) -> str | None:
    last = None if progress.only else _last_complete(progress.work / "checkpoints")
    if last is None:
        return None
    step = int(last.name.rpartition("-")[2])
    progress.resume(step)
    progress.emit("note", text=f"Resumed from the checkpoint at step {step} of {progress.steps}.")
    return str(last)


def _arguments(progress: Progress) -> TrainingArguments:
    config = progress.config
    arguments = TrainingArguments(
        output_dir=str(progress.work / "checkpoints"),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=progress.micro,
        gradient_accumulation_steps=config.accumulate * config.batch_size // (progress.micro * parallel.count()),
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule if config.schedule != "constant" else "constant_with_warmup",
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        bf16=bf16(config),
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
        remove_unused_columns=False,
        save_strategy="no",  # Watch asks for checkpoints
        save_total_limit=2,
        logging_strategy="no",
        report_to="none",  # Watch and logs.py
        disable_tqdm=True,
        seed=config.seed,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several GPUs are for several processes, not for DataParallel's threads
    return arguments


def _warn(progress: Progress) -> None:
    config = progress.config
    if not config.standardise:
        progress.emit("note", text="Warning: the head starts at zero and learns raw scores, far from every mean; expect a bad "
                      "start. `standardise` begins at each output's mean instead.")  # fmt: skip
    if config.warmup >= progress.steps_per_epoch:
        progress.emit("note", text=f"Warning: a warm-up of {config.warmup:.0f} steps is longer than the first epoch "
                      f"({progress.steps_per_epoch} steps); the student hardly learns until then.")  # fmt: skip
    idle = torch.cuda.device_count() - parallel.count() if torch.cuda.is_available() else 0
    if idle > 0:
        progress.emit("note", text=f"{idle} more GPUs could help: start the training with `accelerate launch`.")


def _last_complete(checkpoints: Path) -> Path | None:
    """The newest checkpoint whose marker was written, which happens after all its files."""
    parallel.wait()
    done = [path.parent for path in checkpoints.glob("checkpoint-*/complete")]
    parallel.wait()  # all have looked before anything goes
    for path in checkpoints.glob("checkpoint-*"):
        if path not in done and parallel.is_main():
            shutil.rmtree(path)
    return max(done, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


class ScoreTrainer(Trainer):
    """The masked loss, the deterministic order, and checkpoints of trained tensors only."""

    recipe: LoraConfig
    tokens_seen = 0
    erred = False  # whether there was anything to learn from yet

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.losses: list[float] = []  # of the micro-batches since Watch last looked: their parts of a step's mean
        self.loss_is_scaled_for_ga = True  # compute_loss divides by what the whole step knows

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> tuple[list[Any], Any]:
        """A step's micro-batches, and the weight of all targets known in them, on every process."""
        samples, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        known = torch.stack([known_weight(batch["labels"], batch["weights"]).sum() for batch in samples]).sum()
        return samples, self.accelerator.reduce(known.to(device), "sum")

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """This micro-batch's part of the weighted mean over a step's known targets, in units of each output's spread."""
        found = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).float()
        recipe = self.recipe
        loss = masked_loss(
            found, inputs["labels"], inputs["weights"], kind=recipe.loss, delta=recipe.huber_delta, of=num_items_in_batch
        )
        loss = loss * parallel.count()  # gradients are averaged over the processes
        self.losses.append(float(self.accelerator.reduce(loss.detach(), "mean")))
        if not math.isfinite(self.losses[-1]):
            self._name_the_articles(float(loss.detach()), inputs["rows"].tolist())
        self.erred |= self.losses[-1] > 0
        self.tokens_seen += int(inputs["attention_mask"].sum()) * parallel.count()
        return (loss, found) if return_outputs else loss

    def _name_the_articles(self, loss: float, rows: list[int]) -> None:
        """All processes stop; the one whose articles it were says so."""
        if math.isfinite(loss):
            raise parallel.PartDone
        articles: Rows = self.train_dataset  # type: ignore[assignment]
        names = articles.named(rows)
        raise Permanent(f"The loss became {loss} at step {self.state.global_step + 1}, on the articles {names}.")

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW, with rates of their own for layers and head where the recipe asks for them."""
        if self.recipe.layer_decay == 1.0 and not self.recipe.head_learning_rate:
            return super().create_optimizer(model)
        scorer: Any = self.model if model is None else model
        decaying = set(self.get_decay_parameter_names(scorer))
        kind, more = self.get_optimizer_cls_and_kwargs(self.args, scorer)
        self.optimizer = kind(_groups(scorer, self.recipe, decaying), **more)
        return self.optimizer

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        rows: Rows = self.train_dataset  # type: ignore[assignment]
        processes = parallel.count()
        multiple = self.args.per_device_train_batch_size * processes if processes > 1 else 1
        return ByLength([len(row) for row in rows.tokens], self.recipe.batch_size, self.args.seed, multiple)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        with disk.minded(Path(self.args.output_dir or ".")):
            super()._save_checkpoint(model, trial)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        target = Path(output_dir or self.args.output_dir or ".")
        target.mkdir(parents=True, exist_ok=True)
        scorer: model.Scorer = self.model  # type: ignore[assignment]
        save_file(scorer.trainable(), target / "trainable.safetensors")

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        scorer: Any = self.model
        scorer.fill(load_file(Path(resume_from_checkpoint) / "trainable.safetensors"))


def _groups(scorer: model.Scorer, recipe: LoraConfig, decaying: set[str]) -> list[dict[str, Any]]:
    """Trained parameters by rate and weight decay: rate · layer_decay^(layers below the top), the head at its own."""
    trained: Mapping[str, torch.nn.Parameter] = {name: p for name, p in scorer.named_parameters() if p.requires_grad}
    depth = structure.depths(trained)
    found: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in trained.items():
        is_head = ".lora_" not in name
        rate = recipe.learning_rate * (1.0 if is_head else recipe.layer_decay ** depth[name])
        rate = recipe.head_learning_rate if is_head and recipe.head_learning_rate else rate
        found.setdefault((rate, recipe.weight_decay if name in decaying else 0.0), []).append(parameter)
    return [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay), group in found.items()]


def known_weight(labels: Tensor, weights: Tensor) -> Tensor:
    """[n, outputs] how much each target counts; a null (NaN) counts nothing."""
    return ~torch.isnan(labels) * weights[:, None]


def masked_loss(
    found: Tensor, labels: Tensor, weights: Tensor, *, kind: str = "mae", delta: float = 1.0, of: Tensor | None = None
) -> Tensor:
    """Weighted sum over the known targets of |d|, d² or Huber's d²/2 (|d| < delta), delta · (|d| − delta/2), over `of`.

    `of` is by default the weight of these targets, which makes it their mean. Null targets (NaN) count nowhere.
    """
    share = known_weight(labels, weights)
    size = torch.where(share > 0, found - torch.nan_to_num(labels), torch.zeros_like(found)).abs()
    if kind == "mse":
        size = size**2
    if kind == "huber":
        size = torch.where(size < delta, size**2 / 2, delta * (size - delta / 2))
    return (size * share).sum() / (share.sum() if of is None else of).clamp(min=_CALM)
