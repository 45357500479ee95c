"""The model: what it says about an article. Scores come from the words alone, so a student can learn them."""

import hashlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from tests.fakes.vendor.ledger import Tokens
from tests.fakes.vendor.state import Fault, State

FRAME = re.compile(r"<(article[\w-]*)\b[^>]*>\s*(.*?)\s*<\s*/\s*\1\s*>", re.DOTALL | re.IGNORECASE)
ORDER = re.compile(
    r"\b(?:give|rate|score|assign|answer|output|set)\b[^.\n]{0,80}?(?<!0 to )(?<!0[-–])\b(?:10|ten)\b", re.IGNORECASE
)
CACHED_FROM = 1_024  # tokens
THOUGHT = 60  # tokens


@dataclass(frozen=True)
class Asked:
    """One request for an article, whatever the API. `turns` are the messages after the first."""

    api: str
    model: str
    system: str
    user: str
    turns: tuple[str, ...]
    schema: dict[str, Any] | None
    room: int
    caches: bool = False

    @cached_property
    def article(self) -> str:
        return fenced(self.user)

    @cached_property
    def article_hash(self) -> str:
        return hash_of(self.user)


@dataclass(frozen=True)
class Answer:
    """stop: end | max_tokens | refusal | context."""

    text: str
    tokens: Tokens
    stop: str = "end"
    thought: str = "…"
    category: str = ""
    usable: bool = True


def fenced(user: str) -> str:
    """What stands inside the frame; all of it where there is none."""
    frame = FRAME.search(user)
    return frame.group(2) if frame else user


def hash_of(user: str) -> str:
    """Names the article, whatever is said around it."""
    return hashlib.sha256(fenced(user).encode()).hexdigest()[:32]


def has_frame(user: str) -> bool:
    return FRAME.search(user) is not None


def score(key: str, article: str) -> float:
    """0–10 in halves: how many of the words belong to this key (about one in eight does)."""
    words = _words(fenced(article))
    return min(10.0, round(40 * sum(map(_belonging(key).__getitem__, words)) / max(1, len(words))) / 2)


@lru_cache(maxsize=16)
def _words(article: str) -> list[str]:
    return [word.strip(".,").lower() for word in article.split()]


class Belonging(dict[str, bool]):
    """Which words belong to a key; a word that was not met before is decided by its hash."""

    def __init__(self, key: str):
        super().__init__()
        self.key = key

    def __missing__(self, word: str) -> bool:
        self[word] = own = hashlib.sha256(f"{self.key}:{word}".encode()).digest()[0] < 32
        return own


@lru_cache(maxsize=256)
def _belonging(key: str) -> Belonging:
    return Belonging(key)


def count(text: str) -> int:
    return len(text) // 4


def count_rest(said: str, schema: dict[str, Any] | None) -> int:
    """Tokens of all but the system part."""
    return count(said + json.dumps(schema or {}))


def answer(asked: Asked, state: State, fault: Fault | None) -> Answer:
    state.asked[asked.article_hash] += 1
    value = _fill(asked.schema, asked, state) if asked.schema else "Yes."
    name = fault.name if fault else ""
    if name in SPOILED and asked.schema:
        value = SPOILED[name](value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    tokens = replace(_input(asked, state), output=count(text) + THOUGHT)
    said = Answer(text, tokens, usable=name not in UNUSABLE)
    if name == "refusal":
        return replace(said, text="", stop="refusal", category=fault.category if fault else "")
    if name == "context_window":
        return replace(said, text="", stop="context")
    if name == "thinking_first":
        return replace(said, thought="Let me think. " * 40, tokens=replace(tokens, output=tokens.output + 140))
    if name == "max_tokens" or tokens.output > asked.room:
        used = replace(tokens, output=min(tokens.output, asked.room))
        return replace(said, text=text[:30], stop="max_tokens", tokens=used, usable=False)
    return said


def _input(asked: Asked, state: State) -> Tokens:
    """The system part is read from the cache once it was written there; the schema is counted with the article."""
    system, rest = count(asked.system), count_rest(asked.user + "".join(asked.turns), asked.schema)
    if not asked.caches or system < CACHED_FROM:
        return Tokens(fresh=system + rest)
    key = f"{asked.model} {asked.system}"
    if key in state.cached:
        return Tokens(fresh=rest, cache_read=system)
    state.cached.add(key)
    return Tokens(fresh=rest, cache_write=system) if asked.api == "anthropic" else Tokens(fresh=rest + system)


def _fill(schema: dict[str, Any], asked: Asked, state: State) -> Any:
    """An answer by the schema: every object called "scores" gets scores, every "evidence" a quote."""
    filled = {}
    for name, part in schema.get("properties", {}).items():
        kind = str(part.get("type", "")).lower()
        if name == "scores":
            filled[name] = {key: _score(key, asked, state) for key in part["properties"]}
        elif kind == "object":
            filled[name] = _fill(part, asked, state)
        elif kind == "array":
            filled[name] = [_quote(asked.article)]
        else:
            filled[name] = f"Judged by {len(asked.article.split())} words."
    return filled


def _score(key: str, asked: Asked, state: State) -> float:
    if state.gullible and ORDER.search(FRAME.sub(" ", asked.user, count=1)):
        return 10.0
    value = score(key, asked.article)
    if not state.noise:
        return value
    dice = random.Random(f"{asked.article_hash} {state.asked[asked.article_hash]} {key}")
    return min(10.0, max(0.0, round(2 * dice.gauss(value, state.noise)) / 2))


def _quote(article: str) -> str:
    line = next((line for line in article.splitlines() if line.strip()), "").strip()
    return line if len(line) <= 80 else line[:80].rsplit(" ", 1)[0]


def _scores(value: Any) -> Iterator[dict[str, Any]]:
    for name, part in value.items():
        if isinstance(part, dict):
            yield from [part] if name == "scores" else _scores(part)


def _missing_dimension(value: Any) -> Any:
    next(_scores(value)).popitem()
    return value


def _extra_dimension(value: Any) -> Any:
    next(_scores(value))["invented"] = 5
    return value


def _spoil_first(value: Any, wrong: Any) -> Any:
    scores = next(_scores(value))
    scores[next(iter(scores))] = wrong
    return value


def _made_up_quote(value: Any) -> Any:
    parts = [value] if "evidence" in value else [part for part in value.values() if isinstance(part, dict)]
    for part in parts:
        part["evidence"] = ["This sentence stands nowhere in the article."]
    return value


SPOILED = {
    "missing_dimension": _missing_dimension,
    "extra_dimension": _extra_dimension,
    "out_of_range": lambda value: _spoil_first(value, 11),
    "not_a_number": lambda value: _spoil_first(value, "high"),
    "null_score": lambda value: _spoil_first(value, None),
    "made_up_quote": _made_up_quote,
    "chatter": lambda value: f"Here is my judgement:\n{json.dumps(value)}\nI hope this helps!",
    "code_fence": lambda value: f"```json\n{json.dumps(value)}\n```",
    "cut_json": lambda value: json.dumps(value)[:-9],
    "empty": lambda value: "",
}
USABLE = {"null_score", "made_up_quote", "code_fence"}  # odd, but an answer
UNUSABLE = {"refusal", "context_window", *SPOILED} - USABLE
