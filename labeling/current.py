"""The filter a person is working with: kept in the session, the first one until they choose."""

from django.http import HttpRequest

from labeling.models import Filter, FilterVersion, Policy

SESSION_KEY = "filter"


def all_filters() -> list[Filter]:
    return list(Filter.objects.all())


def current_filter(request: HttpRequest) -> Filter | None:
    chosen = request.session.get(SESSION_KEY)
    found = Filter.objects.filter(slug=chosen).first() if chosen else None
    return found or Filter.objects.first()


def choose_filter(request: HttpRequest, slug: str) -> Filter | None:
    """Keep the choice; None, and nothing kept, when there is no such filter."""
    found = Filter.objects.filter(slug=slug).first()
    if found is not None:
        request.session[SESSION_KEY] = found.slug
    return found


def current_version(request: HttpRequest) -> FilterVersion | None:
    filter_ = current_filter(request)
    return filter_.latest if filter_ else None


def latest_policy(version: FilterVersion | None) -> Policy | None:
    return version.policies.order_by("-number").first() if version else None
