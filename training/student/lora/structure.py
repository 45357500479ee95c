"""What a base model is made of, found by its structure and not by its names: text body, linear layers, head.

Families name the same things differently (q_proj, query, Wqkv, c_attn; score, classifier, head), so nothing here knows a name
but two: what a path calls an embedding or a pooler is neither given adapters nor taken for a layer.
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import peft
import torch
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils.other import get_pattern_key
from torch import nn
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from distillery_site.common.errors import BadInput

from ..config import LoraConfig

_NOT_LAYERS = ("embed", "pooler")


def base_of(model: PreTrainedModel) -> Any:
    """The model without a stock head; a headless model is its own."""
    return getattr(model, model.base_model_prefix, model)


def body_of(model: PreTrainedModel) -> nn.Module:
    """The transformer that reads text: of a base that also sees pictures, only its language model."""
    base, text = base_of(model), model.config.get_text_config()
    parts = (part for part in base.modules() if isinstance(part, PreTrainedModel))
    return next((part for part in parts if part.config.model_type == text.model_type), base)


def layers(model: PreTrainedModel) -> dict[str, nn.Module]:
    """Every linear layer of the text body by its full name; never the head, embeddings or a pooler."""
    inside = set(body_of(model).modules())
    return {
        name: part
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear | Conv1D) and part in inside and not any(word in name for word in _NOT_LAYERS)
    }


def head_parts(model: PreTrainedModel) -> list[str]:
    """The parts of a stock model that are trained whole and saved: all outside the base, and a pooler inside it."""
    base = base_of(model)
    if base is model:
        return []
    outside = [name for name, part in model.named_children() if part is not base and any(True for _ in part.parameters())]
    pooler = [f"{model.base_model_prefix}.pooler"] if getattr(base, "pooler", None) is not None else []
    return pooler + outside


def final_layer(model: nn.Module, outputs: int) -> nn.Linear:
    """The layer of a stock head, adapters attached or not, whose rows are the outputs."""
    linear = [
        (name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear) and part.out_features == outputs
    ]
    saved = [part for name, part in linear if ".modules_to_save." in name]
    return (saved or [part for _, part in linear])[-1]


def give_bias(layer: nn.Linear) -> None:
    """A bias of zeros, where there is none."""
    if layer.bias is None:
        layer.bias = nn.Parameter(layer.weight.new_zeros(layer.out_features))


def adapters(model: PreTrainedModel, recipe: LoraConfig) -> peft.LoraConfig:
    """LoRA on every linear layer, or on those that the recipe names; BadInput says what there is to name."""
    wanted = chosen(model, recipe.target_modules)
    heads = head_parts(model)
    return peft.LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=_endings(wanted, [name for name, _ in model.named_modules() if name not in wanted]),
        modules_to_save=heads or None,
        fan_in_fan_out=any(isinstance(part, Conv1D) for part in wanted.values()),
        task_type="SEQ_CLS" if heads else "FEATURE_EXTRACTION",
    )


def chosen(model: PreTrainedModel, names: Sequence[str]) -> dict[str, nn.Module]:
    """The layers whose full names end with one of `names`; all of them without any."""
    there = layers(model)
    unknown = [name for name in names if not any(_ends(full, name) for full in there)]
    if unknown:
        known = ", ".join(sorted({full.rpartition(".")[2] for full in there}))
        raise BadInput(f"The base has no linear layers called {', '.join(unknown)}; it has {known}.")
    return {full: part for full, part in there.items() if not names or any(_ends(full, name) for name in names)}


def expected(model: PreTrainedModel, stored: peft.LoraConfig) -> int:
    """How many parameters `stored` means to train: r · (in + out) for each of its layers, and all of its head.

    DoRA's magnitudes and a bias of LoRA B are `out` more each.
    """
    heads = list(stored.modules_to_save or ())
    count, more = 0, bool(stored.use_dora) + bool(stored.lora_bias)
    for name, part in model.named_modules():
        if any(_ends(name, head) for head in heads):
            count += sum(p.numel() for p in part.parameters())
        elif isinstance(part, nn.Linear | Conv1D) and check_target_module_exists(stored, name):
            out = part.weight.shape[1] if isinstance(part, Conv1D) else part.weight.shape[0]
            count += _rank(stored, name) * _sides(part) + more * out
    return count


def lora_size(config: PreTrainedConfig, recipe: LoraConfig, outputs: int) -> dict[str, int]:
    """{"parameters", "matrices", "head", "base"} of a recipe on a base of this shape, without its weights (meta device)."""
    stock = recipe.pooling == "last"
    config = copy.deepcopy(config)
    config.num_labels = outputs
    with torch.device("meta"):
        kind: Any = AutoModelForSequenceClassification if stock else AutoModel
        model = kind.from_config(config)
    wanted = chosen(model, recipe.target_modules)
    parts = [model.get_submodule(name) for name in head_parts(model)] if stock else [nn.Linear(width(model), outputs)]
    head = sum(p.numel() for part in parts for p in part.parameters())
    total = sum(p.numel() for p in model.parameters())
    found = sum(recipe.rank * _sides(part) for part in wanted.values())
    return {"parameters": found, "matrices": 2 * len(wanted), "head": head, "base": total - (head if stock else 0)}


def width(model: PreTrainedModel) -> int:
    """Length of a token vector."""
    return int(model.config.get_text_config().hidden_size)


def longest(model: PreTrainedModel) -> int | None:
    """The most tokens the base can read, None where it says nothing."""
    for name, part in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(part, nn.Embedding):
            return part.num_embeddings - (0 if part.padding_idx is None else part.padding_idx + 1)
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def depths(names: Iterable[str]) -> dict[str, int]:
    """For parameter names, how many layers each lies below the top one; 0 for what is in no layer."""
    layer = {name: next((int(part) for part in name.split(".") if part.isdigit()), None) for name in names}
    top = max((number for number in layer.values() if number is not None), default=0)
    return {name: 0 if number is None else top - number for name, number in layer.items()}


def _rank(stored: peft.LoraConfig, name: str) -> int:
    ranks = stored.rank_pattern or {}
    return int(ranks.get(get_pattern_key(list(ranks), name), stored.r))


def _sides(layer: Any) -> int:
    """Inputs and outputs of a linear layer, of whichever kind."""
    return int(sum(layer.weight.shape))


def _ends(name: str, ending: str) -> bool:
    return name == ending or name.endswith("." + ending)


def _endings(wanted: Iterable[str], others: Sequence[str]) -> list[str]:
    """The shortest endings that name all of `wanted` and none of `others`."""
    found: set[str] = set()
    for name in wanted:
        parts = name.split(".")
        endings = (".".join(parts[-length:]) for length in range(1, len(parts) + 1))
        if not any(_ends(name, ending) for ending in found):
            found.add(next(e for e in endings if not any(_ends(other, e) for other in others)))
    return sorted(found)
