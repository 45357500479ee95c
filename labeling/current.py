"""The filter a person is working with: kept in the session, the first of theirs until they choose."""

from django.http import HttpRequest

from labeling.models import Filter, FilterVersion, Policy
from labeling.reviewing.access import filters_for

SESSION_KEY = "filter"


def all_filters(request: HttpRequest) -> list[Filter]:
    """Those that this person may see."""
    return list(filters_for(request.user))


def current_filter(request: HttpRequest) -> Filter | None:
    chosen, own = request.session.get(SESSION_KEY), filters_for(request.user)
    found = own.filter(slug=chosen).first() if chosen else None
    return found or own.first()


def choose_filter(request: HttpRequest, slug: str) -> Filter | None:
    """Keep the choice; None, and nothing kept, when this person has no such filter."""
    found = filters_for(request.user).filter(slug=slug).first()
    if found is not None:
        request.session[SESSION_KEY] = found.slug
    return found


def current_version(request: HttpRequest) -> FilterVersion | None:
    filter_ = current_filter(request)
    return filter_.latest if filter_ else None


def latest_policy(version: FilterVersion | None) -> Policy | None:
    return version.policies.order_by("-number").first() if version else None
