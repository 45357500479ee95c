"""Small things that the labelling tests are played with."""

from typing import Any

import redis
from django.conf import settings

from labeling import services
from labeling.models import Article, FilterVersion
from labeling.rubrics.packages import FilterPackage

TINY: dict[str, Any] = {
    "slug": "tiny",
    "name": "Tiny",
    "dimensions": [
        {"key": "good", "name": "Good", "description": "how good", "anchors": {"0": "not", "9-10": "very"}, "weight": 0.5},
        {"key": "bad", "name": "Bad", "description": "how bad", "anchors": {"0": "not", "9-10": "very"}, "weight": 0.5},
    ],
    "tiers": [{"name": "yes", "min": 5}, {"name": "no", "min": 0}],
    "prompt": "How good, how bad?",
}


def package(**changes: Any) -> FilterPackage:
    return FilterPackage.model_validate({**TINY, **changes})


def version(**changes: Any) -> FilterVersion:
    return services.import_package(package=package(**changes))


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    numbers = range(first, first + count)
    return [{"id": str(number), "title": f"Title {number}", "text": text(number), "language": "en"} for number in numbers]


def text(number: int) -> str:
    """Seventy words that no other number has."""
    return " ".join(f"word{number}x{place}" for place in range(70))


def articles(count: int) -> list[Article]:
    services.import_articles(source="desk", rows=rows(count))
    return list(Article.objects.filter(source="desk").order_by("pk"))


def keys(found: list[Article]) -> list[int]:
    return [article.pk for article in found]


def forget_rates() -> None:
    """What Valkey remembers of how fast a provider may be asked."""
    found = redis.Redis.from_url(settings.REDIS_URL)
    for key in found.scan_iter("rate:*"):
        found.delete(key)
