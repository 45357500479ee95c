"""A filter as somebody types it: every word as it was typed, whole or not, right or wrong. Pure: no Django, no table.

Its inputs have names such as `prompt`, `dimension.3.key` or `dimension.3.anchor.1.text`. Their order in the page is their order
in the filter; the numbers only tell them apart, so that a line can be moved without renaming anything.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from labeling.rubrics.draft_parts import Box, Part, key_from, kind_of, number, said, start_of

PLAIN = {
    "name": "Name",
    "slug": "Short name",
    "question": "Question",
    "prompt": "Prompt",
    "max_words": "Words of the text, at most",
    "least": "Words, at least",
    "most": "Words, at most",
    "unique": "Drop if the first … words repeat",
    "languages": "Languages",
    "include": "Only with one of these in title or text",
    "exclude": "Never with one of these",
}
FIELDS = {"title": "Title", "published": "Date of publication", "text": "Text", "source": "Source", "url": "Address"}
SCORES = ("0", "3", "6", "9-10")  # where anchors do well
LISTS = ("dimension", "tier", "gatekeeper", "cap")
INPUT = re.compile(r"((?:dimension|tier|gatekeeper|cap)\.\d{1,6}(?:\.anchor\.\d{1,6})?)\.([a-z]{1,20})")
ANCHORS = re.compile(r"dimension\.\d{1,6}\.anchor")
GONE = "gone."
SECTIONS = {"whole": "The filter"}


@dataclass(frozen=True)
class Complaint:
    """A problem with the id of its place, and what a person calls that."""

    id: str
    where: str
    problem: str


class Draft:
    """Everything on the editor's page. `gone` are lines that were taken out and can be put back."""

    def __init__(self) -> None:
        self.boxes = {name: Box(name, label=label) for name, label in PLAIN.items()}
        self.fields: list[str] = []
        self.parts: dict[str, list[Part]] = {kind: [] for kind in LISTS}
        self.gone: list[Part] = []
        self.problems: dict[str, list[str]] = {}

    @classmethod
    def typed(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """From what a browser sends, in the page's order."""
        draft, found = cls(), dict[str, Part]()
        for name, value in pairs:
            words = said(value.replace("\r\n", "\n"))
            if name in draft.boxes:
                draft.boxes[name].value = words
            elif name == "fields":
                draft.fields.append(words)
            elif match := INPUT.fullmatch(name.removeprefix(GONE)):
                part = found.get(match[1]) or draft._place(match[1], found, gone=name.startswith(GONE))
                part.take(match[2], words)
        return draft

    def _place(self, name: str, found: dict[str, Part], *, gone: bool) -> Part:
        """A new line where its name says; an anchor of a dimension that went goes with it."""
        part, parent = Part.blank(name), name.partition(".anchor.")[0]
        found[name] = part
        if kind_of(name) == "anchor" and (parent in found or not gone):
            (found.get(parent) or self._place(parent, found, gone=gone)).anchors.append(part)
        elif gone:
            self.gone.append(part)
        else:
            self.parts[kind_of(name)].append(part)
        return part

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From the values of a package, sound or not; what a package can't hold is passed over."""
        draft = cls()
        view, rules = _map(values.get("view")), _map(values.get("prefilter"))
        plain = {
            **values,
            "max_words": view.get("max_words", 400),
            "least": rules.get("min_words"),
            "most": rules.get("max_words"),
        }
        plain |= {"unique": rules.get("unique_first_words"), "languages": ", ".join(map(said, _list(rules.get("languages"))))}
        plain |= {name: "\n".join(map(said, _list(rules.get(name)))) for name in ("include", "exclude")}
        for name, box in draft.boxes.items():
            box.value = said(plain.get(name))
        draft.fields = [said(name) for name in _list(view.get("fields", ["title", "published", "text"]))]
        for kind, key in (("dimension", "dimensions"), ("tier", "tiers"), ("gatekeeper", "gatekeepers"), ("cap", "caps")):
            rows = [_map(row) for row in _list(values.get(key))]
            draft.parts[kind] = [_part(f"{kind}.{number}", row) for number, row in enumerate(rows)]
        return draft

    @classmethod
    def blank(cls) -> Self:
        """What a new filter starts from: a dimension to fill in, and tiers to change."""
        tiers = [{"name": "high", "min": 6}, {"name": "middle", "min": 3}, {"name": "low", "min": 0}]
        dimension = {"weight": 1, "anchors": dict.fromkeys(SCORES, "")}
        return cls.of({"dimensions": [dimension], "tiers": tiers, "prefilter": {"min_words": 60}})

    @property
    def field_choices(self) -> list[tuple[str, str, bool]]:
        """(name, words, whether it is chosen): the chosen ones first, in their order, even one that there is not."""
        names = dict.fromkeys([*self.fields, *FIELDS])
        return [(name, FIELDS.get(name, name), name in self.fields) for name in names]

    @property
    def every_part(self) -> Iterator[Part]:
        for parts in self.parts.values():
            for part in parts:
                yield part
                yield from part.anchors

    @property
    def every_box(self) -> Iterator[Box]:
        yield from self.boxes.values()
        for part in self.every_part:
            yield from part.boxes.values()

    @property
    def values(self) -> dict[str, Any]:
        """As a package would say it, lines without a word left out; nothing is checked here."""
        text = {name: box.value.strip() for name, box in self.boxes.items()}
        plain = {name: text[name] for name in ("name", "slug", "question", "prompt")}
        plain["slug"] = text["slug"] or key_from(text["name"])
        rules = {"min_words": text["least"], "max_words": text["most"], "unique_first_words": text["unique"]}
        lists = {
            "languages": re.split(r"[\s,]+", text["languages"]),
            "include": _lines(text["include"]),
            "exclude": _lines(text["exclude"]),
        }
        prefilter = {**rules, **{name: [word for word in words if word] for name, words in lists.items()}}
        lines = {f"{kind}s": [_values(part) for part in self.kept(kind)] for kind in LISTS}
        view = {"fields": self.fields, "max_words": text["max_words"]}
        return {
            **{name: words for name, words in plain.items() if words},
            "view": view,
            **lines,
            "prefilter": {name: value for name, value in prefilter.items() if value},
        }

    def kept(self, kind: str) -> list[Part]:
        """The lines of a kind that have a word in them; tiers from the highest to the lowest, as they are read."""
        parts = [part for part in self.parts[kind] if not part.empty]
        return sorted(parts, key=lambda tier: -(number(tier.boxes["min"].value) or 0)) if kind == "tier" else parts

    @property
    def weights(self) -> Decimal:
        """What the weights add up to, those that are numbers."""
        return sum((number(part.boxes["weight"].value) or Decimal(0) for part in self.kept("dimension")), Decimal(0))

    def complain(self, place: str, problem: str) -> None:
        """Put a problem where it belongs: an input, a line, or a list (`dimensions`, `fields`, …)."""
        places: dict[str, Box | Part] = {box.name: box for box in self.every_box}
        places |= {part.name: part for part in self.every_part}
        found = places[place].problems if place in places else self.problems.setdefault(place, [])
        found.append(problem)

    @property
    def complaints(self) -> list[Complaint]:
        """From the top of the page to its end."""
        told = [Complaint(box.id, box.label, problem) for box in self.boxes.values() for problem in box.problems]
        for part in self.every_part:
            told += [Complaint(part.id, part.title, problem) for problem in part.problems]
            for box in part.boxes.values():
                where = f"{part.title}, {box.label.lower()}" if part.title else box.label
                told += [Complaint(box.id, where, problem) for problem in box.problems]
        return told + [
            Complaint(f"in-{name}", SECTIONS.get(name, name.capitalize()), each)
            for name, found in self.problems.items()
            for each in found
        ]

    def do(self, command: str) -> str:
        """Change the lines as a button says; the id of the input where typing goes on. Nonsense does nothing."""
        verb, _, place = command.partition(" ")
        verbs: dict[str, Callable[[str], str]] = {
            "add": self._add,
            "remove": self._remove,
            "back": self._back,
            "up": lambda name: self._move(name, -1),
            "down": lambda name: self._move(name, 1),
            "balance": self._balance,
        }
        return verbs[verb](place) if verb in verbs else ""

    def _siblings(self, name: str) -> list[Part]:
        """The list that a line belongs to; for an anchor its dimension's."""
        parent, inner, _ = name.partition(".anchor.")
        if inner:
            return next((part.anchors for part in self.parts["dimension"] if part.name == parent), [])
        return self.parts.get(kind_of(name), [])

    def _add(self, place: str) -> str:
        if place not in LISTS and not ANCHORS.fullmatch(place):
            return ""
        stem = f"{place}."
        taken = [part.name for part in (*self.every_part, *self.gone) if part.name.startswith(stem)]
        part = Part.blank(f"{stem}{1 + max((int(name.removeprefix(stem).split('.')[0]) for name in taken), default=-1)}")
        if kind_of(part.name) == "dimension":
            part.anchors = [Part.of(f"{part.name}.anchor.{at}", {"score": score}) for at, score in enumerate(SCORES)]
        self._siblings(part.name).append(part)
        return part.first.id

    def _remove(self, name: str) -> str:
        lines = self._siblings(name)
        for at, part in enumerate(lines):
            if part.name == name:
                lines.remove(part)
                part.at = at
                self.gone += [] if part.empty else [part]
        return ""

    def _back(self, name: str) -> str:
        for part in self.gone:
            if part.name == name:
                self.gone.remove(part)
                self._siblings(name).insert(part.at, part)
                return part.first.id
        return ""

    def _move(self, name: str, step: int) -> str:
        lines = self._siblings(name)
        at = next((at for at, part in enumerate(lines) if part.name == name), None)
        if at is not None:
            lines.insert(max(0, at + step), lines.pop(at))
        return f"in-{name.replace('.', '-')}-{'up' if step < 0 else 'down'}"

    def _balance(self, _: str) -> str:
        """Weights that add up to 1, in the proportions they have, or all the same; the first takes what rounding left."""
        boxes = [part.boxes["weight"] for part in self.kept("dimension")]
        known = [weight for box in boxes if (weight := number(box.value)) is not None]
        weights = known if len(known) == len(boxes) and sum(known) > 0 else [Decimal(1)] * len(boxes)
        shares = [round(weight / sum(weights), 2) for weight in weights]
        for box, share in zip(boxes, [1 - sum(shares[1:]), *shares[1:]], strict=False):
            box.value = said(share)
        return ""


def _part(name: str, row: Mapping[str, Any]) -> Part:
    part = Part.of(name, row)
    anchors = sorted(_map(row.get("anchors")).items(), key=lambda anchor: start_of(said(anchor[0])))
    part.anchors = [Part.of(f"{name}.anchor.{at}", {"score": score, "text": text}) for at, (score, text) in enumerate(anchors)]
    return part


def _values(part: Part) -> dict[str, Any]:
    if kind_of(part.name) != "dimension":
        return part.values
    anchors = {anchor.boxes["score"].value.strip(): anchor.boxes["text"].value for anchor in part.anchors if not anchor.empty}
    return {**part.values, **({"key": part.key} if part.key else {}), "anchors": anchors}


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _lines(text: str) -> list[str]:
    return text.split("\n")
