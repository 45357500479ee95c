"""What a policy makes of raw scores: the weighted average, what caps it, and the tier. Pure; nothing is stored here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

LOWEST, HIGHEST = 0.0, 10.0
Scores = Mapping[str, float | None]


class PolicyLike(Protocol):
    """As in labeling.models.Policy."""

    weights: Any
    tiers: Any
    gatekeepers: Any
    caps: Any


@dataclass(frozen=True)
class Applied:
    """A rule that fired: "gatekeeper" with its dimension, or "cap" with its pattern; `reason` is a sentence."""

    kind: str
    on: str
    cap: float
    reason: str


@dataclass(frozen=True)
class Verdict:
    """`average` is what the scores say, `capped_average` what is left after `applied`; the tier follows the latter.

    Both averages and the tier are None when no weighted dimension has a score.
    """

    average: float | None
    capped_average: float | None
    tier: str | None
    applied: list[Applied] = field(default_factory=list)


def clip(score: float) -> float:
    return min(HIGHEST, max(LOWEST, score))


def weighted_average(scores: Scores, weights: Mapping[str, float]) -> float | None:
    """The mean of the clipped scores by weight; a dimension without a score hands its weight to the others."""
    known = [(clip(score), weights.get(key, 0.0)) for key, score in scores.items() if score is not None]
    total = sum(weight for _, weight in known)
    return clip(sum(score * weight for score, weight in known) / total) if total > 0 else None


def decide(scores: Scores, policy: PolicyLike, text: str = "") -> Verdict:
    """Average, caps and tier of one article; `text` is what the patterns of the policy's caps search.

    A gatekeeper whose dimension has no score does not fire: nobody said that it is below its minimum.
    """
    average = weighted_average(scores, policy.weights)
    if average is None:
        return Verdict(None, None, None)
    applied = [*_closed_gates(scores, policy.gatekeepers), *_matching_caps(text, policy.caps)]
    capped = min([average, *(rule.cap for rule in applied)])
    return Verdict(average, capped, tier_of(capped, policy.tiers), applied)


def tier_of(score: float, tiers: list[dict]) -> str | None:
    """The first tier, highest first, whose minimum the score reaches."""
    return next((tier["name"] for tier in tiers if score >= tier["min"]), None)


def _closed_gates(scores: Scores, gatekeepers: list[dict]) -> list[Applied]:
    low = [(gate, scores.get(gate["dimension"])) for gate in gatekeepers]
    return [
        Applied("gatekeeper", gate["dimension"], float(gate["cap"]), gate["reason"])
        for gate, score in low
        if score is not None and clip(score) < gate["min"]
    ]


def _matching_caps(text: str, caps: list[dict]) -> list[Applied]:
    return [
        Applied("cap", cap["pattern"], float(cap["cap"]), cap["reason"])
        for cap in caps
        if re.search(cap["pattern"], text, re.IGNORECASE)
    ]
