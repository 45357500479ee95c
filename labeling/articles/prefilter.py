"""Which articles may go on to the oracle, and why the others may not. Pure: text and rules in, a verdict out."""

import re
from dataclasses import dataclass, fields
from typing import Any, Self

from distillery_site.common.text import first_words


@dataclass(frozen=True)
class Verdict:
    """`reason` is a class to count by ("too short"), `detail` what was seen ("41 of at least 60 words")."""

    passed: bool
    reason: str = ""
    detail: str = ""


PASSED = Verdict(True)


@dataclass(frozen=True)
class Rules:
    """A policy's prefilter; None and empty mean "not checked"."""

    min_words: int | None = None
    max_words: int | None = None
    languages: tuple[str, ...] = ()
    include: tuple[re.Pattern[str], ...] = ()
    exclude: tuple[re.Pattern[str], ...] = ()
    unique_first_words: int | None = None

    @classmethod
    def from_policy(cls, prefilter: dict[str, Any]) -> Self:
        """Rules out of the stored JSON; unknown keys raise TypeError rather than being ignored."""
        values = {**prefilter, "languages": tuple(prefilter.get("languages", ()))}
        for name in ("include", "exclude"):
            values[name] = tuple(re.compile(pattern) for pattern in prefilter.get(name, ()))
        return cls(**values)

    @property
    def active(self) -> list[str]:
        """Names of the rules that are in force."""
        return [field.name for field in fields(self) if getattr(self, field.name)]


def judge(text: str, words: int, language: str, rules: Rules, seen: set[str], title: str = "") -> Verdict:
    """The first rule that an article breaks, cheapest first.

    `seen` holds the openings of the articles that passed before and grows with each that passes: of two articles with
    the same opening only the first passes, so ask in a fixed order.
    """
    whole = f"{title}\n{text}"
    return _length(words, rules) or _language(language, rules) or _patterns(whole, rules) or _opening(text, rules, seen)


def _length(words: int, rules: Rules) -> Verdict | None:
    if rules.min_words and words < rules.min_words:
        return Verdict(False, "too short", f"{words} of at least {rules.min_words} words")
    if rules.max_words and words > rules.max_words:
        return Verdict(False, "too long", f"{words} of at most {rules.max_words} words")
    return None


def _language(language: str, rules: Rules) -> Verdict | None:
    if rules.languages and language not in rules.languages:
        return Verdict(False, "language", f"{language or 'unclear'}, not {' or '.join(rules.languages)}")
    return None


def _patterns(text: str, rules: Rules) -> Verdict | None:
    if rules.include and not any(pattern.search(text) for pattern in rules.include):
        return Verdict(False, "not included", "matches none of the include patterns")
    for pattern in rules.exclude:
        if found := pattern.search(text):
            return Verdict(False, "excluded", f"matches {found.group(0)[:80]!r}")
    return None


def _opening(text: str, rules: Rules, seen: set[str]) -> Verdict:
    if rules.unique_first_words:
        opening = first_words(text, rules.unique_first_words)
        if opening in seen:
            return Verdict(False, "same opening", f"the first {rules.unique_first_words} words are those of an earlier article")
        seen.add(opening)
    return PASSED
