"""Texts to token ids and ids to rectangles, the same way in training and in scoring."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer

from distillery_site.common.errors import BadInput, Permanent

Tokenizer = Any  # a transformers fast tokenizer; its classes share no typed base

_HEAD_SHARE = 0.75  # of what head_tail keeps, the part from the beginning


def tokenizer_of(directory: Path) -> Tokenizer:
    """A tokenizer that can pad: without a padding token of its own it pads with its end token."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:  # what transformers raises depends on which file it missed
        first = str(error).strip().splitlines()[0]
        raise Permanent(f"There is no usable tokenizer in {directory}: {first}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token is None:
        raise Permanent(f"The tokenizer in {directory} has neither a padding nor an end token.")
    return tokenizer


@dataclass(frozen=True)
class Reading:
    """How much of an article a student reads, and after which words; part of the student, so scoring reads as training did."""

    max_tokens: int
    truncation: str = "head"
    instruction: str = ""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Reading":
        """From a manifest's configuration; older ones knew only max_tokens."""
        return cls(config["max_tokens"], config.get("truncation", "head"), config.get("instruction", ""))


@dataclass(frozen=True)
class Frame:
    """What stands before and after every article: the tokenizer's own marks and the instruction."""

    before: list[int]
    after: list[int]
    instruction_tokens: int
    room: int  # tokens left for the article


def frame(tokenizer: Tokenizer, reading: Reading) -> Frame:
    """BadInput where nothing is left for the article."""
    plain, marked = _ids(tokenizer, ["a"])[0], list(tokenizer("a")["input_ids"])
    if not plain:
        raise Permanent("The tokenizer makes nothing of a plain letter: its vocabulary is missing. Fetch the base model again.")
    starts = (i for i in range(len(marked)) if marked[i : i + len(plain)] == plain)
    begin = next(starts)
    prompt = _ids(tokenizer, [reading.instruction.strip() + "\n\n"])[0] if reading.instruction else []
    before, after = marked[:begin] + prompt, marked[begin + len(plain) :]
    room = reading.max_tokens - len(before) - len(after)
    if room < 1:
        raise BadInput(
            f"The instruction alone has {len(prompt)} tokens, which leaves nothing of max_tokens ({reading.max_tokens}) for "
            "the article: shorten the instruction or raise max_tokens."
        )
    return Frame(before, after, len(prompt), room)


def encode(tokenizer: Tokenizer, texts: Sequence[str], reading: Reading) -> list[list[int]]:
    """Token ids of each text, at most `max_tokens`; an empty text is one padding token, for a model needs something to read."""
    around = frame(tokenizer, reading)
    head = head_room(around.room, reading.truncation)
    rows = [around.before + _cut(row, head, around.room - head) + around.after for row in _ids(tokenizer, texts)]
    return [row or [tokenizer.pad_token_id] for row in rows]


def head_room(room: int, truncation: str) -> int:
    """How many of `room` tokens a long article's beginning gets; its end gets the others."""
    return round(room * _HEAD_SHARE) if truncation == "head_tail" else room


def _cut(row: list[int], head: int, tail: int) -> list[int]:
    return row if len(row) <= head + tail else row[:head] + row[len(row) - tail :]


def _ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Without marks and uncut."""
    if not texts:
        return []
    found = tokenizer(list(texts), truncation=False, add_special_tokens=False, verbose=False)["input_ids"]
    return [list(row) for row in found]


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
    """How many tokens each text has before any cut, marks and instruction not counted."""
    return [len(row) for row in _ids(tokenizer, texts)]
