"""Students on disk, found by name, held in memory while they are asked for."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.engine.base import BrokenModel, UnknownModel, WrongHash
from scoring.engine.cache import Lru

if TYPE_CHECKING:
    from training.student.artifact import Student

Load = Callable[[Path, str], "Student"]
_REF = re.compile(r"[A-Za-z0-9_-]{1,80}/v[0-9]{1,9}", re.ASCII)


def load_student(folder: Path, manifest_sha256: str, bases: Path | None = None) -> "Student":
    """Read a student, check every file's hash, and have it answer its golden texts again. Raises BrokenModel."""
    from training.student import artifact  # only now: a student may bring torch with it

    try:
        return artifact.load(folder, manifest_sha256, bases=bases, golden=True)
    except artifact.ArtifactError as error:
        raise BrokenModel(str(error)) from error
    except ImportError as error:
        raise BrokenModel(f"This student needs {error.name}, which isn't installed here: get distillery[students].") from error


class Shelf:
    """The versions below one folder; at most `size` of them are loaded at a time."""

    def __init__(self, root: Path, size: int, load: Load = load_student):
        self.root = root.resolve()
        self._load = load
        self._loaded: Lru[tuple[str, str], Student] = Lru(size)

    def find(self, ref: str, manifest_sha256: str) -> Path:
        """The folder of "name/v1", if its manifest has this hash. A name can't lead out of the root."""
        folder = (self.root / ref).resolve() if _REF.fullmatch(ref) else self.root
        manifest = folder / "manifest.json"
        if folder == self.root or not folder.is_relative_to(self.root) or not manifest.is_file():
            raise UnknownModel(f"There is no model {ref!r} here; a model is named like news-ridge/v1.")
        found = hashlib.sha256(manifest.read_bytes()).hexdigest()
        if found != manifest_sha256:
            raise WrongHash(f"The manifest of {ref} is {found[:12]}…, not {manifest_sha256[:12]}…: registry and folder disagree.")
        return folder

    def student(self, ref: str, manifest_sha256: str) -> "Student":
        """Load it, or take it from memory. Raises BrokenModel."""
        folder = self.root / ref
        return self._loaded.get_or_make((ref, manifest_sha256), lambda: self._load(folder, manifest_sha256))

    @property
    def students(self) -> "list[Student]":
        return self._loaded.values()

    @property
    def loaded(self) -> list[str]:
        return [ref for ref, _ in self._loaded.keys()]  # noqa: SIM118
