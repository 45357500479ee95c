"""What counts as the same text, and how an article is laid out for a reader, oracle or student."""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any


def normalise(text: str) -> str:
    """NFC, every run of white space one blank, no NUL: two texts that read the same become equal."""
    return " ".join(unicodedata.normalize("NFC", text.replace("\x00", " ")).split())


def text_hash(text: str) -> str:
    """Hex SHA-256 of the normalised text."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()


def canonical_hash(value: Any) -> str:
    """Hex SHA-256 of a JSON value, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def count_words(text: str) -> int:
    return len(text.split())


def first_words(text: str, limit: int) -> str:
    """The first `limit` words, as the text has them but with single blanks between."""
    return " ".join(text.split()[:limit])


def render_view(fields: Mapping[str, str], order: Sequence[str], max_words: int) -> str:
    """An article as every reader gets it: the `order` fields, one paragraph each, `text` cut to `max_words`.

    Empty fields are left out, so an article without a date reads the same as one whose view has none.
    """
    parts = (first_words(fields.get(name, ""), max_words if name == "text" else 10_000) for name in order)
    return "\n\n".join(part for part in parts if part)
