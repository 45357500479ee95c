"""The rubric and the made-up articles. Pure, so that the bare loop beside us can ask the very same."""

import random
from typing import Any

ANCHORS = {"0-2": "not at all", "5": "in parts", "9-10": "throughout"}
KEYS = ("clarity", "evidence", "novelty", "reach")
RUBRIC: dict[str, Any] = {
    "slug": "bench",
    "name": "Bench",
    "dimensions": [
        {"key": key, "name": key.title(), "description": f"How much {key} the article has", "anchors": ANCHORS, "weight": 0.25}
        for key in KEYS
    ],
    "tiers": [{"name": "yes", "min": 5}, {"name": "no", "min": 0}],
    "prompt": "Judge how useful this article is to somebody who has to decide what to read.",
}
VOCABULARY = [f"{start}{middle}{end}" for start in "bdfgklmnprst" for middle in ("al", "en", "or", "um") for end in "aeiou"]


def text_of(source: str, number: int, words: int) -> str:
    """Words that are the same each time, after one that no other article has."""
    dice = random.Random(f"{source}{number}")  # noqa: S311 (must be repeatable, not secret)
    return " ".join([f"{source}{number}", *dice.choices(VOCABULARY, k=words)])
