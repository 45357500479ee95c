"""An adapter's tensors on a base: which are there, which should be, and under what names peft reads them today.

Everything is compared on the meta device, before a weight of the base is read.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import peft
import torch
from peft import get_peft_model, get_peft_model_state_dict
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from distillery_site.common.errors import BadInput

from ..lora import structure
from . import folder, peft_settings, spelling
from .folder import Folder
from .spelling import Tensors

Say = Callable[[str], None]
STOCK_HEADS = ("score", "classifier")


@dataclass(frozen=True)
class Fitted:
    """Tensors under peft's names of today, an own head's apart, and the base with its adapters on the meta device."""

    tensors: Tensors
    head: Tensors
    skeleton: peft.PeftModel

    @property
    def config(self) -> peft.LoraConfig:
        return cast(peft.LoraConfig, self.skeleton.peft_config["default"])

    @property
    def bare(self) -> Any:
        return self.skeleton.get_base_model()


@dataclass(frozen=True)
class Head:
    """A head's tensors by their cores (an own head's: weight and bias), and the cores they had in the adapter's file."""

    tensors: Tensors
    had: frozenset[str] = frozenset()


def fit(given: Folder, settings: Mapping[str, Any], base: Path, pooling: str, outputs: int, say: Say) -> Fitted:
    """BadInput lists every tensor that is missing, left over or of another shape."""
    bare = skeleton(base, pooling, outputs)
    prefix = bare.base_model_prefix
    found = spelling.cores(given.adapter, prefix)
    _insist_on_lora(found)
    head = _head(given, bare, found, pooling, outputs, say)
    adapted = _with_adapters(bare, settings, found, head.tensors, pooling)
    wanted = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    named = {spelling.core(name, prefix): name for name in wanted}
    left = [core for core in found if core not in named and core not in head.had]
    if pooling == "last":
        found |= head.tensors
    taken = {named[core]: value for core, value in found.items() if core in named}
    spelling.insist(taken, wanted, left)
    if any(name not in wanted for name in given.adapter):
        say("Its tensors had names of another version or wrapper; they were brought to today's.")
    return Fitted(taken, head.tensors if pooling == "mean" else {}, adapted)


def skeleton(base: Path, pooling: str, outputs: int) -> PreTrainedModel:
    """The base without its weights."""
    config = AutoConfig.from_pretrained(base, local_files_only=True)
    kind: Any = AutoModelForSequenceClassification if pooling == "last" else AutoModel
    if pooling == "last":
        config.num_labels = outputs
    with torch.device("meta"):
        bare: Any = kind.from_config(config)
    if pooling == "mean" and getattr(bare, "pooler", None) is not None:
        bare.pooler = None
    return cast(PreTrainedModel, bare)


def _insist_on_lora(found: Tensors) -> None:
    if not any(".lora_A" in core for core in found):
        raise BadInput(f"{folder.WEIGHTS} holds no LoRA matrices.")
    if any(".lora_embedding_" in core for core in found):
        raise BadInput("It adapts the base's token vectors, which students here never do.")


def _head(given: Folder, bare: PreTrainedModel, found: Tensors, pooling: str, outputs: int, say: Say) -> Head:
    """The head under its family's name, under a name of its own, or from a file of its own, in this order."""
    inside = {core: value for core, value in found.items() if ".lora_" not in core}
    _insist_on_rows([inside, *given.others.values()], bare, outputs)
    stock = {core: value for core, value in inside.items() if core in {*_stock_cores(bare), "score.bias"}}
    if stock and pooling == "last":
        return Head(stock)
    plain = spelling.head_in(inside, outputs, structure.width(bare))
    had = frozenset(core for core, value in inside.items() if any(value is part for part in plain.values()))
    plain = plain or _head_beside(given, outputs, structure.width(bare), say)
    if pooling == "mean":
        return Head({"bias": torch.zeros(outputs), **plain}, had)
    final = next(name for name, part in bare.named_modules() if part is structure.final_layer(bare, outputs))
    return Head({f"{final}.{kind}": value for kind, value in plain.items()}, had)


def _stock_cores(bare: PreTrainedModel) -> Iterable[str]:
    for part in structure.head_parts(bare):
        for name, _ in bare.get_submodule(part).named_parameters():
            yield f"{_short(part, bare)}.{name}"


def _head_beside(given: Folder, outputs: int, width: int, say: Say) -> Tensors:
    heads = {name: head for name, found in given.others.items() if (head := spelling.head_in(found, outputs, width))}
    if len(heads) == 1:
        ((name, head),) = heads.items()
        say(f"Its head was in a file of its own, {name}.")
        return head
    where = f"{' and '.join(heads)} both could be its head" if heads else "it holds no head"
    pickled = f" {folder.how_to_convert(given.pickles[0])}" if given.pickles and not heads else ""
    raise BadInput(f"The folder can't be scored with: {where} of {outputs} rows and {width} columns.{pickled}")


def _insist_on_rows(places: Iterable[Tensors], bare: PreTrainedModel, outputs: int) -> None:
    """A head of the right width with another number of rows deserves a sentence of its own."""
    width = structure.width(bare)
    rows = {value.shape[0] for place in places for value in place.values() if value.dim() == 2 and value.shape[1] == width}
    if len(rows) == 1 and outputs not in rows:
        raise BadInput(f"Its head has {rows.pop()} rows, and the filters have {outputs} dimensions: they must be as many.")


def _with_adapters(
    bare: PreTrainedModel, settings: Mapping[str, Any], found: Tensors, head: Tensors, pooling: str
) -> peft.PeftModel:
    """The skeleton as peft would train it; BadInput in peft's words where it can't."""
    if pooling == "last" and "score.bias" in head and isinstance(getattr(bare, "score", None), nn.Linear):
        structure.give_bias(cast(Any, bare).score)
    layers = [name for name, part in bare.named_modules() if isinstance(part, nn.Linear | Conv1D)]
    fitted = peft_settings.patterns_fitted(settings, layers)
    fitted["modules_to_save"] = _saved(bare, settings.get("modules_to_save") or (), [*found, *head], pooling) or None
    task = "SEQ_CLS" if pooling == "last" else "FEATURE_EXTRACTION"
    try:
        with torch.device("meta"):
            return cast(peft.PeftModel, get_peft_model(bare, peft.LoraConfig(**fitted, task_type=task)))
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # peft has no error of its own for a bad configuration
        first = str(error).strip().splitlines()[0]
        raise BadInput(f"Peft can't put this adapter on the base: {first}") from None


def _saved(bare: PreTrainedModel, asked: Sequence[str], cores: Sequence[str], pooling: str) -> list[str]:
    """The whole parts that the adapter brings: of a stock head those that it has tensors of, and others that it names."""
    parts = structure.head_parts(bare) if pooling == "last" else []
    heads = [part for part in parts if any(core.startswith(f"{_short(part, bare)}.") for core in cores)]
    there = [f".{name}" for name, _ in bare.named_modules()]
    more = [name for name in asked if name not in STOCK_HEADS and any(one.endswith(f".{name}") for one in there)]
    return [*heads, *(name for name in more if name not in heads)]


def _short(part: str, bare: PreTrainedModel) -> str:
    return part.removeprefix(f"{bare.base_model_prefix}.")
