"""The training articles as a trainer takes them: token ids and targets, in an order that a resumed run finds again."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import tokens
from ..config import LoraConfig
from ..data import Example, targets

_MULTIPLE = 16  # widths are rounded up to this: fewer shapes, less memory
NOBODY = -1  # a row that counts nothing, so that every process has equally many


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

    def named(self, rows: Sequence[int]) -> str:
        return ", ".join(self.ids[i] for i in rows if i != NOBODY)

    def collate(self, items: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        rows = torch.tensor([item["row"] for item in items])
        inputs = tokens.pad([[self.pad_token] if i == NOBODY else self.tokens[i] for i in rows], self.pad_token, _MULTIPLE)
        weights = torch.where(rows == NOBODY, 0.0, self.weights[rows])
        return {**inputs, "labels": self.targets[rows], "weights": weights, "rows": rows}


class ByLength(torch.utils.data.Sampler[int]):
    """A fresh shuffle each epoch, batches of like length; the same seed and epoch give the same order, also when resumed.

    `multiple` fills the last batch up with rows that count nothing, for processes that share the batches.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int, multiple: int = 1):
        self.lengths, self.batch, self.seed, self.epoch = np.array(lengths), batch, seed, 0
        self.filling = -len(lengths) % multiple

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths) + self.filling

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
        yield from [NOBODY] * self.filling
