"""Replies on disk before anything else is done with them, so that a worker that dies loses none that had reached it.

One folder a shard; a file is closed when its replies are on their way into the database and removed when they are there.
What is left is replayed by the next worker on this machine that takes the shard.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Spool:
    def __init__(self, folder: Path):
        self.folder = folder
        self._number = 0
        self._file: int | None = None
        self._path: Path | None = None

    def append(self, row: dict[str, Any]) -> None:
        """One line, in the kernel's hands when this returns: it outlives the process, not the machine."""
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._number += 1
            self._path = self.folder / f"{os.getpid()}-{self._number:06d}.jsonl"
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(self._file, json.dumps(row, ensure_ascii=False).encode() + b"\n")

    def turn(self) -> Path | None:
        """Close the file so far and go on with a new one; give its path to `done` when its replies are stored."""
        path, file = self._path, self._file
        self._path = self._file = None
        if file is not None:
            os.close(file)
        return path

    def left(self) -> Iterator[dict[str, Any]]:
        """What earlier workers received and did not store; a line that was cut off by their death is passed over."""
        for path in sorted(self.folder.glob("*.jsonl")):
            for line in path.read_bytes().splitlines():
                try:
                    yield json.loads(line)
                except ValueError:
                    continue

    def clear(self) -> None:
        self.turn()
        shutil.rmtree(self.folder, ignore_errors=True)


def done(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)
