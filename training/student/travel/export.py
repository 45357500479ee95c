"""A student as a folder that scores without this code: its files, the lines that load them, a model card, reference texts.

An export is proven before it is handed over: its own lines score the reference texts, and must give the stored scores.
"""

import json
import os
import runpy
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from distillery_site.common.errors import BadInput, Permanent

from .. import artifact
from ..bases import store
from ..events import Emit
from . import lines

README, SCORE, ABOUT = "README.md", "score.py", "student.json"
Manifest = Mapping[str, Any]


def give_out(student: Path, card: Path, out: Path, roots: Path, emit: Emit, *, merged: bool = False) -> None:
    """Write the export to `out`, which must not exist or be empty; a failure leaves nothing there."""
    manifest, sha256 = artifact.read_manifest(student)
    artifact.check_files(student, manifest)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} is not empty: name a new folder.")
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        code = _write(student, manifest, part, roots, merged)
        told = json.loads(card.read_text(encoding="utf-8"))
        (part / README).write_text(_readme(told, code, manifest, merged), encoding="utf-8")
        difference = prove(part, manifest, roots)
        shutil.rmtree(out, ignore_errors=True)
        part.replace(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    files = [path for path in out.rglob("*") if path.is_file()]
    emit("done", manifest_sha256=sha256, files=len(files), bytes=sum(p.stat().st_size for p in files), golden_max_diff=difference)


def prove(folder: Path, manifest: Manifest, roots: Path) -> float:
    """The largest difference between what the folder's own lines say of the reference texts and what is stored."""
    os.environ.update({lines.base_variable(about["name"]): str(Path(roots) / about["name"]) for about in _bases(manifest)})
    golden = manifest["golden"]
    found = runpy.run_path(str(folder / SCORE))["score"](golden["texts"])
    difference = artifact.max_difference(np.asarray(found), np.array(golden["predictions"], dtype=np.float64))
    if not difference <= artifact.TOLERANCE:
        raise Permanent(
            f"The exported folder scores its reference texts otherwise than the student: off by {difference:.4f} points."
        )
    return difference


def _bases(manifest: Manifest, but: str = "") -> list[Mapping[str, Any]]:
    """Those that it and its members stand on, but not those of one kind."""
    parts = [manifest, *manifest.get("members", ())]
    return [part["base"] for part in parts if part.get("base") and part["kind"] != but]


def _write(student: Path, manifest: Manifest, target: Path, roots: Path, merged: bool) -> str:
    """Everything but the README; gives the lines that score."""
    target.mkdir(parents=True)
    write = {"ridge": _write_ridge, "kernel": _write_kernel, "lora": _write_lora, "stack": _write_stack}[manifest["kind"]]
    code = write(student, manifest, target, roots, merged)
    (target / SCORE).write_text(code, encoding="utf-8")
    artifact.write_json(target / ABOUT, _about(manifest))
    return code


def _about(manifest: Manifest) -> dict[str, Any]:
    """What programs want to know of it; import_adapter reads it too."""
    kept = ("kind", "outputs", "view", "filters", "dataset", "config", "base", "calibration", "intervals", "golden", "origin")
    about = {key: manifest[key] for key in kept if manifest.get(key)}
    if manifest["kind"] == "stack":
        about["blend"] = {**manifest["blend"], "members": [member["path"] for member in manifest["members"]]}
    return about


def _write_ridge(student: Path, manifest: Manifest, target: Path, roots: Path, merged: bool) -> str:
    _insist_on_adapters(manifest, merged)
    for name in ("vocabulary.json", "ridge.safetensors"):
        shutil.copyfile(student / "model" / name, target / name)
    return lines.of(manifest)


def _write_kernel(student: Path, manifest: Manifest, target: Path, roots: Path, merged: bool) -> str:
    """Its tokenizer, and what it keeps of its training articles; the base is as it was published."""
    _insist_on_adapters(manifest, merged)
    store.resolve(manifest["base"]["name"], manifest["base"]["sha256"], student, roots)
    _copy(student / "model", target)
    return lines.of(manifest, frame=_frame(student / "model", manifest))


def _insist_on_adapters(manifest: Manifest, merged: bool) -> None:
    if merged:
        raise BadInput(f"A {manifest['kind']} has no adapters to merge; export it without --merged.")


def _copy(source: Path, target: Path, but: tuple[str, ...] = ()) -> None:
    for path in source.iterdir():
        if path.name != README and not path.name.startswith(but):
            shutil.copyfile(path, target / path.name)


def _write_stack(student: Path, manifest: Manifest, target: Path, roots: Path, merged: bool) -> str:
    """Its members as exports of their own, without the calibrations that the stack was not made with."""
    for member in manifest["members"]:
        theirs, _ = artifact.read_manifest(student / member["path"])
        plain = {key: value for key, value in theirs.items() if key not in ("calibration", "golden")}
        can_merge = merged and theirs["kind"] == "lora"
        _write(student / member["path"], plain, target / member["path"], roots, can_merge)
    return lines.of(manifest)


def _write_lora(student: Path, manifest: Manifest, target: Path, roots: Path, merged: bool) -> str:
    from ..lora import model

    store.resolve(manifest["base"]["name"], manifest["base"]["sha256"], student, roots)
    loaded = artifact.uncalibrated(artifact.open_student(student, manifest, "", bases=roots)) if merged else None
    source = student / model.MODEL_DIR
    if loaded is not None:
        _merge(cast(model.LoraStudent, loaded), target, manifest)
    _copy(source, target, but=("adapter_",) if merged else ())
    return lines.of(manifest, merged=merged, frame=_frame(source, manifest), bias=_has_bias(source))


def _frame(source: Path, manifest: Manifest) -> dict[str, Any] | None:
    """How tokens are put together; None where tokenizer and limit say it all."""
    from .. import tokens

    reading = tokens.Reading.of(manifest["config"])
    if reading == tokens.Reading(reading.max_tokens):
        return None
    found = tokens.frame(tokens.tokenizer_of(source), reading)
    head = tokens.head_room(found.room, reading.truncation)
    return {"before": found.before, "after": found.after, "room": found.room, "head": head, "tail": found.room - head}


def _has_bias(source: Path) -> bool:
    from safetensors import safe_open

    with safe_open(source / "adapter_model.safetensors", "np") as stored:
        return any(name.endswith(".score.bias") for name in stored.keys())  # noqa: SIM118 (it is no dictionary)


def _merge(student: Any, target: Path, manifest: Manifest) -> None:
    """W + scale · B · A in the place of W; BadInput in peft's words where that can't be."""
    from safetensors.torch import save_file

    scorer = student.scorer.to("cpu")
    try:
        merged = scorer.model.merge_and_unload(safe_merge=True)
    except (NotImplementedError, ValueError) as error:
        raise BadInput(f"Its adapters can't be multiplied into the base: {error}.") from None
    if scorer.head is None:
        names = [output["dimension"] for output in manifest["outputs"]]
        merged.config.id2label, merged.config.label2id = dict(enumerate(names)), {name: i for i, name in enumerate(names)}
        merged.config.problem_type = "regression"
        bias = getattr(getattr(merged, "score", None), "bias", None)
        if bias is not None:
            save_file({"bias": bias.detach().contiguous()}, target / "head.safetensors")
    merged.save_pretrained(target)


# ── The README ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_TEXT = """---
{front}
---

# {title}

{lede}

## Score with it

    pip install {packages}

{needs}```python
{code}
```

`{score}` holds the same lines: `python {score} "An article …"` prints its scores. `{about}` lists the outputs, and reference
texts with the scores that these lines gave before the folder was handed over; another format or another machine that doesn't
give them to within {tolerance} points is another model.

{card}
"""


def _readme(told: Mapping[str, str], code: str, manifest: Manifest, merged: bool) -> str:
    kinds = [member["kind"] for member in manifest.get("members", ())] or [manifest["kind"]]
    packages = list(dict.fromkeys(" ".join(lines.PACKAGES[kind] for kind in kinds).split()))
    if merged and "peft" in packages:
        packages.remove("peft")
    return _TEXT.format(
        **{key: told[key] for key in ("front", "title", "lede", "card")}, packages=" ".join(packages), score=SCORE, about=ABOUT,
        code=lines.in_readme(code).strip(), tolerance=artifact.TOLERANCE, needs=_needs(manifest, merged),
    )  # fmt: skip


def _needs(manifest: Manifest, merged: bool) -> str:
    """A sentence for each base that the lines load; merged adapters bring theirs along."""
    found = [
        f"Its base is {about['home']} (licence: {about['licence']}; weights with the SHA-256 {about['sha256'][:16]}…). Where "
        f"that lies in a folder already, set {lines.base_variable(about['name'])} to it.\n"
        for about in _bases(manifest, but="lora" if merged else "")
    ]
    return "".join(dict.fromkeys(found)) + "\n" if found else ""
