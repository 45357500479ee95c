"""The matrix products of a training step alone: the least time that any training of this shape takes on this machine."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from peft.tuners import lora
from torch import Tensor
from torch.nn import functional

from scripts.bench.train_peers import Lap, Work
from training.student import config, tokens
from training.student.lora import model, trainer


@dataclass(frozen=True)
class Shape:
    """A layer's matrices; `below` says whether gradients go on to what lies below it."""

    inside: int
    outside: int
    rank: int
    bias: bool
    below: bool


def products(work: Work, lap: Lap) -> None:
    """Forward and backward of the same F.linear calls as ours, LoRA's too, on the same batches, with nothing in between."""
    tokenizer, recipe = tokens.tokenizer_of(work.base), work.config
    scorer = model.build(work.base, tokenizer, recipe.pooling, len(work.corpus.outputs), recipe)
    rows = trainer.Rows(work.corpus.split("train"), tokenizer, recipe)
    layers = shapes(scorer, rows)
    step = best(kernels(), next(batches(rows, recipe)), layers)
    for number, size in enumerate(batches(rows, recipe), 1):
        step(size, layers)
        if number % recipe.accumulate == 0:
            lap.step()


def batches(rows: trainer.Rows, recipe: config.LoraConfig) -> Iterator[int]:
    """Rows × width of the batches that our training takes, in its order."""
    order = list(trainer.ByLength([len(row) for row in rows.tokens], recipe.batch_size, recipe.seed))
    for start in range(0, len(order), recipe.batch_size):
        yield rows.collate([{"row": place} for place in order[start : start + recipe.batch_size]])["input_ids"].numel()


def shapes(scorer: model.Scorer, rows: trainer.Rows) -> list[Shape]:
    """Of every layer with adapters, as one forward pass meets them."""
    found: list[Shape] = []

    def see(layer: Any, inputs: Any, output: Any) -> None:
        base = layer.base_layer
        shape = Shape(base.in_features, base.out_features, layer.r["default"], base.bias is not None, inputs[0].requires_grad)
        found.append(shape)

    hooks = [part.register_forward_hook(see) for part in scorer.modules() if isinstance(part, lora.Linear)]
    batch = rows.collate([{"row": 0}])
    scorer.train()(batch["input_ids"], batch["attention_mask"])
    for hook in hooks:
        hook.remove()
    return found


@dataclass
class Store:
    """Matrices of ones and twos by their shape, made once, so that no time goes into filling them."""

    dtype: torch.dtype
    made: dict[tuple[Any, ...], Tensor] = field(default_factory=dict)

    def get(self, name: str, *size: int, learns: bool = False) -> Tensor:
        key = (name, *size, learns)
        if key not in self.made:
            device = "cuda" if torch.cuda.is_available() else "cpu"
            self.made[key] = torch.randn(*size, dtype=self.dtype, device=device).requires_grad_(learns)
        return self.made[key]


def layer(x: Tensor, dropped: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    return functional.linear(x, weight, bias), functional.linear(functional.linear(dropped, down), up)


Layer = Callable[..., tuple[Tensor, Tensor]]
Step = Callable[[int, Sequence[Shape]], None]


def step_of(run: Layer, store: Store) -> Step:
    def step(size: int, layers: Sequence[Shape]) -> None:
        for shape in layers:
            _through(shape, size, run, store)
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return step


def _through(shape: Shape, size: int, run: Layer, store: Store) -> None:
    """Forward and backward of one layer. W gets no gradient, A and B do, and x only where something below learns."""
    x, dropped = (store.get(name, size, shape.inside, learns=shape.below) for name in ("x", "dropped"))
    down = store.get("A", shape.rank, shape.inside, learns=True)
    up = store.get("B", shape.outside, shape.rank, learns=True)
    bias = store.get("bias", shape.outside) if shape.bias else None
    wide, thin = run(x, dropped, store.get("W", shape.outside, shape.inside), bias, down, up)
    grad = store.get("grad", size, shape.outside)
    if shape.below:
        torch.autograd.grad([wide, thin], [x, dropped, down, up], [grad, grad])
    else:
        torch.autograd.grad([thin], [down, up], [grad])


def kernels() -> dict[str, Step]:
    """The ways to multiply that this machine has: fp32, bf16 where it is native, each as it is and compiled."""
    found: dict[str, Step] = {}
    for dtype in [torch.float32] + ([torch.bfloat16] if trainer.bf16(config.LoraConfig()) else []):
        store = Store(dtype)
        found[f"{dtype}"] = step_of(layer, store)
        found[f"{dtype}, compiled"] = step_of(torch.compile(layer, dynamic=True), store)
    return found


def best(found: dict[str, Step], size: int, layers: Sequence[Shape]) -> Step:
    """The fastest at its best of three steps, in turns; one that fails, as compiling does without a compiler, is out."""
    seconds: dict[str, float] = {}
    for turn in range(4):  # the first time costs more
        for name, step in list(found.items()):
            began = time.monotonic()
            try:
                step(size, layers)
            except Exception as error:
                print(f"Products, {name}: left out ({type(error).__name__}).", file=sys.stderr)
                found.pop(name)
                continue
            if turn:
                seconds[name] = min(seconds.get(name, float("inf")), time.monotonic() - began)
    print(f"Products, seconds a step: { ({name: round(value, 3) for name, value in seconds.items()}) }.", file=sys.stderr)
    return found[min(seconds, key=lambda name: seconds[name])]
