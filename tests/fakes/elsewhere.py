"""Adapters as other people's programs left them: made with plain peft on a tiny base, then written in an old spelling."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

TEXTS = ["the river", "a crisis of the market and the shares of the bank in the town", "flood rescue for the village children"]
OUTPUTS = 3
WEIGHTS = "adapter_model.safetensors"
Tensors = dict[str, torch.Tensor]


def trained(base: Path, folder: Path, *, stock: bool = True, outputs: int = OUTPUTS, **settings: Any) -> Path:
    """A plain PEFT folder with random adapters, and a stock head unless told otherwise."""
    torch.manual_seed(1)
    about = {"r": 4, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj", "down_proj"], "task_type": "SEQ_CLS"} | settings
    if not stock:
        about |= {"task_type": "FEATURE_EXTRACTION"}
    model = peft.get_peft_model(_base(base, stock, outputs), peft.LoraConfig(**about))
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                value.add_(torch.randn_like(value) * 0.2)
    model.save_pretrained(str(folder))
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


def _base(base: Path, stock: bool, outputs: int = OUTPUTS) -> Any:
    if not stock:
        return AutoModel.from_pretrained(base, dtype=torch.float32)
    torch.manual_seed(2)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=outputs, dtype=torch.float32)
    model.config.pad_token_id = AutoTokenizer.from_pretrained(base).pad_token_id
    return model


@torch.no_grad()
def scores(base: Path, folder: Path, texts: list[str] = TEXTS, outputs: int = OUTPUTS) -> np.ndarray:
    """What plain peft and transformers say, one text at a time."""
    model = peft.PeftModel.from_pretrained(_base(base, True, outputs), str(folder)).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    found = [model(**_inputs(tokenizer, text)).logits[0] for text in texts]
    return torch.stack(found).double().numpy()


@torch.no_grad()
def mean_scores(base: Path, folder: Path, head: Tensors) -> np.ndarray:
    """The same for a head of its own on the mean of the token vectors."""
    model = peft.PeftModel.from_pretrained(_base(base, False), str(folder)).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    vectors = [model(**_inputs(tokenizer, text)).last_hidden_state[0].mean(0) for text in TEXTS]
    return (torch.stack(vectors) @ head["weight"].T + head.get("bias", 0)).double().numpy()


def _inputs(tokenizer: Any, text: str) -> Tensors:
    found = tokenizer(text, return_tensors="pt")
    return {"input_ids": found["input_ids"], "attention_mask": found["attention_mask"]}


def copied(folder: Path, to: Path, names: Callable[[str], str] = lambda name: name, **config: Any) -> Path:
    """The folder with other tensor names and configuration keys; a value of ... takes a key away."""
    shutil.copytree(folder, to)
    save_file({names(name): value for name, value in load_file(folder / WEIGHTS).items()}, to / WEIGHTS)
    stored = json.loads((folder / "adapter_config.json").read_text()) | config
    kept = {key: value for key, value in stored.items() if value is not ...}
    (to / "adapter_config.json").write_text(json.dumps(kept))
    return to


def without_head(folder: Path) -> Tensors:
    """Take the head out of the adapter's file; gives it as weight and bias."""
    path = folder / WEIGHTS
    found = load_file(path)
    head = {name.rpartition(".")[2]: value for name, value in found.items() if ".score." in name}
    save_file({name: value for name, value in found.items() if ".score." not in name}, path)
    return head


OLD_KEYS = (
    "base_model_name_or_path", "bias", "fan_in_fan_out", "inference_mode", "init_lora_weights", "layers_pattern",
    "layers_to_transform", "lora_alpha", "lora_dropout", "modules_to_save", "peft_type", "r", "revision", "target_modules",
    "task_type",
)  # fmt: skip  # what peft 0.4 wrote
