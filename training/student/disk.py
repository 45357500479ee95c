"""A disk that is full, said in a sentence: everything that was complete before stays, and a run goes on from there."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from distillery_site.common.errors import Transient

_FULL = ("No space left on device", "os error 28", "Disk quota exceeded", "os error 122", "PytorchStreamWriter failed")


@contextmanager
def minded(folder: Path) -> Iterator[None]:
    """Turn what the libraries raise when `folder`'s disk is full into one Transient sentence."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        if not _is_full(error):
            raise
        raise Transient(
            f"The disk that holds {folder} is full. Free some space: the training goes on from its last complete checkpoint."
        ) from error


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return any(words in str(error) for words in _FULL)
