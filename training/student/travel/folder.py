"""A PEFT folder from elsewhere, read without trusting it: no pickles, no links that lead out, nothing half there."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from distillery_site.common.errors import BadInput

from .. import calibrate
from ..tokens import Reading
from .spelling import Tensors

CONFIG, WEIGHTS, ABOUT = "adapter_config.json", "adapter_model.safetensors", "student.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_NOT_WEIGHTS = ("optimizer", "scheduler", "training_args", "rng_state", "scaler")  # what a Trainer leaves beside an adapter
_LARGEST_JSON = 4_000_000
_TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "spiece.model")


@dataclass(frozen=True)
class Folder:
    """What lies in it: peft's configuration, tensors by file, and what an export of ours says about itself."""

    path: Path
    config: Mapping[str, Any]
    adapter: Tensors
    others: Mapping[str, Tensors]
    about: Mapping[str, Any]

    @property
    def has_tokenizer(self) -> bool:
        return any((self.path / name).is_file() for name in _TOKENIZERS)

    @property
    def pickles(self) -> list[str]:
        return [path.name for path in _pickles(self.path)]


def read(path: Path) -> Folder:
    """BadInput says what is missing, damaged or not to be trusted."""
    if not path.is_dir():
        raise BadInput(f"{path} is not a folder.")
    _insist_on_own_files(path)
    config = read_json(path / CONFIG)
    if not (path / WEIGHTS).is_file():
        raise BadInput(_no_weights(path))
    others = {p.name: tensors(p) for p in sorted(path.glob("*.safetensors")) if p.name != WEIGHTS and p.stat().st_size < 1e9}
    about = read_json(path / ABOUT) if (path / ABOUT).is_file() else {}
    if about and not _is_an_exports(about):
        raise BadInput(
            f"{ABOUT} is not what an export wrote: take it out of the folder, and its adapter can be taken in without."
        )
    return Folder(path, config, tensors(path / WEIGHTS), others, about)


def _is_an_exports(about: Mapping[str, Any]) -> bool:
    """Whether everything that is taken from it can be: reading, order of outputs, calibration, intervals, reference texts."""
    try:
        nothing = np.zeros((1, len([output["dimension"] for output in about["outputs"]])))
        golden = about.get("golden") or {"texts": [], "predictions": []}
        calibrate.apply(about.get("calibration"), nothing)
        if about.get("intervals"):
            calibrate.interval(about["intervals"], nothing)
        Reading.of(about["config"])
        return len(golden["texts"]) == len(np.array(golden["predictions"], dtype=np.float64))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return False


def _insist_on_own_files(path: Path) -> None:
    """A link could hand over any file of this machine."""
    home = path.resolve()
    strangers = [p.name for p in path.iterdir() if not p.resolve().is_relative_to(home)]
    if strangers:
        raise BadInput(
            f"{', '.join(sorted(strangers))} in {path} is a link that leads out of the folder: copy the files themselves "
            "first, with cp -rL."
        )


def _no_weights(path: Path) -> str:
    if not (path / "manifest.json").exists():
        found = [p.name for p in _pickles(path) if p.name.startswith("adapter")]
        return f"{path} has no {WEIGHTS}. {how_to_convert(found[0])}" if found else f"{path} has no {WEIGHTS}."
    return f"{path} is a whole student, whose adapter lies in its folder model: give that one."


def how_to_convert(pickle: str) -> str:
    """A sentence and a command for the person who trusts the file."""
    name = WEIGHTS if pickle.startswith("adapter") else Path(pickle).stem + ".safetensors"
    return (
        f"{pickle} is a pickle, which can run any program when it is read, so it is not. Where you trust it, write it anew: "
        "python -c 'import torch; from safetensors.torch import save_file; "
        f'save_file({{name: t.contiguous().clone() for name, t in torch.load("{pickle}", map_location="cpu", weights_only=True)'
        f'.items()}}, "{name}")\''
    )


def _pickles(path: Path) -> Iterator[Path]:
    """Pickles that may be weights."""
    files = sorted(p for p in path.iterdir() if p.suffix in _PICKLES)
    yield from (p for p in files if not p.name.startswith(_NOT_WEIGHTS))


def read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise BadInput(f"{path.parent} has no {path.name}, so it is not a PEFT folder.")
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise BadInput(f"{path.name} is larger than a configuration can be.")
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise BadInput(f"{path.name} can't be read as JSON: {error}.") from None
    if not isinstance(value, dict):
        raise BadInput(f"{path.name} must hold a JSON object.")
    return value


def tensors(path: Path) -> Tensors:
    """In fp32. BadInput for a damaged file, an empty one, and numbers that are none."""
    try:
        found = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput(f"{path.name} is damaged or was not copied whole: {error}.") from None
    if not found:
        raise BadInput(f"{path.name} holds no tensors.")
    broken = [name for name, value in found.items() if not bool(torch.isfinite(value.float()).all())]
    if broken:
        raise BadInput(f"{path.name} holds NaN or infinity in {len(broken)} tensors ({broken[0]} …): its training went wrong.")
    return {name: value.float().contiguous() for name, value in found.items()}
