"""Filter packages that come and go through a browser: two files, or a zip with both."""

import io
import zipfile
from collections.abc import Iterable
from typing import Any, Protocol

from pydantic import ValidationError

from distillery_site.common.errors import BadInput
from labeling.rubrics.packages import FilterPackage, parse_yaml

NAMES = ("filter.yaml", "prompt.md")
MAX_BYTES = 1024 * 1024


class File(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class Named(File, Protocol):
    name: str | None


def unpacked(files: Iterable[Named]) -> dict[str, Any]:
    """The values of a package that somebody sent, unchecked. Raises BadInput for what is no package."""
    texts: dict[str, str] = {}
    for file in files:
        name, content = (file.name or "").rpartition("/")[2], _bounded(file.name or "", file)
        texts |= _zipped(name, content) if name.lower().endswith(".zip") else {_role(name): _text(name, content)}
    if "filter.yaml" not in texts:
        raise BadInput("Choose filter.yaml and prompt.md together, or a zip that holds both.")
    return {**parse_yaml(texts["filter.yaml"], "filter.yaml"), "prompt": texts.get("prompt.md", "").strip()}


def _bounded(name: str, file: File) -> bytes:
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise BadInput(f"{name} is larger than 1 MB; no filter is.")
    return content


def _role(name: str) -> str:
    """Which of the two files it is: browsers rename a file that is there already, `filter (1).yaml`."""
    return "filter.yaml" if name.lower().endswith((".yaml", ".yml")) else "prompt.md"


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\x00", "")
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not UTF-8 text.") from None


def _zipped(name: str, content: bytes) -> dict[str, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            inside = {entry.filename.rpartition("/")[2]: entry for entry in archive.infolist()}
            found = {role: inside[role] for role in NAMES if role in inside}
            return {role: _text(role, _bounded(role, archive.open(entry))) for role, entry in found.items()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError):
        raise BadInput(f"{name} is not a zip that can be read.") from None


def strangers(values: dict[str, Any]) -> list[str]:
    """What it says that no filter has, by its place, such as `view.colour`."""
    try:
        FilterPackage.model_validate(values)
    except ValidationError as error:
        return [".".join(map(str, each["loc"])) for each in error.errors() if each["type"] == "extra_forbidden"]
    return []


def packed(slug: str, files: dict[str, str]) -> bytes:
    """A zip with these files in a folder of the filter's name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(f"{slug}/{name}", text)
    return out.getvalue()
