"""What in an article speaks to its judge instead of its readers. Pure.

A finding is a reason to look, never a reason to leave an article out: honest articles quote such words too. Of wordings
that nobody wrote a phrase for, about half are found; what protects a score is the frame, not this.
"""

import base64
import binascii
import re
import string
from collections.abc import Iterator
from itertools import chain, islice

from labeling.prompting.fencing import FRAME, TAG_SIGN, TURN, Folded, marks, unsmuggled
from labeling.prompting.phrases import (
    ANYWHERE_PATTERNS,
    FINDINGS,
    HIDES,
    LIKE_CHAT,
    LIKE_FRAME,
    MAY_BE_ANYWHERE,
    MODEL,
    PHRASES,
    SQUEEZED,
    Phrase,
)

APART = {ord(sign): " " for sign in string.punctuation + "–—…“”‘’«»¿¡、。，：；！？（）「」『』" if sign not in "'_"}
SPACED = re.compile(r"(?:[ ._*-]\w){8,}(?!\w)")
CODED = re.compile(r"[A-Za-z0-9+/]{24,4000}={0,2}")
MAX_CODED = 20
STARTS: dict[str, list[tuple[str, Phrase]]] = {}  # first word → phrases: most texts have few of these words
for _finding, _phrases in PHRASES.items():
    for _phrase in _phrases:
        for _word in _phrase.first:
            STARTS.setdefault(_word, []).append((_finding, _phrase))
OVERRIDES = re.compile("[\u202d\u202e]")


def suspicions(text: str) -> tuple[str, ...]:
    """Short names of what was found, in the order of FINDINGS; empty for nearly every honest article."""
    found = {*_in(text), *_spaced(text)}
    for hidden in _hidden(text):
        if inside := set(_in(hidden)):
            found |= {HIDES, *inside}
    if OVERRIDES.search(text) or unsmuggled(text) != text:
        found.add(HIDES)
    return tuple(finding for finding in FINDINGS if finding in found)


def _in(text: str) -> Iterator[str]:
    reading = Folded(text)
    for told in dict.fromkeys((reading.plain, reading.skeleton)):
        yield from _said(told)
    for mark in marks(reading):
        yield LIKE_FRAME if mark.re is FRAME else LIKE_CHAT
    if TURN.search(reading.skeleton):
        yield LIKE_CHAT


def _said(told: str) -> Iterator[str]:
    words = set(told.translate(APART).split())
    for finding, phrase in dict.fromkeys(chain.from_iterable(STARTS[word] for word in STARTS.keys() & words)):
        if phrase.is_in(told, words):
            yield finding
    if MAY_BE_ANYWHERE.search(told):
        yield from (finding for finding, pattern in ANYWHERE_PATTERNS.items() if pattern.search(told))


def _spaced(text: str) -> Iterator[str]:
    for letters in SPACED.finditer(f" {text}"):
        if SQUEEZED.search(re.sub(r"[ ._*-]", "", letters[0].lower())):
            yield from (HIDES, MODEL)


def _hidden(text: str) -> Iterator[str]:
    """What was written so that people don't read it: in tag characters, in base64."""
    if TAG_SIGN.search(text):
        yield "".join(chr(ord(sign) - 0xE0000) for sign in TAG_SIGN.findall(text))
    for coded in islice(CODED.finditer(text), MAX_CODED):
        yield from _decoded(coded[0].rstrip("="))


def _decoded(coded: str) -> Iterator[str]:
    try:
        plain = base64.b64decode(coded[: len(coded) // 4 * 4]).decode()
    except (binascii.Error, UnicodeDecodeError):
        return
    if plain.isprintable():
        yield plain
