"""Oracles that say what a test wants them to say."""

from collections.abc import Sequence
from typing import Any

from labeling import services
from labeling.models import Article, FilterVersion, Oracle, OracleLabel

SOLO, JOINT = "5010" * 16, "0117" * 16  # hashes of two prompts


def oracle(name: str = "Claude") -> Oracle:
    return services.get_oracle(provider="external", model=name)


def says(
    who: Oracle,
    version: FilterVersion,
    said: Sequence[tuple[Article, Sequence[float | None]]],
    *,
    reading: int = 1,
    prompt: str = SOLO,
    **more: Any,
) -> None:
    """One label for each article."""
    OracleLabel.objects.bulk_create(
        OracleLabel(
            version=version,
            article=article,
            oracle=who,
            reading=reading,
            scores=list(scores),
            text_sha256=article.text_sha256,
            rubric_hash=version.rubric_hash,
            prompt_hash=prompt,
            request_hash=OracleLabel.request_hash_of(article.text_sha256, version, prompt, who, reading),
            **more,
        )
        for article, scores in said
    )
