"""A LoRA student: a pretrained base with low-rank adapters, pooled, and one linear head for all outputs.

Two shapes, one code. pooling "last" is the stock AutoModelForSequenceClassification (a decoder scores its last token,
an encoder its first); "mean" averages the base's token vectors and has a head of its own. In both, the module's result
times `scale` is the score: while training, `scale` is each output's spread; `fold` multiplies it into the head, so that
what is saved is plain.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import peft
import torch
import transformers
from peft import get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForSequenceClassification

from distillery_site.common.errors import BadInput, Permanent

from .. import artifact, devices
from ..bases.store import Card, resolve
from ..config import LoraConfig
from ..data import Floats, Output
from ..tokens import Reading, Tokenizer, batches, encode, frame, head_room, pad, tokenizer_of
from . import fused, structure

Pooling = Literal["mean", "last"]
MODEL_DIR, HEAD = "model", "head.safetensors"
_TOGETHER = 32  # articles in one forward pass when predicting


class Scorer(nn.Module):
    """Token ids [n, length] → scores / scale [n, outputs]."""

    scale: Tensor

    def __init__(self, model: peft.PeftModel, head: nn.Linear | None, outputs: int):
        super().__init__()
        self.model, self.head = model, head
        self.register_buffer("scale", torch.ones(outputs), persistent=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.score(input_ids, attention_mask)

    def score(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """As `forward`, which a trainer may wrap so that it always computes in bf16; predicting asks here."""
        found = self.model(input_ids=input_ids, attention_mask=attention_mask)
        if self.head is None:
            return cast(Tensor, found.logits)
        mask = attention_mask.unsqueeze(-1).to(found.last_hidden_state.dtype)
        pooled = (found.last_hidden_state * mask).sum(1) / mask.sum(1).clamp(min=1.0)
        return cast(Tensor, self.head(pooled))

    @property
    def final(self) -> nn.Linear:
        """The layer whose rows are the outputs."""
        return self.head if self.head is not None else structure.final_layer(self.stock, len(self.scale))

    @property
    def stock(self) -> Any:
        """The base as transformers knows it, adapters inside."""
        return self.model.get_base_model()

    def backbone(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token vectors [n, length, hidden], before any head."""
        inner = structure.base_of(self.stock)
        return cast(Tensor, inner(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state)

    @torch.no_grad()
    def fold(self) -> None:
        """Multiply the scale into the head; predictions stay what they were."""
        self.final.weight.mul_(self.scale.to(self.final.weight.dtype)[:, None])
        if self.final.bias is not None:
            self.final.bias.mul_(self.scale.to(self.final.bias.dtype))
        self.scale.fill_(1.0)

    def trainable(self) -> dict[str, Tensor]:
        """Every trained tensor under the name it has on disk: plain PEFT's, and head.* for an own head."""
        tensors = dict(get_peft_model_state_dict(self.model, save_embedding_layers=False))
        if self.head is not None:
            tensors |= {f"head.{name}": value for name, value in self.head.state_dict().items()}
        return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}

    def fill(self, tensors: Mapping[str, Tensor]) -> None:
        """Load trained tensors strictly: every one of the model's must be given, none may be left over."""
        wanted = self.trainable()
        missing, unknown = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
        if missing or unknown:
            raise artifact.ArtifactError(
                f"The trained weights don't fit their base: {len(missing)} tensors are missing and {len(unknown)} are unknown"
                f" ({', '.join((missing + unknown)[:3])} …)."
            )
        set_peft_model_state_dict(self.model, {k: v for k, v in tensors.items() if not k.startswith("head.")})
        if self.head is not None:
            self.head.load_state_dict({k[5:]: v for k, v in tensors.items() if k.startswith("head.")})
        unfilled = [name for name, value in self.trainable().items() if not torch.equal(value, tensors[name].cpu())]
        if unfilled:
            raise artifact.ArtifactError(f"{len(unfilled)} trained tensors were not taken over ({unfilled[0]} …).")


def build(
    base: Path, tokenizer: Tokenizer, pooling: Pooling, outputs: int, adapters: peft.LoraConfig | LoraConfig, bias: bool = False
) -> Scorer:
    """The base with fresh adapters and an untrained head; `adapters` is the recipe's or a stored adapter's configuration.

    `bias` gives a stock head a bias that its family lacks, for a student that learned elsewhere and has one.
    """
    stored = adapters.modules_to_save or [] if isinstance(adapters, peft.LoraConfig) else None
    model = _pretrained(base, pooling, outputs, stored)
    if bias:
        structure.give_bias(structure.final_layer(model, outputs))
    text = model.config.get_text_config()
    text.pad_token_id = model.config.pad_token_id = tokenizer.pad_token_id
    text.use_cache = False  # nothing is generated here, and keys of a whole article are large
    if isinstance(adapters, LoraConfig):
        _insist_that_it_fits(model, adapters)
        if not adapters.base_dropout:
            _without_dropout(model)
        adapters = structure.adapters(model, adapters)
    expected = structure.expected(model, adapters)
    head = None if pooling == "last" else nn.Linear(structure.width(model), outputs)
    scorer = Scorer(get_peft_model(model, adapters), head, outputs)
    fused.fuse(scorer.model)
    check(scorer, tokenizer, expected + (sum(p.numel() for p in head.parameters()) if head is not None else 0))
    return scorer


def _pretrained(base: Path, pooling: Pooling, outputs: int, stored: Sequence[str] | None) -> Any:
    """The base from its folder; Permanent where weights are unreadable, or lack something that isn't the head's.

    `stored` are the parts that a stored adapter brings along; None: the head is yet to be trained.
    """
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it reports the head that it can't find
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    kind = AutoModelForSequenceClassification if pooling == "last" else AutoModel
    more = {"num_labels": outputs} if pooling == "last" else {}
    try:
        model, found = kind.from_pretrained(
            base, dtype=torch.float32, local_files_only=True, output_loading_info=True, use_safetensors=True, **more
        )
    except (OSError, ValueError, SafetensorError) as error:
        first = str(error).strip().splitlines()[0]
        raise Permanent(f"The base model in {base} can't be loaded ({first}): fetch it again.") from error
    if pooling == "mean" and getattr(model, "pooler", None) is not None:
        model.pooler = None  # it sees one token, and nothing here reads it
    heads = structure.head_parts(model) if stored is None else stored
    missing = sorted(name for name in found["missing_keys"] if not name.startswith(("pooler.", *(f"{head}." for head in heads))))
    if missing:
        raise Permanent(
            f"The base model in {base} lacks {len(missing)} of its weights ({', '.join(missing[:3])} …): fetch it again."
        )
    return model


def _insist_that_it_fits(model: Any, recipe: LoraConfig) -> None:
    longest = structure.longest(model)
    if longest is not None and recipe.max_tokens > longest:
        raise BadInput(f"The base reads at most {longest} tokens; max_tokens is {recipe.max_tokens}.")


def _without_dropout(model: nn.Module) -> None:
    """Turn the base's own dropout off: its weights don't learn, and attention with dropout can't use the fused kernels."""
    for part in model.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        if isinstance(getattr(part, "attention_dropout", None), float):
            part.attention_dropout = 0.0  # type: ignore[assignment]


def check(scorer: Scorer, tokenizer: Tokenizer, expected: int) -> None:
    """The silent faults, said aloud: frozen adapters, and padding that model and tokenizer don't agree on."""
    found = parameters(scorer)["trainable"]
    if found != expected:
        raise Permanent(f"{found:,} parameters would be trained where LoRA on this base means {expected:,}.")
    pads = scorer.stock.config.get_text_config().pad_token_id
    if pads != tokenizer.pad_token_id:
        raise Permanent(
            f"The model pads with token {pads} and the tokenizer with {tokenizer.pad_token_id}: scores would be wrong."
        )


def parameters(scorer: Scorer) -> dict[str, int]:
    """{"trainable", "total"}; the untrained twin that peft keeps of a stock head is not counted."""
    twin = sum(p.numel() for name, p in scorer.named_parameters() if ".original_module." in name)
    trainable = sum(p.numel() for p in scorer.parameters() if p.requires_grad)
    return {"trainable": trainable, "total": sum(p.numel() for p in scorer.parameters()) - twin}


def unmoved(scorer: Scorer) -> list[str]:
    """LoRA's B matrices that still are the zeros they began as."""
    return [name for name, p in scorer.named_parameters() if ".lora_B." in name and not bool(p.detach().any())]


@contextmanager
def evaluating(scorer: Scorer) -> Iterator[None]:
    """Dropout off, gradients off, full precision; training goes on as it was."""
    was = scorer.training
    scorer.eval()
    device = next(scorer.parameters()).device.type
    try:
        with torch.inference_mode(), torch.autocast(device, enabled=False):
            yield
    finally:
        scorer.train(was)


def predict(scorer: Scorer, tokenizer: Tokenizer, texts: Sequence[str], reading: Reading) -> Floats:
    """[n, outputs] raw scores in fp32 arithmetic."""
    rows = encode(tokenizer, texts, reading)
    scores = np.empty((len(rows), len(scorer.scale)))
    device = next(scorer.parameters()).device
    with evaluating(scorer):
        for chosen in batches(rows, _TOGETHER):
            inputs = pad([rows[i] for i in chosen], tokenizer.pad_token_id)
            found = scorer.score(**{name: value.to(device) for name, value in inputs.items()}) * scorer.scale
            scores[chosen] = found.double().cpu().numpy()
    return scores


def save(scorer: Scorer, tokenizer: Tokenizer, directory: Path, base: Card, reading: Reading) -> None:
    """Plain PEFT: adapter weights, adapter_config.json with the base's public name, tokenizer; an own head beside them."""
    target = directory / MODEL_DIR
    scorer.model.peft_config["default"].base_model_name_or_path = base.home
    scorer.model.save_pretrained(str(target), save_embedding_layers=False)
    tokenizer.save_pretrained(target)
    if scorer.head is not None:
        save_file({name: value.contiguous() for name, value in scorer.head.state_dict().items()}, target / HEAD)
    how = _LOADER_MEAN if scorer.head is not None else _LOADER_LAST
    words = {"base": base.home, "outputs": len(scorer.scale), "inputs": _inputs(tokenizer, reading)}
    (target / "README.md").write_text(how.format(**words), encoding="utf-8")


def _inputs(tokenizer: Tokenizer, reading: Reading) -> str:
    """The lines of the README that make `inputs` of an article."""
    if reading == Reading(reading.max_tokens):
        return f'inputs = tokenizer(["An article …"], truncation=True, max_length={reading.max_tokens}, padding=True, ' + (
            'return_tensors="pt")'
        )
    around = frame(tokenizer, reading)
    head = head_room(around.room, reading.truncation)
    return _ASSEMBLED.format(before=around.before, after=around.after, head=head, tail=around.room - head, room=around.room)


def read(directory: Path, base: Path, tokenizer: Tokenizer, pooling: Pooling, outputs: int) -> Scorer:
    """Rebuild from the folder that `save` wrote."""
    target = directory / MODEL_DIR
    adapters = cast(peft.LoraConfig, peft.PeftConfig.from_pretrained(str(target)))
    adapters.inference_mode = False  # frozen adapters would also pass for loaded ones
    adapters.base_model_name_or_path = str(base)
    tensors = _tensors(target / "adapter_model.safetensors")
    scorer = build(base, tokenizer, pooling, outputs, adapters, bias=any(name.endswith(".score.bias") for name in tensors))
    if scorer.head is not None:
        tensors |= {f"head.{name}": value for name, value in _tensors(target / HEAD).items()}
    scorer.fill(tensors)
    return scorer


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise artifact.ArtifactError(f"{path.name} can't be read: {error}.") from error


class LoraStudent:
    """A trained scorer with its tokenizer."""

    kind = "lora"

    def __init__(self, scorer: Scorer, tokenizer: Tokenizer, manifest: Mapping[str, Any], sha256: str = ""):
        self.scorer, self.tokenizer = scorer.eval(), tokenizer
        self.manifest, self.manifest_sha256 = manifest, sha256
        self.outputs: list[Output] = artifact.outputs_of(manifest)
        self.view: Mapping[str, Any] = manifest["view"]
        self.reading = Reading.of(manifest["config"])

    def predict(self, texts: Sequence[str]) -> Floats:
        return predict(self.scorer, self.tokenizer, texts, self.reading)

    @classmethod
    def open(cls, directory: Path, manifest: Mapping[str, Any], sha256: str, *, bases: Path | None = None) -> "LoraStudent":
        about, pooling = manifest["base"], manifest["config"]["pooling"]
        base = resolve(about["name"], about["sha256"], directory, bases)
        tokenizer = tokenizer_of(directory / MODEL_DIR)
        if tokenizer.pad_token_id != about["pad_token_id"]:
            raise artifact.ArtifactError("The stored tokenizer pads with another token than the one trained with.")
        scorer = read(directory, base, tokenizer, pooling, len(manifest["outputs"]))
        return cls(scorer.to(devices.best()), tokenizer, manifest, sha256)


_ASSEMBLED = """BEFORE, AFTER = {before}, {after}  # the tokenizer's marks and the instruction
ids = tokenizer("An article …", add_special_tokens=False)["input_ids"]
ids = BEFORE + (ids if len(ids) <= {room} else ids[:{head}] + ids[len(ids) - {tail}:]) + AFTER
inputs = {{"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}}"""

_LOADER_LAST = """# A student in plain PEFT form

```python
import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

BASE, HERE = "{base}", "."
tokenizer = AutoTokenizer.from_pretrained(HERE)
base = AutoModelForSequenceClassification.from_pretrained(BASE, num_labels={outputs}, dtype=torch.float32)
base.config.pad_token_id = tokenizer.pad_token_id
model = PeftModel.from_pretrained(base, HERE).eval()
{inputs}
scores = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
```
"""

_LOADER_MEAN = """# A student in plain PEFT form, with a head of its own on the mean of the token vectors

```python
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

BASE, HERE = "{base}", "."
tokenizer = AutoTokenizer.from_pretrained(HERE)
model = PeftModel.from_pretrained(AutoModel.from_pretrained(BASE, dtype=torch.float32), HERE).eval()
head = load_file(HERE + "/head.safetensors")
{inputs}
mask = inputs["attention_mask"][..., None]
tokens = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).last_hidden_state
scores = (tokens * mask).sum(1) / mask.sum(1) @ head["weight"].T + head["bias"]
```
"""
