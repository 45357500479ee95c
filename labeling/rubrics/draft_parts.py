"""What a draft of a filter is made of: inputs, and lines that hold some. Pure."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from labeling.rubrics.packages import UNSTORABLE

KINDS = {
    "dimension": {"key": "Key", "name": "Name", "description": "What it measures", "weight": "Weight"},
    "anchor": {"score": "Score", "text": "Its description"},
    "tier": {"name": "Tier", "min": "From"},
    "gatekeeper": {"dimension": "Dimension", "min": "Below", "cap": "At most", "reason": "Reason"},
    "cap": {"pattern": "Pattern", "cap": "At most", "reason": "Reason"},
}


@dataclass
class Box:
    """One input: its name in the page, what stands in it, and what is wrong with that."""

    name: str
    value: str = ""
    label: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return "in-" + self.name.replace(".", "-")

    @property
    def suggestions(self) -> str:
        """The id of the page's list of suggestions for it."""
        return "keys" if self.name.endswith(".dimension") else ""


@dataclass
class Part:
    """One line of a list: a dimension with its anchors, a tier, a gatekeeper or a cap. `at` is where it stood before it went."""

    name: str
    boxes: dict[str, Box]
    anchors: list["Part"] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    at: int = 0

    @classmethod
    def blank(cls, name: str) -> Self:
        return cls(name, {key: Box(f"{name}.{key}", label=label) for key, label in KINDS[kind_of(name)].items()})

    @classmethod
    def of(cls, name: str, values: Mapping[str, Any]) -> Self:
        part = cls.blank(name)
        for key, box in part.boxes.items():
            box.value = said(values.get(key))
        return part

    def take(self, key: str, words: str) -> None:
        if key in self.boxes:
            self.boxes[key].value = words
        elif key == "at" and words.isdecimal():
            self.at = int(words[:6])

    @property
    def id(self) -> str:
        return "in-" + self.name.replace(".", "-")

    @property
    def first(self) -> Box:
        """Where typing begins."""
        return self.boxes.get("name") or next(iter(self.boxes.values()))

    @property
    def empty(self) -> bool:
        """Nothing was said; a score alone says nothing, for the page itself suggests some."""
        if kind_of(self.name) == "anchor":
            return not self.boxes["text"].value.strip()
        return not any(box.value.strip() for box in self.boxes.values()) and all(anchor.empty for anchor in self.anchors)

    @property
    def key(self) -> str:
        """A dimension's: as typed, else made from its name."""
        return self.boxes["key"].value.strip() or key_from(self.boxes["name"].value)

    @property
    def title(self) -> str:
        """What a person would call it."""
        told = (
            self.boxes[key].value.strip() for key in ("name", "text", "dimension", "pattern", "key", "score") if key in self.boxes
        )
        return next(filter(None, told), "")

    @property
    def every_box(self) -> Iterator[Box]:
        yield from self.boxes.values()
        for anchor in self.anchors:
            yield from anchor.boxes.values()

    @property
    def values(self) -> dict[str, Any]:
        """As a package has it; inputs without a word in them are left out, so that they count as missing."""
        return {key: box.value for key, box in self.boxes.items() if box.value.strip()}


def kind_of(name: str) -> str:
    """`dimension.3.anchor.1` is an anchor."""
    return "anchor" if ".anchor." in name else name.partition(".")[0]


def number(text: str) -> Decimal | None:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def said(value: Any) -> str:
    """A value as it stands in an input: 0.250 → 0.25, nothing → nothing."""
    if value is None or isinstance(value, bool | dict | list):
        return ""
    return UNSTORABLE.sub("", f"{float(value):.12g}" if isinstance(value, float | Decimal) else str(value))


def key_from(name: str) -> str:
    """A name as a key: "Évidence level!" → evidence_level."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).lstrip("_0123456789")[:60].rstrip("_")


def start_of(anchor: str) -> int:
    """Where an anchor lies on the scale: 9 for "9-10"; what is no score comes last."""
    start = anchor.partition("-")[0].strip()
    return int(start) if start.isascii() and start.isdigit() else 99
