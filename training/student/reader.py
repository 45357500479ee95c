"""What a frozen base makes of an article: the mean of its token vectors after several layers, side by side."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import AutoModel

from . import devices
from .lora import structure
from .tokens import Reading, Tokenizer, batches, encode, pad

Vectors = NDArray[np.float32]  # [texts, width · layers]
_TOGETHER = 16  # articles in one forward pass
_PIECE = 128  # articles kept in one file, which a killed training need not read again


class Reader:
    """A pretrained base that only reads. Its vectors of a text don't depend on the other texts."""

    def __init__(self, base: Path, tokenizer: Tokenizer, reading: Reading, layers: int):
        transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        model = AutoModel.from_pretrained(base, dtype=torch.float32, local_files_only=True)
        self.device = torch.device(devices.best())
        self.model = structure.body_of(model).eval().to(self.device)
        self.tokenizer, self.reading = tokenizer, reading
        self.layers = evenly(int(model.config.get_text_config().num_hidden_layers), layers)

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    def __call__(self, texts: Sequence[str]) -> Vectors:
        rows = encode(self.tokenizer, texts, self.reading)
        found: list[Vectors | None] = [None] * len(rows)
        for chosen in batches(rows, _TOGETHER):
            for place, vector in zip(chosen, self._vectors([rows[i] for i in chosen]), strict=True):
                found[place] = vector
        return np.stack([vector for vector in found if vector is not None]) if rows else np.empty((0, 0), dtype=np.float32)

    @torch.inference_mode()
    def _vectors(self, rows: Sequence[Sequence[int]]) -> Vectors:
        inputs = {name: value.to(self.device) for name, value in pad(rows, self.tokenizer.pad_token_id).items()}
        states = self.model(**inputs, output_hidden_states=True).hidden_states
        mask = inputs["attention_mask"].unsqueeze(-1).float()
        means = [(states[layer].float() * mask).sum(1) / mask.sum(1) for layer in self.layers]
        vectors: Vectors = torch.cat(means, dim=1).cpu().numpy()
        return vectors


def evenly(depth: int, count: int) -> list[int]:
    """`count` of the layers 1 … depth, as evenly spaced as can be, the last one among them; all where there are fewer."""
    count = min(count, depth)
    return [round(depth * (i + 1) / count) for i in range(count)]


def read_all(reader: Reader, texts: Sequence[str], folder: Path, said: Callable[[int, float], None]) -> Vectors:
    """The vectors of all texts; pieces already in `folder` are taken from there. `said(articles, seconds left)` after each."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces, read, began = [], 0, time.monotonic()
    for start in range(0, len(texts), _PIECE):
        path, piece = folder / f"{start}.npy", texts[start : start + _PIECE]
        if not path.is_file():
            _write(path, reader(piece))
            read += len(piece)
        pieces.append(np.load(path))
        done = start + len(piece)
        said(done, (time.monotonic() - began) / max(read, 1) * (len(texts) - done))
    return np.concatenate(pieces)


def _write(path: Path, vectors: Vectors) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, vectors)
    part.replace(path)
