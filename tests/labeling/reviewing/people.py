"""People who have said something: reviews as rows, without the pages that make them."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from labeling.models import Article, FilterAccess, FilterVersion, Review, ReviewTask


def person(name: str, role: str = "reviewer", *filters: Any) -> Any:
    """Somebody with a role, on these filters."""
    user, new = get_user_model().objects.get_or_create(username=name)
    if new:
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    for filter_ in filters:
        FilterAccess.objects.get_or_create(user=user, filter=filter_)
    return user


def say(
    version: FilterVersion, article: Article, who: str, scores: Sequence[float | None], *, open_: bool = False, **more: Any
) -> Review:
    """One person's review of the text as it is now, in a task that is done by it."""
    task = ReviewTask.objects.create(
        version=version, article=article, reason="random", done_at=None if open_ else timezone.now(), wanted=2
    )
    more = {"text_sha256": article.text_sha256, **more}
    return Review.objects.create(task=task, reviewer=person(who), scores=list(scores), **more)
