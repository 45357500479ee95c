"""The strict reading of an oracle's answer. Pure.

Nothing is repaired in silence: whatever is wrong with an answer makes it invalid, and all of it is said at once, so that
the oracle can be shown what to mend. What is tolerated is flagged.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from labeling.oracles.base import OracleError
from labeling.prompting.fencing import neutralise

QUOTES = 3
LOW, HIGH = 0, 10
NUMBERS = (int, float)  # made once: a union would be built at every score
UNJUDGED = -1  # stands for null where a schema may not have so many of them
PARTS = ("evidence", "reasoning", "scores")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

DASHES = dict.fromkeys([*range(0x2010, 0x2016), 0x2212, 0x2E3A, 0x2E3B], "-")
QUOTATION = dict.fromkeys(map(ord, "\"'`´«»‘’‚‛“”„‟‹›′″「」『』〝〞〟"), "")
SAME = DASHES | QUOTATION
SPACED_DASH = re.compile(r" ?-[ -]*")
ELLIPSIS = re.compile(r"\s*[\[(]?\s?(?:\.{3,}|\. \. \.)\s?[\])]?\s*")


@dataclass(frozen=True)
class Quote:
    quote: str
    found: bool


@dataclass(frozen=True)
class Parsed:
    """What was said under one rubric: scores in the rubric's order, null stays None."""

    scores: tuple[float | None, ...]
    reasoning: str
    evidence: tuple[Quote, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """What is expected under one rubric. `slug` is empty where the rubric was asked alone."""

    slug: str
    keys: tuple[str, ...]
    nulls: bool = True


def read(answer: str, parts: Sequence[Part], text: str) -> tuple[Parsed, ...]:
    """One judgement a part, in order. Raises OracleError("invalid") that says everything that is wrong."""
    reading = Reading(answer, text)
    value = reading.load()
    found = [reading.part(value, part) for part in reading.split(value, parts)] if value is not None else []
    if reading.problems:
        raise OracleError("invalid", " ".join(reading.problems), raw=answer)
    return tuple(found)


@dataclass
class Reading:
    answer: str
    text: str
    problems: list[str] = field(default_factory=list)
    fenced: bool = False

    def load(self) -> dict[str, Any] | None:
        try:
            value = json.loads(self._inside(), parse_constant=_no_constant, object_pairs_hook=self._object)
        except (ValueError, RecursionError):
            self.problems.append("The answer is not valid JSON.")
            return None
        if not isinstance(value, dict):
            self.problems.append(f"The answer is {_name(value)}, not a JSON object.")
            return None
        return value

    def _inside(self) -> str:
        """Without the Markdown fence that some models put around JSON."""
        text = self.answer.strip()
        self.fenced = text.startswith("```") and text.endswith("```") and "\n" in text
        return text.partition("\n")[2][:-3] if self.fenced else text

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            keys = [key for key, _ in pairs]
            self.problems.append(f"Said twice: {_list(key for key in value if keys.count(key) > 1)}.")
        return value

    def split(self, value: dict[str, Any], parts: Sequence[Part]) -> Iterator[Part]:
        """The parts that are there to be read."""
        if [part.slug for part in parts] == [""]:
            yield parts[0]
            return
        self._same("", "part", [part.slug for part in parts], value)
        for part in parts:
            if part.slug not in value:
                continue
            if isinstance(value[part.slug], dict):
                yield part
            else:
                self.problems.append(f"The part {part.slug} is {_name(value[part.slug])}, not an object.")

    def part(self, value: dict[str, Any], part: Part) -> Parsed:
        own, where = (value[part.slug], f"{part.slug}: ") if part.slug else (value, "")
        self._same(where, "part", PARTS, own)
        evidence = self._evidence(own.get("evidence", []), where)
        reasoning = self._reasoning(own.get("reasoning", ""), where)
        scores = self._scores(own.get("scores", {}), part, where)
        return Parsed(scores, reasoning, evidence, tuple(self._flags(evidence)))

    def _same(self, where: str, what: str, wanted: Sequence[str], found: dict[str, Any]) -> None:
        if missing := [key for key in wanted if key not in found]:
            self.problems.append(f"{where}The answer lacks {_named(what, missing)}.")
        if extra := [key for key in found if key not in wanted]:
            self.problems.append(f"{where}The answer has what was not asked for: {_named(what, extra)}.")

    def _reasoning(self, value: Any, where: str) -> str:
        if not isinstance(value, str):
            self.problems.append(f"{where}The reasoning is {_name(value)}, not text.")
            return ""
        return _storable(value)

    def _evidence(self, value: Any, where: str) -> tuple[Quote, ...]:
        if not isinstance(value, list) or not all(isinstance(quote, str) for quote in value):
            self.problems.append(f"{where}The evidence is {_name(value)}, not a list of quotes.")
            return ()
        quotes = Quotes(self.text) if value else None
        return tuple(Quote(_storable(quote), quotes is not None and quotes.has(quote)) for quote in value)

    def _scores(self, value: Any, part: Part, where: str) -> tuple[float | None, ...]:
        if not isinstance(value, dict):
            self.problems.append(f"{where}The scores are {_name(value)}, not an object.")
            return ()
        self._same(where, "score", part.keys, value)
        return tuple(self._score(key, value[key], part, where) for key in part.keys if key in value)

    def _score(self, key: str, value: Any, part: Part, where: str) -> float | None:
        if value is None or (not part.nulls and _is_number(value) and value == UNJUDGED):
            return None
        if not _is_number(value) or not LOW <= value <= HIGH:
            self.problems.append(f"{where}The score for {key} is {_name(value)}, not a number from {LOW} to {HIGH}.")
            return None
        return float(value) + 0.0  # no negative zero

    def _flags(self, evidence: tuple[Quote, ...]) -> Iterator[str]:
        if self.fenced:
            yield "fenced"
        if len(evidence) > QUOTES:
            yield f"{len(evidence)} quotes, at most {QUOTES} were asked for"
        if missed := sum(not quote.found for quote in evidence):
            yield f"{missed} of {len(evidence)} quotes not in the article"


class Quotes:
    """Whether a passage is word for word in a text, but for case, white space and how quotes and dashes are typed."""

    def __init__(self, text: str):
        self.text, self.told = text, _plain(text)

    @cached_property
    def as_sent(self) -> str:
        """What the model saw, where marks were changed for it."""
        sent = neutralise(self.text)
        return self.told if sent == self.text else _plain(sent)

    def has(self, quote: str) -> bool:
        """All pieces of a quote with ellipses must be there, in order."""
        pieces = [piece for part in ELLIPSIS.split(_plain(quote)) if (piece := part.strip(" .,;:!?-"))]
        return bool(pieces) and (_in_order(pieces, self.told) or _in_order(pieces, self.as_sent))


def _in_order(pieces: Sequence[str], text: str) -> bool:
    at = 0
    for piece in pieces:
        at = text.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True


def _plain(text: str) -> str:
    """Without what differs between two ways of typing the same words."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = text.translate(SAME) if not text.isascii() else text.replace('"', "").replace("'", "").replace("`", "")
    text = " ".join(text.split())
    return SPACED_DASH.sub("-", text) if "-" in text else text


def _storable(text: str) -> str:
    """Without what Postgres can't hold."""
    return UNSTORABLE.sub("�", text).strip()


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _is_number(value: Any) -> bool:
    return isinstance(value, NUMBERS) and not isinstance(value, bool)


def _name(value: Any) -> str:
    """The value itself where it is short, else what it is."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return _short(json.dumps(value))


def _named(what: str, keys: Sequence[str]) -> str:
    return f"the {what}{'s' if len(keys) > 1 else ''} {_list(keys)}"


def _list(keys: Any) -> str:
    return _short(", ".join(json.dumps(key)[1:-1] for key in keys), 300)


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
