"""Where the demo's parts lie and what is said of them."""

from pathlib import Path

FOLDER = Path(__file__).parent
RECORDED = ("investment_risk", "uplifting")
PACKAGES = (*RECORDED, "sustainability_tech_innovation")
SOURCE = "news-2017"
PROVIDER, MODEL = "recorded", "claude"
ORACLE_NAME = "Claude, November 2026 (recorded)"
ABOUT = (
    "Judgements by Claude (Anthropic), November 2026, replayed from a file: one joint reading of each article for both filters, "
    "so the reasoning is shared and speaks of both."
)


def folder_of(slug: str) -> Path:
    return FOLDER / slug
