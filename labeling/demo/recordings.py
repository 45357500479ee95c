"""Where the recorded judgements lie and what is said of them. Plain constants, no database."""

import json
from pathlib import Path

from labeling.demo.articles import SOURCE

FOLDER = Path(__file__).parent
RECORDED = ("investment_risk", "uplifting")
PROVIDER, MODEL = "recorded", "claude"
NAME = "Claude, November 2026 (recorded)"
ABOUT = (
    "Judgements by Claude (Anthropic), November 2026, replayed from a file: one joint reading of each article for both filters, "
    "so the reasoning is shared and speaks of both."
)

__all__ = ["ABOUT", "FOLDER", "MODEL", "NAME", "PROVIDER", "RECORDED", "SOURCE", "reread_ids"]


def reread_ids() -> list[str]:
    """External ids of the 96 articles that were read a second time (the same ones for both filters)."""
    with (FOLDER / RECORDED[0] / "retest.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line)["article_id"] for line in lines]
