"""The names of an adapter's tensors, in every spelling there has been, brought to the one that peft reads today.

Peft in memory writes `….lora_A.default.weight`, on disk without `.default.`; old versions, wrappers and hand-made folders
differ in the front (`base_model.model.model.layers…`, `base_model.model.layers…`, `module.…`), in the head's name, and in
whether it is there at all. A name's core is what all of them share: `layers.0.self_attn.q_proj.lora_A.weight`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor

from distillery_site.common.errors import BadInput

Tensors = dict[str, Tensor]

_WRAPPERS = re.compile(r"(?:(?<=^)|(?<=\.))(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|base_layer)\.")
_ADAPTERS_NAME = re.compile(r"\.(lora_[AB]|modules_to_save)\.(?!weight$|bias$)[^.]+\.")
_UNTRAINED = ".original_module."  # the twin that peft keeps of a head; no score hangs on it
_LISTED = 12


def core(name: str, prefix: str) -> str:
    """What a tensor's name has in every spelling; `prefix` is what its family calls the base inside a stock model."""
    name = _ADAPTERS_NAME.sub(r".\1.", _WRAPPERS.sub("", name)).replace(".modules_to_save.", ".")
    name = re.sub(r"\.lora_magnitude_vector\..+$", ".lora_magnitude_vector", name)
    return re.sub(rf"^(?:(?:base_model|model|language_model|{re.escape(prefix or 'model')})\.)+", "", name)


def cores(tensors: Mapping[str, Tensor], prefix: str) -> Tensors:
    """The tensors by their cores. BadInput where two that differ have one core, as when a file holds two adapters."""
    found: Tensors = {}
    for name, value in tensors.items():
        if _UNTRAINED in name:
            continue
        key = core(name, prefix)
        if key in found and not (found[key].shape == value.shape and torch.equal(found[key], value)):
            raise BadInput(f"It holds two different tensors for {key}: is there more than one adapter in the file?")
        found[key] = value
    return found


def head_in(left: Mapping[str, Tensor], rows: int, width: int) -> Tensors:
    """{"weight", and "bias" where there is one} of the only linear layer [rows, width] among tensors of no known name."""
    parts: dict[str, Tensors] = defaultdict(dict)
    for name, value in left.items():
        module, _, kind = name.rpartition(".")
        parts[module][kind] = value
    fitting = [part for part in parts.values() if part.keys() <= {"weight", "bias"} and _is_linear(part, rows, width)]
    return fitting[0] if len(fitting) == 1 else {}


def _is_linear(part: Tensors, rows: int, width: int) -> bool:
    bias = part.get("bias")
    return "weight" in part and part["weight"].shape == (rows, width) and (bias is None or bias.shape == (rows,))


def insist(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], left: Iterable[str]) -> None:
    """BadInput with the list of what is missing, left over or of another shape; silence when every tensor fits."""
    problems = [*_listed("missing", sorted(wanted.keys() - found.keys())), *_listed("left over", sorted(left))]
    others = [f"{name} is {_size(found[name])} and should be {_size(wanted[name])}"
              for name in sorted(wanted.keys() & found.keys()) if found[name].shape != wanted[name].shape]  # fmt: skip
    problems += _listed("of another shape, so the adapter belongs to another base or rank", others)
    if problems:
        raise BadInput("The adapter does not fit.", *problems)


def _listed(what: str, names: list[str]) -> Iterator[str]:
    if names:
        more = f"; and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        yield f"{len(names)} tensor{'s are' if len(names) > 1 else ' is'} {what}: {'; '.join(names[:_LISTED])}{more}."


def _size(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape)) or "a single number"
