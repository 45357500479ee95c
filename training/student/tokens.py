"""Texts to token ids and ids to rectangles, the same way in training and in scoring."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer

from distillery_site.common.errors import Permanent

Tokenizer = Any  # a transformers fast tokenizer; its classes share no typed base


def tokenizer_of(directory: Path) -> Tokenizer:
    """A tokenizer that can pad: without a padding token of its own it pads with its end token."""
    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token is None:
        raise Permanent(f"The tokenizer in {directory} has neither a padding nor an end token.")
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    """Token ids of each text, cut to `max_tokens`; an empty text is one padding token, for a model needs something to read."""
    if not texts:
        return []
    ids = tokenizer(list(texts), truncation=True, max_length=max_tokens, add_special_tokens=True)["input_ids"]
    return [list(row) or [tokenizer.pad_token_id] for row in ids]


def pad(rows: Sequence[Sequence[int]], pad_token: int, multiple: int = 1) -> dict[str, Tensor]:
    """One rectangle of ids and its mask, padded on the right; `multiple` rounds its width up, for fewer shapes."""
    width = -(-max(map(len, rows)) // multiple) * multiple
    ids = torch.full((len(rows), width), pad_token)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def batches(rows: Sequence[Sequence[int]], size: int) -> Iterator[list[int]]:
    """Positions of rows of like length, longest first, so that little is padded."""
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def lengths(tokenizer: Tokenizer, texts: Sequence[str]) -> list[int]:
    """How many tokens each text has before any cut."""
    return [len(row) for row in tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]]
