"""A small newsroom for the tests: filters, an oracle, articles whose scores follow from their words."""

import random
from collections.abc import Sequence
from itertools import count
from typing import Any

from labeling.models import DEFAULT_VIEW, Article, Filter, FilterVersion, Oracle, OracleLabel

_FIRST, _LAST = ("ba", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "su"), ("lan", "mir", "tos", "ven", "kar", "dil")
_words = [first + last for first in _FIRST for last in _LAST]
_serial = count(1)


def prose(seed: int, good: int = 0, words: int = 60) -> str:
    """Words without a meaning, `good` of which are the one that the oracle likes."""
    source = random.Random(seed)
    text = [source.choice(_words) for _ in range(words - good)] + ["water"] * good
    source.shuffle(text)
    return " ".join(text)


def version(
    slug: str = "uplifting", keys: Sequence[str] = ("impact", "evidence"), *, number: int = 1, view: Any = None
) -> FilterVersion:
    filter_, _ = Filter.objects.get_or_create(slug=slug, defaults={"name": slug.title()})
    dimensions = [{"key": key, "name": key.title(), "description": "", "anchors": {}} for key in keys]
    view = view or DEFAULT_VIEW
    rubric = FilterVersion.hash_of(dimensions, slug, view)
    return FilterVersion.objects.create(
        filter=filter_, number=number, dimensions=dimensions, prompt=slug, view=view, rubric_hash=rubric
    )


def oracle(name: str = "Claude") -> Oracle:
    identity = Oracle.identity_of("recorded", name, {})
    return Oracle.objects.create(name=name, provider="recorded", model=name, identity=identity)


def article(text: str, title: str = "") -> Article:
    number = next(_serial)
    title = title or f"Story {number}"
    return Article.objects.create(
        source="news",
        external_id=f"{number:05}",
        title=title,
        text=text,
        words=len(text.split()),
        text_sha256=Article.hash_of(title, None, text),
    )


def label(
    story: Article,
    version: FilterVersion,
    oracle: Oracle,
    scores: Sequence[float | None],
    reading: int = 1,
    prompt: str = "",
    **more: Any,
) -> OracleLabel:
    return OracleLabel.objects.create(
        version=version,
        article=story,
        oracle=oracle,
        reading=reading,
        scores=list(scores),
        text_sha256=story.text_sha256,
        rubric_hash=version.rubric_hash,
        prompt_hash=prompt,
        request_hash=OracleLabel.request_hash_of(story.text_sha256, version, prompt, oracle, reading),
        **more,
    )


def labelled(n: int, version: FilterVersion, oracle: Oracle) -> list[Article]:
    """`n` articles and their labels: the more of the good word, the higher every score."""
    stories = []
    for seed in range(n):
        good = seed % 11
        stories.append(article(prose(seed, good)))
        label(stories[-1], version, oracle, [min(10.0, good + shift / 2) for shift in range(len(version.keys))])
    return stories
