"""Filters that are somebody's, whichever is there first in a test: the person or the filter."""

from collections.abc import Iterator
from typing import Any

import pytest

_given: list[str] = []


def give_every_filter(user: Any) -> None:
    """Those there are, and those that come later in this test: the order of fixtures says nothing about access."""
    from django.db.models.signals import post_save

    from labeling.models import Filter

    def give(instance: Any, created: bool, **_: Any) -> None:
        if created:
            user.filter_access.get_or_create(filter=instance)

    for filter_ in Filter.objects.all():
        user.filter_access.get_or_create(filter=filter_)
    name = f"every filter to {user.pk}"
    post_save.connect(give, sender=Filter, weak=False, dispatch_uid=name)
    _given.append(name)


@pytest.fixture(autouse=True)
def nothing_given_any_more() -> Iterator[None]:
    """After each test."""
    yield
    if _given:
        from django.db.models.signals import post_save

        from labeling.models import Filter

        while _given:
            post_save.disconnect(sender=Filter, dispatch_uid=_given.pop())
