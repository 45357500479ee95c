"""What is wrong with a draft, each problem with the place where a person can mend it."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from labeling.rubrics.drafts import LISTS, Draft
from labeling.rubrics.packages import ANCHOR, VIEW_FIELDS, FilterPackage, contradictions

Problem = tuple[str, str]  # place, sentence
WHOLE = "whole"
SECTIONS = tuple(f"{kind}s" for kind in LISTS)
PLACES = {("view", "fields"): "fields", ("view", "max_words"): "max_words"}
RULES = {"min_words": "least", "max_words": "most", "unique_first_words": "unique"}
SENTENCES = {
    "missing": "This is needed.",
    "string_too_short": "This is needed.",
    "float_parsing": "This must be a number, such as 0.25.",
    "int_parsing": "This must be a whole number.",
    "int_from_float": "This must be a whole number.",
    "greater_than_equal": "This must be {ge:g} or more.",
    "less_than_equal": "This must be {le:g} or less.",
    "finite_number": "This must be a number.",
    "string_pattern_mismatch": "Small letters, digits and _ only, a letter first.",
    "string_too_long": "This is too long: {max_length} characters at most.",
    "too_short": "At least one is needed.",
    "too_long": "At most {max_length} may be here.",
}


def checked(draft: Draft) -> tuple[FilterPackage | None, list[Problem]]:
    """The package, or None and every problem in it."""
    problems = list(_anchors(draft))
    try:
        package = FilterPackage.model_validate(draft.values)
    except ValidationError as error:
        found = [(place_of(draft, each["loc"]), sentence(each)) for each in error.errors()]
        return None, [*_without_echoes(found), *problems]
    problems += list(_contradictions(draft, package)) or [(WHOLE, problem) for problem in contradictions(package)]
    return (None if problems else package), problems


def _anchors(draft: Draft) -> Iterator[Problem]:
    """A package holds anchors by their score, so what two inputs say of one score has to be told before."""
    for part in draft.kept("dimension"):
        seen = set[str]()
        for anchor in (anchor for anchor in part.anchors if not anchor.empty):
            score = anchor.boxes["score"]
            if not ANCHOR.match(score.value.strip()):
                yield score.name, "A score, such as 3 or 9-10."
            elif score.value.strip() in seen:
                yield score.name, f"{score.value.strip()} is described above already."
            seen.add(score.value.strip())


def _contradictions(draft: Draft, package: FilterPackage) -> Iterator[Problem]:
    """What no single input can know. `packages.contradictions` has the last word; here it is said where it can be mended."""
    for at, part in enumerate(draft.kept("dimension")):
        if part.key in package.keys[:at]:
            yield part.boxes["key"].name, f"{part.key} is the key of an earlier dimension."
    if abs(draft.weights - 1) > Decimal("1e-6"):
        yield "dimensions", f"The weights add up to {draft.weights.normalize():f}, not to 1."
    mins = [tier.min for tier in package.tiers]
    if mins[-1] != 0:
        yield "tiers", "The lowest tier must begin at 0."
    if any(high == low for high, low in pairwise(mins)):
        yield "tiers", "Two tiers begin at the same score."
    for part in draft.kept("gatekeeper"):
        if (name := part.boxes["dimension"].value) not in package.keys:
            yield part.boxes["dimension"].name, f"No dimension has the key {name}."
    if unknown := [name for name in draft.fields if name not in VIEW_FIELDS]:
        yield "fields", f"An article has no {' or '.join(unknown)}."
    yield from _rules(draft, package)


def _rules(draft: Draft, package: FilterPackage) -> Iterator[Problem]:
    patterns = [(part.boxes["pattern"].name, part.boxes["pattern"].value) for part in draft.kept("cap")]
    patterns += [(name, pattern) for name in ("include", "exclude") for pattern in getattr(package.prefilter, name)]
    for place, pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            yield place, f"{pattern} is no regular expression: {error}."
    least, most = package.prefilter.min_words, package.prefilter.max_words
    if least and most and least > most:
        yield "most", "This is below the least number of words."


def _without_echoes(problems: list[Problem]) -> Iterator[Problem]:
    """A short name or a key is made from the name, so where the name is missing that alone is said."""
    places = {place for place, _ in problems}
    for place, problem in problems:
        name = "name" if place == "slug" else f"{place.removesuffix('.key')}.name" if place.endswith(".key") else ""
        if name not in places:
            yield place, problem


def place_of(draft: Draft, loc: Sequence[Any]) -> str:
    """Where the page has what a package calls `dimensions, 2, weight`."""
    head, *rest = loc
    kind = str(head).removesuffix("s")
    if tuple(loc[:2]) in PLACES:
        return PLACES[(str(head), str(rest[0]))]
    if head == "prefilter" and rest:
        return RULES.get(str(rest[0]), str(rest[0]))
    if kind in LISTS and rest:
        part = draft.kept(kind)[int(rest[0])]
        return part.boxes[rest[1]].name if len(rest) > 1 and rest[1] in part.boxes else part.name
    return str(head) if head in draft.boxes or f"{kind}s" in SECTIONS else WHOLE


def sentence(problem: Any) -> str:
    if problem["loc"][-1] == "anchors":
        return "Describe at least two scores."
    told = SENTENCES.get(problem["type"], f"{problem['msg'].rstrip('.')}.")
    return told.format(**problem.get("ctx", {}))
