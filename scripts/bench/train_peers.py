"""What is measured against each other: our training through its own code, and Hugging Face's Trainer in two recipes.

Each is a function that takes steps until `lap` stops it: it calls `lap.step()` after every optimiser step, and everything
between two calls is timed.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import DataCollatorWithPadding, PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed

from training.student import config, tokens
from training.student.data import Corpus
from training.student.lora import fit, fused, model, trainer


class Lap(Protocol):
    def watch(self, scorer: nn.Module) -> None: ...

    def step(self) -> None: ...


@dataclass(frozen=True)
class Work:
    """What a contestant works on; `options` are a student's, over those of the demo's preset."""

    corpus: Corpus
    base: Path
    options: dict[str, Any]
    bf16: bool = False

    @property
    def config(self) -> config.LoraConfig:
        made = config.make("lora", {"preset": "minilm-demo", **self.options})
        assert isinstance(made, config.LoraConfig)
        return made


class Laps(TrainerCallback):
    def __init__(self, lap: Lap):
        self.lap = lap

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.lap.step()


def ours(work: Work, lap: Lap) -> None:
    """`python -m training.student fit` as it is, with one more pair of eyes on its Trainer."""

    class Watched(trainer.ScoreTrainer):
        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **kwargs)
            lap.watch(self.model)
            self.add_callback(Laps(lap))

    trainer.ScoreTrainer = Watched
    with tempfile.TemporaryDirectory() as folder:
        fit.fit(work.corpus, work.config, Path(folder), lambda event, **values: None, work.base)


def of_the_trainer(work: Work, lap: Lap) -> None:
    """Hugging Face's Trainer with its defaults: 8 rows in random order, padded to the longest, peft as it comes."""
    _train(work, lap, {"padding": True})


def of_the_seed(work: Work, lap: Lap) -> None:
    """fp32, every row padded to the limit, activation checkpointing, batches of 8."""
    _train(work, lap, {"padding": "max_length", "max_length": work.config.max_tokens}, checkpointing=True)


def _train(work: Work, lap: Lap, padding: dict[str, Any], checkpointing: bool = False) -> None:
    fused.fuse = lambda model: None  # type: ignore[assignment]
    tokenizer, recipe = tokens.tokenizer_of(work.base), work.config
    set_seed(recipe.seed)
    scorer = model.build(work.base, tokenizer, recipe.pooling, len(work.corpus.outputs), recipe)
    rows = trainer.Rows(work.corpus.split("train"), tokenizer, recipe)
    if checkpointing:
        scorer.stock.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    lap.watch(scorer)
    data: Any = [{"input_ids": row, "labels": rows.targets[place].tolist()} for place, row in enumerate(rows.tokens)]
    with tempfile.TemporaryDirectory() as folder:
        cpu = not torch.cuda.is_available()
        quiet = {"report_to": "none", "save_strategy": "no", "disable_tqdm": True}
        arguments = TrainingArguments(output_dir=folder, bf16=work.bf16, use_cpu=cpu, **quiet)  # type: ignore[arg-type]
        collator = DataCollatorWithPadding(tokenizer, **padding)
        peer = Trainer(model=WithLoss(scorer), args=arguments, train_dataset=data, data_collator=collator)
        peer.remove_callback(PrinterCallback)
        peer.add_callback(Laps(lap))
        peer.train()


class WithLoss(nn.Module):
    """What the Trainer wants of a model: its loss."""

    def __init__(self, scorer: model.Scorer):
        super().__init__()
        self.scorer = scorer

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> dict[str, Tensor]:
        found = self.scorer(input_ids=input_ids, attention_mask=attention_mask).float()
        return {"loss": (found - labels).abs().mean(), "logits": found}
