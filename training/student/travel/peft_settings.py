"""adapter_config.json of any age: what is honoured, what is dropped with a word, what is refused because scores hang on it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import peft
from peft.utils.other import get_pattern_key

from distillery_site.common.errors import BadInput

Settings = dict[str, Any]

_NEEDED = ("r", "lora_alpha", "target_modules")  # peft has defaults for them, and a default would change the scores unseen
_HONOURED = (
    *_NEEDED, "exclude_modules", "use_rslora", "use_dora", "lora_bias", "rank_pattern", "alpha_pattern",
    "layers_to_transform", "layers_pattern", "fan_in_fan_out", "modules_to_save",
)  # fmt: skip
_WITHOUT_MEANING = {  # here: set anew, or of use in training only
    "peft_type", "task_type", "auto_mapping", "base_model_name_or_path", "revision", "peft_version", "inference_mode",
    "lora_dropout", "init_lora_weights", "runtime_config", "megatron_core", "qalora_group_size", "ensure_weight_tying",
    "eva_config", "corda_config", "lora_ga_config", "velora_config",
}  # fmt: skip
_REFUSED = {
    "bias": "it trained the base's own biases too, which are not kept here",
    "loftq_config": "it belongs to a base that was quantised with it",
    "use_qalora": "it belongs to a quantised base",
    "layer_replication": "it stands on a base whose layers were repeated",
    "megatron_config": "its layers are cut into parts for Megatron",
    "trainable_token_indices": "it trained some of the base's token vectors, which are not kept here",
    "target_parameters": "it adapts parameters that are no layers",
    "alora_invocation_tokens": "it works only after certain tokens",
    "use_bdlora": "its matrices are block-diagonal",
    "arrow_config": "it chooses among several adapters",
    "monteclora_config": "it scores by sampling",
    "kasa_config": "it removes parts of the base's weights",
}
_KEEP_THE_BASE = (True, False, None, "gaussian", "eva", "orthogonal")  # ways to begin that leave the base's weights alone


@dataclass(frozen=True)
class Read:
    """What peft is told, and what a person should know of the rest."""

    settings: Settings
    notes: list[str]


def read(stored: Mapping[str, Any]) -> Read:
    """Sort a stored configuration. BadInput lists everything that can't be honoured."""
    problems = [*_missing(stored), *_refusals(stored)]
    if problems:
        raise BadInput(*problems)
    known = {*_HONOURED, *_WITHOUT_MEANING, *_REFUSED}
    strange = {name: value for name, value in stored.items() if name not in known}
    settings = {name: stored[name] for name in _HONOURED if stored.get(name) is not None}
    return Read({**settings, "target_modules": _widened(stored["target_modules"])} | _excluded(settings), list(_dropped(strange)))


def _missing(stored: Mapping[str, Any]) -> list[str]:
    missing = [name for name in _NEEDED if stored.get(name) is None]
    told = (
        [f"adapter_config.json does not say {' and '.join(missing)}, without which nobody knows its scores."] if missing else []
    )
    kind = str(stored.get("peft_type", "LORA")).rpartition(".")[2]  # some versions wrote PeftType.LORA
    return told + ([f"It is a {kind} adapter; only LoRA adapters can be taken in."] if kind != "LORA" else [])


def _refusals(stored: Mapping[str, Any]) -> list[str]:
    asked = {name: stored.get(name) for name in _REFUSED if stored.get(name) and stored[name] != "none"}
    found = [f"It was trained with {name} = {_short(value)}: {_REFUSED[name]}." for name, value in asked.items()]
    begun = stored.get("init_lora_weights", True)
    if begun not in _KEEP_THE_BASE:
        found.append(
            f"It began with init_lora_weights = {_short(begun)}, which changes the base's own weights: save it again with "
            "path_initial_model_for_weight_conversion, which makes a plain LoRA of it."
        )
    return found


def _dropped(strange: Mapping[str, Any]) -> Iterable[str]:
    unset = sorted(name for name, value in strange.items() if not value)
    for name in sorted(strange.keys() - unset):
        yield (
            f"This peft ({peft.__version__}) does not know the key {name} = {_short(strange[name])} and goes on without it: "
            "if it changes how scores are computed, they are not those of the original."
        )
    if unset:
        yield f"Dropped keys that this peft ({peft.__version__}) does not know and that are unset: {', '.join(unset)}."


def _widened(pattern: Any) -> Any:
    """A regular expression matches whole names, which may have got longer since: let anything stand before it."""
    is_expression = isinstance(pattern, str) and pattern != "all-linear"
    return rf"(?:.*\.)?(?:{pattern})" if is_expression else pattern


def _excluded(settings: Mapping[str, Any]) -> Settings:
    return {"exclude_modules": _widened(settings["exclude_modules"])} if settings.get("exclude_modules") else {}


def patterns_fitted(settings: Mapping[str, Any], layers: Iterable[str]) -> Settings:
    """`settings` with rank and alpha patterns that all mean some layer here; BadInput names one that means none.

    Peft ignores a pattern that matches nothing, and a lost alpha changes scores without a trace.
    """
    layers, fitted = list(layers), dict(settings)
    for name in ("rank_pattern", "alpha_pattern"):
        fitted[name] = {_fitted(name, key, layers): value for key, value in (settings.get(name) or {}).items()}
    return fitted


def _fitted(name: str, key: str, layers: list[str]) -> str:
    shorter = re.sub(r"^\^?(base_model\.)?(model\.)*", "", key)
    for spelling in (key, shorter):
        if any(get_pattern_key([spelling], layer) == spelling for layer in layers):
            return spelling
    raise BadInput(f"Its {name} names {key}, which is no adapted layer of this base.")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
