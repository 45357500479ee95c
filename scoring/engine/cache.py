"""Two bounded memories: rows already predicted, and students already loaded."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from scoring.engine.base import BadRequest

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lru(Generic[K, V]):
    """At most `size` values; the least recently used goes first. Safe to share between threads."""

    def __init__(self, size: int):
        self.size = size
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> list[K]:
        with self._lock:
            return list(self._values)

    def values(self) -> list[V]:
        with self._lock:
            return list(self._values.values())

    def get(self, key: K) -> V | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self.size:
                self._values.popitem(last=False)

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """The value, made once; room is cleared first, so that no more than `size` are alive at a time."""
        found = self.get(key)
        if found is None:
            with self._lock:
                while len(self._values) >= self.size:
                    self._values.popitem(last=False)
            found = make()
            self.put(key, found)
        return found


def row_key(manifest_sha256: str, text: str) -> bytes:
    """A prediction belongs to exactly these weights and exactly this text."""
    try:
        return bytes.fromhex(manifest_sha256) + hashlib.sha256(text.encode()).digest()
    except UnicodeEncodeError as error:
        raise BadRequest("A text holds half a surrogate pair, which is no character.") from error
