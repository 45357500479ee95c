"""What is reviewed: a rubric of eight dimensions, made-up articles with an oracle's labels, and people with passwords."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from labeling import services
from labeling.models import Article, FilterAccess, FilterVersion
from labeling.reviewing.tasks import Pick, open_reviews
from labeling.rubrics.packages import FilterPackage
from scripts.bench.texts import ANCHORS, text_of

KEYS = ("clarity", "evidence", "novelty", "reach", "fairness", "depth", "urgency", "hope")
PASSWORD = "look-at-pages-1"  # noqa: S105 (of a site that lives for minutes)
RUBRIC: dict[str, Any] = {
    "slug": "review-bench",
    "name": "Review bench",
    "question": "Is this worth an hour of somebody's time?",
    "dimensions": [
        {"key": key, "name": key.title(), "description": f"how much {key} it has", "anchors": ANCHORS, "weight": 0.125}
        for key in KEYS
    ],
    "tiers": [{"name": "yes", "min": 5}, {"name": "no", "min": 0}],
    "prompt": "Judge whether this article is worth an hour of somebody's time.",
}


def version() -> FilterVersion:
    return services.import_package(package=FilterPackage.model_validate(RUBRIC))


def articles(source: str, count: int, words: int = 380) -> list[Article]:
    rows = ({"id": str(number), "title": f"{source} {number}", "text": text_of(source, number, words)} for number in range(count))
    services.import_articles(source=source, rows=rows)
    return list(Article.objects.filter(source=source).order_by("pk"))


def label(version: FilterVersion, found: list[Article]) -> None:
    """By an oracle asked elsewhere, with scores that follow from the article's number."""
    oracle = services.get_oracle(provider=services.EXTERNAL, model="bench oracle")
    for source in {one.source for one in found}:
        rows = [{"id": one.external_id, "scores": scores(one), "reasoning": "Made up."} for one in found if one.source == source]
        services.import_external_labels(version=version, oracle=oracle, source=source, rows=rows)


def scores(article: Article) -> dict[str, float]:
    return {key: float((3 * article.pk + 5 * place) % 11) for place, key in enumerate(KEYS)}


def queue(version: FilterVersion, found: list[Article], wanted: int = 1) -> None:
    picks = [Pick(one.pk, "random", priority=float(place)) for place, one in enumerate(reversed(found))]
    open_reviews(version=version, picks=picks, wanted=wanted)


def reviewer(name: str, version: FilterVersion) -> Any:
    user = person(name, "reviewer")
    FilterAccess.objects.create(user=user, filter=version.filter)
    return user


def person(name: str, role: str) -> Any:
    """Open until `close`d: on a site that is kept, an earlier run may have left them."""
    user, _ = get_user_model().objects.get_or_create(username=name)
    user.set_password(PASSWORD)
    user.is_active = True
    user.save()
    user.groups.set([Group.objects.get(name=role)])
    return user


def close(user: Any) -> None:
    """Nobody comes in by the password that everybody can read above."""
    user.set_unusable_password()
    user.is_active = False
    user.save()
