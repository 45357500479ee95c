"""A student on disk: written once, its manifest last, so that a half-written folder can never be loaded."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from distillery_site.common.errors import Permanent

from . import calibrate
from .config import Config, to_json
from .data import Corpus, Floats, Output
from .events import finite

FORMAT = 1
MANIFEST = "manifest.json"
WORK = "work"  # checkpoints and the like while a student is made; no part of it
TOLERANCE = 1e-3  # what predictions from disk may differ from those before saving, in score points
GOLDEN_WORDS = 150
_PACKAGES = ("numpy", "scipy", "scikit-learn", "safetensors", "torch", "transformers", "tokenizers", "peft", "accelerate")


class ArtifactError(Permanent):
    """A student's folder is incomplete, damaged, or not the one that was asked for."""


class Student(Protocol):
    """A trained student, ready to score."""

    kind: str
    outputs: list[Output]
    view: Mapping[str, Any]
    manifest: Mapping[str, Any]
    manifest_sha256: str

    def predict(self, texts: Sequence[str]) -> Floats:
        """[n, outputs] raw scores, neither clipped nor rounded; one text's scores don't depend on the others."""
        ...


class Calibrated:
    """A student whose scores go through its manifest's calibration; everything else is the student's own."""

    def __init__(self, own: Student, manifest: Mapping[str, Any]):
        self.own, self.manifest = own, manifest

    def __getattr__(self, name: str) -> Any:
        if name == "own":  # not there yet, as in a copy that is being made
            raise AttributeError(name)
        return getattr(self.own, name)

    def predict(self, texts: Sequence[str]) -> Floats:
        return calibrate.apply(self.manifest["calibration"], self.own.predict(texts))


def calibrated(student: Student, manifest: Mapping[str, Any]) -> Student:
    """The student as its manifest wants it served; one whose calibration changes nothing stays what it is."""
    found: Student = Calibrated(student, manifest) if calibrate.kept(manifest.get("calibration")) else student
    return found


def uncalibrated(student: Student) -> Student:
    return student.own if isinstance(student, Calibrated) else student


def load(directory: Path, expect_sha256: str | None = None, *, bases: Path | None = None, golden: bool = False) -> Student:
    """Check a student's folder against its manifest and load it; raises ArtifactError with a sentence.

    `expect_sha256` is the manifest's hash as registered. `bases` holds the base models of lora students (by
    default a folder `bases` beside one of the parents). `golden` also compares the stored reference texts.
    """
    directory = Path(directory)
    manifest, sha256 = read_manifest(directory)
    if expect_sha256 and sha256 != expect_sha256:
        raise ArtifactError(f"{directory.name} is not the registered student: its manifest's hash begins {sha256[:12]}.")
    check_files(directory, manifest)
    student = open_student(directory, manifest, sha256, bases=bases)
    if golden:
        check_golden(student)
    return student


def read_manifest(directory: Path) -> tuple[dict[str, Any], str]:
    """The manifest and the SHA-256 of its bytes."""
    path = Path(directory) / MANIFEST
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing: the student was never completely written.") from None
    try:
        manifest: dict[str, Any] = json.loads(raw)
    except ValueError:
        raise ArtifactError(f"{path} is not valid JSON.") from None
    if manifest.get("format") != FORMAT:
        raise ArtifactError(f"{path} has format {manifest.get('format')}; this code reads format {FORMAT}.")
    return manifest, hashlib.sha256(raw).hexdigest()


def check_files(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Every file that the manifest names must be there, unchanged."""
    for name, expected in manifest["files"].items():
        path = directory / name
        if not path.is_file():
            raise ArtifactError(f"{name} is missing from the student {directory.name}.")
        if file_sha256(path) != expected:
            raise ArtifactError(f"{name} in the student {directory.name} has changed since it was written.")


def open_student(directory: Path, manifest: Mapping[str, Any], sha256: str, *, bases: Path | None = None) -> Student:
    """Load without checking hashes; torch and scikit-learn are imported only by the kinds that need them."""
    return calibrated(_open(directory, manifest, sha256, bases), manifest)


def _open(directory: Path, manifest: Mapping[str, Any], sha256: str, bases: Path | None) -> Student:
    kind = manifest["kind"]
    if kind == "ridge":
        from .baselines import RidgeStudent

        return RidgeStudent.open(directory, manifest, sha256)
    if kind == "kernel":
        from .kernel import KernelStudent

        return KernelStudent.open(directory, manifest, sha256, root=bases)
    if kind == "stack":
        from .stack import StackStudent

        return StackStudent.open(directory, manifest, sha256, bases=bases)
    if kind == "lora":
        from .lora.model import LoraStudent

        return LoraStudent.open(directory, manifest, sha256, bases=bases)
    raise ArtifactError(f"{directory.name} is a student of kind {kind!r}, which this code does not know.")


def outputs_of(manifest: Mapping[str, Any]) -> list[Output]:
    return [Output(**output) for output in manifest["outputs"]]


def golden_difference(student: Student) -> float:
    """Largest |prediction now − prediction stored| over the manifest's reference texts."""
    golden = student.manifest["golden"]
    return max_difference(student.predict(golden["texts"]), np.array(golden["predictions"], dtype=np.float64))


def check_golden(student: Student) -> float:
    difference = golden_difference(student)
    if not difference <= TOLERANCE:
        raise ArtifactError(f"The student no longer predicts what it did when it was saved: off by {difference:.4f} points.")
    return difference


def max_difference(a: Floats, b: Floats) -> float:
    return float(np.max(np.abs(a - b))) if a.size else 0.0


def golden_texts(corpus: Corpus, count: int = 4) -> list[str]:
    """A few validation texts spread over their lengths, shortened, and one of two words."""
    by_length = sorted((e.text for e in corpus.split("val")), key=len)
    picks = np.linspace(0, len(by_length) - 1, min(count, len(by_length))).astype(int)
    return ["Nothing happened.", *(" ".join(by_length[i].split()[:GOLDEN_WORDS]) for i in picks)]


def describe(kind: str, corpus: Corpus, config: Config, **more: Any) -> dict[str, Any]:
    """The manifest as far as it is known before the weights are checked; `more` is the kind's own part."""
    seed = getattr(config, "seed", None)
    return {
        "format": FORMAT,
        "kind": kind,
        "outputs": [vars(output) for output in corpus.outputs],
        "view": dict(corpus.view),
        "filters": _filters(corpus),
        "rubric_hashes": dict(corpus.rubric_hashes),
        "languages": dict(corpus.languages),
        "dataset": {
            "name": corpus.name,
            "fingerprint": corpus.fingerprint,
            "train": len(corpus.split("train")),
            "val": len(corpus.split("val")),
        },
        "config": to_json(config),
        "seeds": {} if seed is None else {"seed": seed},
        "versions": _versions(),
        "code_version": code_version(),
        "created_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        **more,
    }


def seal(directory: Path, manifest: Mapping[str, Any]) -> str:
    """Hash every file and write the manifest, last and atomically; returns the manifest's SHA-256."""
    own = {MANIFEST, MANIFEST + ".part"}
    names = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    kept = [name for name in names if name not in own and not name.startswith(WORK + "/")]
    write_json(directory / MANIFEST, {**manifest, "files": {name: file_sha256(directory / name) for name in kept}})
    return file_sha256(directory / MANIFEST)


def write_json(path: Path, value: Any) -> None:
    """Write beside, flush to disk, rename: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(finite(value), file, ensure_ascii=False, indent=1, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_version() -> str:
    """Hash of this package's own sources, as they were when first asked: a checkout may change during a training."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted(here.rglob("*.py")):
        digest.update(path.relative_to(here).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _filters(corpus: Corpus) -> list[dict[str, Any]]:
    pairs = dict.fromkeys((output.filter, output.version) for output in corpus.outputs)
    return [{"slug": slug, "version": version, "rubric_hash": corpus.rubric_hashes.get(slug, "")} for slug, version in pairs]


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
