"""What a person may say of an article: scores, a remark, passages. Everything wrong with it is listed at once."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from distillery_site.common.errors import BadInput
from distillery_site.common.text import normalise
from labeling.models import Article, FilterVersion

MOST_COMMENT = 5_000  # characters
MOST_QUOTE, MOST_QUOTES = 2_000, 60
LONGEST = 24 * 3600.0  # seconds at one article; more is a tab that lay open
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # what Postgres can't keep


def checked_scores(version: FilterVersion, scores: Sequence[float | None]) -> list[float | None]:
    """As floats, in the rubric's order; None says that the dimension can't be scored. Raises BadInput."""
    keys = version.keys
    if len(scores) != len(keys):
        raise BadInput(f"{version} has {len(keys)} dimensions; {len(scores)} scores were given.")
    if off := [(key, score) for key, score in zip(keys, scores, strict=True) if _is_off(score)]:
        raise BadInput(*(f"{key} must be between 0 and 10, not {score:g}." for key, score in off))
    return [None if score is None else float(score) for score in scores]


def _is_off(score: float | None) -> bool:
    return score is not None and not 0 <= score <= 10


def checked_comment(comment: str) -> str:
    """Without white space around it; raises BadInput where it can't be kept."""
    comment = UNSTORABLE.sub("\ufffd", comment.strip())
    if len(comment) > MOST_COMMENT:
        raise BadInput(f"A remark has at most {MOST_COMMENT:,} characters; this one has {len(comment):,}. Shorten it.")
    return comment


def checked_evidence(version: FilterVersion, article: Article, evidence: Iterable[Any]) -> list[dict[str, str]]:
    """[{dimension, quote}], each quote a passage of the article. Raises BadInput that names those that aren't."""
    found = list(evidence)
    if len(found) > MOST_QUOTES:
        raise BadInput(f"An article can have {MOST_QUOTES} passages as evidence; {len(found)} were given.")
    text = normalise(f"{article.title} {article.text}")
    if problems := [problem for one in found for problem in _wrong_with(one, version.keys, text)]:
        raise BadInput(*problems)
    return [{"dimension": one["dimension"], "quote": " ".join(one["quote"].split())} for one in found]


def _wrong_with(one: Any, keys: Sequence[str], text: str) -> Iterator[str]:
    if not isinstance(one, Mapping) or not all(isinstance(one.get(name), str) for name in ("dimension", "quote")):
        yield "Evidence is a list of {dimension, quote}."
        return
    if one["dimension"] not in keys:
        yield f"The rubric has no dimension “{one['dimension'][:60]}” for a passage to speak of."
    if len(one["quote"]) > MOST_QUOTE:
        yield f"A passage has at most {MOST_QUOTE:,} characters; one has {len(one['quote']):,}."
    elif not one["quote"].strip() or normalise(one["quote"]) not in text:
        yield f"“{one['quote'][:80]}” isn't a passage of the article."


def checked_seconds(seconds: float | None) -> float | None:
    """None for what no clock can have measured."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return None
    return min(seconds, LONGEST)
