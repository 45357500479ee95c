"""What a base model's architecture means in parameters and memory: arithmetic over a few numbers, before anything is loaded.

Parameters are exact. Memory is an estimate: what the modules of transformers 5.23 with peft 0.21 keep for the backward
pass was counted tensor by tensor (tests/training/student/test_shapes.py counts again); what an allocator adds to that is
not. A training's first steps measure the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["llama", "qwen2", "qwen3", "gemma3", "bert", "modernbert"]
FP32, BF16 = 4, 2
ADAM_BYTES = 16  # a trained fp32 parameter: itself, its gradient and AdamW's two moments


@dataclass(frozen=True)
class Shape:
    """A transformer's numbers. Encoders have as many key heads as heads, and `positions` where they learn those."""

    kind: Kind
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    tied: bool = True
    positions: int = 0

    @property
    def queries(self) -> int:
        return self.heads * self.head_dim

    @property
    def keys(self) -> int:
        return self.kv_heads * self.head_dim

    @property
    def linears(self) -> tuple[tuple[int, int], ...]:
        """(in, out) of each linear layer in one layer of the transformer."""
        h, q, kv, i = self.hidden, self.queries, self.keys, self.intermediate
        if self.kind == "bert":
            return (h, h), (h, h), (h, h), (h, h), (h, i), (i, h)
        if self.kind == "modernbert":
            return (h, 3 * h), (h, h), (h, 2 * i), (i, h)
        return (h, q), (h, kv), (h, kv), (q, h), (h, i), (h, i), (i, h)

    @property
    def linear_parameters(self) -> int:
        """Weights of all linear layers, without biases: what a token is multiplied with."""
        return self.layers * sum(a * b for a, b in self.linears)

    @property
    def parameters(self) -> int:
        """What the transformer holds: embeddings, layers and the last norm, without any head or pooler."""
        return self._embeddings + self.linear_parameters + self.layers * self._small + self._ends

    @property
    def _embeddings(self) -> int:
        types = 2 if self.kind == "bert" else 0
        return (self.vocabulary + self.positions + types) * self.hidden

    @property
    def _small(self) -> int:
        """Biases and norms of one layer."""
        h = self.hidden
        match self.kind:
            case "bert":
                return 4 * h + self.intermediate + h + 4 * h  # attention's four biases, the two of the MLP, two norms with bias
            case "qwen2":
                return 2 * h + self.queries + 2 * self.keys  # q, k and v have biases
            case "qwen3":
                return 2 * h + 2 * self.head_dim  # queries and keys are normed by head
            case "gemma3":
                return 4 * h + 2 * self.head_dim  # and each half of a layer after itself too
        return 2 * h

    @property
    def _ends(self) -> int:
        """Norms before and after the layers; ModernBERT's first layer leaves its own out, for the embeddings are normed."""
        return {"bert": 2, "modernbert": 1}.get(self.kind, 1) * self.hidden

    @property
    def published(self) -> int:
        """As model cards count: with a language model's untied head."""
        return self.parameters + (0 if self.tied else self.vocabulary * self.hidden)


def lora_parameters(shape: Shape, rank: int) -> int:
    """rank · (in + out) for each linear layer: A is [rank, in] and B [out, rank] (Hu et al. 2021, section 4.1)."""
    return shape.layers * sum(rank * (a + b) for a, b in shape.linears)


def lora_matrices(shape: Shape) -> int:
    return 2 * shape.layers * len(shape.linears)


@dataclass(frozen=True)
class Memory:
    """Bytes, by what they are for."""

    weights: int
    trained: int
    activations: int
    working: int

    @property
    def total(self) -> int:
        return self.weights + self.trained + self.activations + self.working


# Bytes that one layer keeps of one token: × intermediate, × hidden, × queries, × keys; in bf16 autocast, and in fp32.
# The adapters' dropout is on: its masks and what it lets through are a third of it.
_KEPT: dict[Kind, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "llama": ((12, 38, 14, 0), (20, 48, 24, 0)),
    "qwen2": ((12, 38, 14, 0), (20, 48, 24, 0)),
    "qwen3": ((12, 38, 18, 4), (20, 48, 28, 4)),
    "gemma3": ((12, 46, 18, 4), (20, 56, 28, 4)),
    "bert": ((8, 46, 0, 0), (12, 64, 0, 0)),
    "modernbert": ((12, 38, 0, 0), (20, 56, 0, 0)),
}


def kept_bytes(shape: Shape, *, rank: int, tokens: int, autocast: bool) -> int:
    """What one layer keeps of one token for the backward pass, in a text of `tokens`, with adapters and their dropout."""
    sizes = (shape.intermediate, shape.hidden, shape.queries, shape.keys)
    vectors = sum(times * size for times, size in zip(_KEPT[shape.kind][0 if autocast else 1], sizes, strict=True))
    one = BF16 if autocast else FP32
    return vectors + one * (rank * len(shape.linears) + tokens)  # A's outputs, and a row of the attention mask


def to_train(
    shape: Shape,
    *,
    batch: int,
    tokens: int,
    rank: int = 16,
    checkpointing: bool = False,
    autocast: bool = True,
    weight_bytes: int = FP32,
) -> Memory:
    """Estimate of a LoRA training's peak, in bytes, for `batch` texts of `tokens` each in one forward pass.

    Weights are frozen, so they have neither gradient nor moments. Without checkpointing every layer's tensors wait for
    the backward pass, and under autocast the weights' bf16 copies wait with them; with it, one layer's do, and of the
    others only their fp32 input. Working memory: the widest gradient of one layer, twice, in fp32.
    """
    layer = batch * tokens * kept_bytes(shape, rank=rank, tokens=tokens, autocast=autocast)
    copies = shape.linear_parameters * BF16 if autocast and weight_bytes != BF16 else 0
    if checkpointing:
        kept = layer + copies // shape.layers + shape.layers * batch * tokens * shape.hidden * FP32
    else:
        kept = layer * shape.layers + copies
    return Memory(
        weights=shape.parameters * weight_bytes,
        trained=lora_parameters(shape, rank) * ADAM_BYTES,
        activations=kept,
        working=2 * batch * tokens * max(shape.intermediate, shape.queries) * FP32,
    )


def to_serve(shape: Shape, *, batch: int, tokens: int, rank: int = 16, weight_bytes: int = FP32) -> Memory:
    """Estimate of what scoring `batch` texts of `tokens` each takes, in bytes: nothing is kept, so one layer's widest half.

    That is gate, up and their product, or queries with the keys and values repeated to their width, beside residual
    and norm.
    """
    widest = max(3 * shape.intermediate, 4 * shape.queries)
    return Memory(
        weights=shape.parameters * weight_bytes,
        trained=lora_parameters(shape, rank) * FP32,
        activations=batch * tokens * 2 * shape.hidden * weight_bytes,
        working=batch * tokens * widest * weight_bytes,
    )


_KINDS: dict[str, Kind] = {
    "llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gemma3_text": "gemma3",
    "bert": "bert", "roberta": "bert", "xlm-roberta": "bert", "modernbert": "modernbert",
}  # fmt: skip


def of_config(config: Mapping[str, Any]) -> Shape | None:
    """The shape that a base's config.json describes; None for an architecture whose arithmetic isn't known here."""
    config = config.get("text_config", config)
    kind = _KINDS.get(config.get("model_type", ""))
    try:
        hidden, heads = config["hidden_size"], config["num_attention_heads"]
        return kind and Shape(
            kind=kind,
            hidden=hidden,
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or hidden // heads,
            intermediate=config["intermediate_size"],
            vocabulary=config["vocab_size"],
            tied=config.get("tie_word_embeddings", kind in ("gemma3", "bert", "modernbert")),
            positions=config.get("max_position_embeddings", 0) if kind == "bert" else 0,
        )
    except KeyError:
        return None
