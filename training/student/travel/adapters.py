"""An adapter that learned elsewhere becomes a student like any other: tensors under today's names, proven by loading it.

The order: read the folder without trusting it, find its base, compare every tensor's name and shape with what peft would
train on that base (on the meta device, so before any weight is read), write a normal student's folder, open it as scoring
will, let it score reference texts alone and together, and only then write the manifest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors.torch import save_file

from distillery_site.common.errors import BadInput, Permanent

from .. import artifact
from ..bases import store
from ..config import LoraConfig
from ..data import Corpus, Example, Floats, Output
from ..events import Emit
from ..lora import model, structure
from ..tokens import Tokenizer, tokenizer_of
from . import fitting, folder, peft_settings
from .fitting import STOCK_HEADS, Fitted
from .folder import Folder

MAX_TOKENS = 512  # where neither a person nor the folder says how much its student read
_FAR_OUTSIDE = 1.0  # scores so far outside 0–10, or none above it, look like another scale


@dataclass(frozen=True)
class Wish:
    """What a person says of an adapter: which outputs its head's rows are, and what the folder doesn't tell."""

    outputs: tuple[Output, ...]
    view: Mapping[str, Any]
    rubric_hashes: Mapping[str, str]
    texts: tuple[str, ...] = ()  # reference texts, of the kind it will meet
    base: str = ""
    pooling: str = ""
    max_tokens: int = 0

    @classmethod
    def read(cls, path: Path) -> "Wish":
        stored = folder.read_json(path)
        outputs = tuple(Output(**output) for output in stored.pop("outputs"))
        return cls(outputs, texts=tuple(stored.pop("texts", ())), **stored)


def take_in(adapter: Path, wish: Wish, out: Path, roots: Path, emit: Emit) -> None:
    """Write a complete student of kind lora to `out`; BadInput or Permanent says why not, and then there is no manifest."""
    given = folder.read(adapter)
    said: list[str] = []
    read = peft_settings.read(given.config)
    said += read.notes
    _insist_on_order(given, wish)
    base = find_base(wish.base, given.config, roots)
    pooling = _pooling(given, wish)
    tokenizer = tokenizer_of(given.path if given.has_tokenizer else base)
    fitted = fitting.fit(given, read.settings, base, pooling, len(wish.outputs), said.append)
    reading = _reading(given, wish, fitted.bare, tokenizer, said)
    _insist_on_tokenizer(tokenizer, fitted.bare)
    card = store.card(base)
    _write(out / model.MODEL_DIR, fitted, tokenizer, card.home)
    manifest = _manifest(given, wish, card, pooling, reading, tokenizer, fitted)
    for text in said:
        emit("note", text=text)
    _seal(out, {**manifest, "origin": {**manifest["origin"], "notes": said}}, wish, given, roots, emit)


# ── Base and reading ────────────────────────────────────────────────────────────────────────────────────────────────────


def find_base(wanted: str, config: Mapping[str, Any], root: Path) -> Path:
    """The base's folder below `root`: by name, public name or hash as a person says, else by what the adapter calls it.

    The path that adapter_config.json has is the trainer's own; only its last part means something here.
    """
    cards = {path.parent: store.card(path.parent) for path in sorted(Path(root).glob(f"*/{store.CARD}"))}
    named = wanted or str(config.get("base_model_name_or_path") or "")
    found = [place for place, card in cards.items() if _is_called(card, named, by_hash=bool(wanted))]
    if len(found) == 1:
        return found[0]
    if wanted in store.CATALOGUE:
        return store.find(wanted, root)  # says how to fetch it
    known = next((name for name, base in store.CATALOGUE.items() if named and _last(base.home) == _last(named)), "")
    if known and not found:
        return store.find(known, root)
    here = ", ".join(card.name for card in cards.values()) or "none yet"
    whose = "you asked for" if wanted else "adapter_config.json names"
    raise BadInput(
        f"The base that {whose}, {named or 'nothing'!r}, is {'more than one' if found else 'none'} of those that are here "
        f"({here}): choose one with --base, by its name or the beginning of its weights' hash."
    )


def _is_called(card: store.Card, text: str, *, by_hash: bool) -> bool:
    if by_hash and len(text.removeprefix("sha256:")) >= 8 and card.sha256.startswith(text.removeprefix("sha256:").lower()):
        return True
    exact = text.lower() in (card.name.lower(), card.home.lower(), card.locator.lower())
    return exact or (bool(text) and _last(text) in (_last(card.name), _last(card.home)))


def _last(name: str) -> str:
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2].lower()


def _pooling(given: Folder, wish: Wish) -> model.Pooling:
    told = wish.pooling or str(given.about.get("config", {}).get("pooling", ""))
    if not told and (given.config.get("task_type") == "SEQ_CLS" or _names_a_head(given)):
        told = "last"
    if told not in ("last", "mean"):
        raise BadInput(
            f"adapter_config.json has task_type {given.config.get('task_type')}, so nobody knows what its head reads: add "
            "--pooling last (transformers' own head for sequences) or --pooling mean (the mean of the token vectors)."
        )
    return cast(model.Pooling, told)


def _names_a_head(given: Folder) -> bool:
    return any(part in STOCK_HEADS for name in given.adapter for part in name.split("."))


def _reading(given: Folder, wish: Wish, bare: Any, tokenizer: Tokenizer, said: list[str]) -> dict[str, Any]:
    """How much of an article it reads: as a person says, as an export says, as its tokenizer cut, or 512 tokens."""
    told = given.about.get("config", {})
    backend = getattr(tokenizer, "backend_tokenizer", None)
    cut = (backend.truncation or {}).get("max_length", 0) if backend is not None and given.has_tokenizer else 0
    tokens = wish.max_tokens or told.get("max_tokens", 0) or cut
    longest = structure.longest(bare)
    if not tokens:
        tokens = min(MAX_TOKENS, longest or MAX_TOKENS)
        said.append(f"Nothing says how many tokens it read; it reads {tokens} here. Change that with --max-tokens.")
    if longest is not None and tokens > longest:
        raise BadInput(f"Its base reads at most {longest} tokens; {tokens} were asked for.")
    return {"max_tokens": tokens, "truncation": told.get("truncation", "head"), "instruction": told.get("instruction", "")}


def _insist_on_order(given: Folder, wish: Wish) -> None:
    """An export of ours says what its head's rows are: another order of the same dimensions is a mistake."""
    told = [output["dimension"] for output in given.about.get("outputs", ())]
    asked = [output.dimension for output in wish.outputs]
    if told != asked and sorted(told) == sorted(asked):
        raise BadInput(f"Its head's rows are, in this order, {', '.join(told)}: add --dimensions {','.join(told)}.")


def _insist_on_tokenizer(tokenizer: Tokenizer, bare: Any) -> None:
    rows = bare.get_input_embeddings().weight.shape[0]
    if max(tokenizer.get_vocab().values()) >= rows:
        raise BadInput(f"Its tokenizer knows {len(tokenizer):,} tokens and its base only {rows:,}: they don't belong together.")


# ── The student's folder ────────────────────────────────────────────────────────────────────────────────────────────────


def _write(target: Path, fitted: Fitted, tokenizer: Tokenizer, home: str) -> None:
    target.mkdir(parents=True, exist_ok=True)
    fitted.config.base_model_name_or_path, fitted.config.inference_mode = home, True
    fitted.config.save_pretrained(str(target))
    save_file(fitted.tensors, target / folder.WEIGHTS)
    if fitted.head:
        save_file(fitted.head, target / model.HEAD)
    tokenizer.save_pretrained(target)


def _manifest(
    given: Folder, wish: Wish, card: store.Card, pooling: str, reading: dict[str, Any], tokenizer: Tokenizer, fitted: Fitted
) -> dict[str, Any]:
    corpus = Corpus("", "", wish.outputs, wish.view, wish.rubric_hashes, ())
    about = {
        "folder": given.path.name,
        "base": _named(given),
        "peft_version": str(given.config.get("peft_version") or "not told"),
        "adapter_sha256": artifact.file_sha256(given.path / folder.WEIGHTS),
        "base_sha256": card.sha256,
    }
    known = {"base": card.name, "pooling": pooling, "rank": fitted.config.r, "alpha": fitted.config.lora_alpha, **reading}
    base = {**vars(card), "pad_token_id": tokenizer.pad_token_id, "pooling": pooling}
    described = artifact.describe("lora", corpus, LoraConfig(), base=base)
    told = [output["dimension"] for output in given.about.get("outputs", ())]
    same = told == [output.dimension for output in wish.outputs]  # intervals are about an oracle's scores, so about a rubric
    carried = {key: given.about[key] for key in ("calibration", *(["intervals"] if same else [])) if given.about.get(key)}
    return {**described, "dataset": None, "seeds": {}, "config": known, "origin": about, **carried}


def _named(given: Folder) -> str:
    """What it calls its base: a public name whole, of a path of its trainer's machine the last part."""
    name = str(given.config.get("base_model_name_or_path") or "")
    return name if name.count("/") == 1 and not name.startswith(("/", ".", "~")) else _last(name)


def _seal(out: Path, manifest: dict[str, Any], wish: Wish, given: Folder, roots: Path, emit: Emit) -> None:
    """Open it as scoring does, look at its scores, and write the manifest."""
    student = artifact.open_student(out, manifest, "", bases=roots)
    scorer = cast(model.LoraStudent, artifact.uncalibrated(student)).scorer
    texts = _reference_texts(wish, given)
    together = student.predict(texts)
    figures = {"val_mae": None, "batch_max_diff": _alone(student, texts, together)}
    _insist_on_its_own_scores(student, given)
    if (strange := _strange(together)) is not None:
        emit("note", text=strange)
    golden = {"texts": texts, "predictions": together.tolist()}
    sealed = {**manifest, "parameters": model.parameters(scorer), "metrics": figures, "golden": golden}
    emit("done", manifest_sha256=artifact.seal(out, sealed), batch_max_diff=figures["batch_max_diff"])


def _reference_texts(wish: Wish, given: Folder) -> list[str]:
    examples = tuple(Example(str(i), text, (), "val") for i, text in enumerate(wish.texts))
    ours = artifact.golden_texts(Corpus("", "", wish.outputs, wish.view, {}, examples))
    return list(dict.fromkeys([*ours, *given.about.get("golden", {}).get("texts", ())]))


def _alone(student: artifact.Student, texts: Sequence[str], together: Floats) -> float:
    """The largest difference between a text's scores alone and among others that are longer or shorter."""
    if not bool(np.isfinite(together).all()):
        raise Permanent("It answers reference texts with NaN or infinity.")
    difference = max(artifact.max_difference(student.predict([text])[0], row) for text, row in zip(texts, together, strict=True))
    if not difference <= artifact.TOLERANCE:
        raise Permanent(f"The student predicts otherwise when asked alone instead of in a batch: off by {difference:.4f} points.")
    return difference


def _insist_on_its_own_scores(student: artifact.Student, given: Folder) -> None:
    """An export of ours carries reference texts with their scores."""
    golden = given.about.get("golden")
    if not golden:
        return
    difference = artifact.max_difference(student.predict(golden["texts"]), np.array(golden["predictions"], dtype=np.float64))
    if not difference <= artifact.TOLERANCE:
        raise Permanent(
            f"It does not score its own reference texts as it did where it comes from: off by {difference:.4f} points."
        )


def _strange(scores: Floats) -> str | None:
    low, high = scores.min(), scores.max()
    if low > -_FAR_OUTSIDE and _FAR_OUTSIDE < high < 10 + _FAR_OUTSIDE:
        return None
    return f"Its scores of the reference texts run from {low:.2f} to {high:.2f}: did it learn on a scale from 0 to 10?"
