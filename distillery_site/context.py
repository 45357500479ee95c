"""What every page of the site gets: the way round, and the filter that stays with the person."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from distillery_site import permissions
from labeling.current import all_filters, current_filter

LOOP = (
    ("Overview", "overview"),
    ("Articles", "articles"),
    ("Labels", "labeling_runs"),
    ("Review", "reviews"),
    ("Data sets", "datasets"),
    ("Training", "training_runs"),
    ("Models", "models"),
    ("Scoring", "scoring"),
)


def site(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"distillery_version": settings.VERSION}
    return {
        "distillery_version": settings.VERSION,
        "nav": [
            _entry(*entry, request) for entry in LOOP if permissions.allowed(user, entry[1], "GET") and _is_for(user, entry[1])
        ],
        "all_filters": SimpleLazyObject(lambda: all_filters(request)),
        "current_filter": SimpleLazyObject(lambda: current_filter(request)),
        "is_admin": permissions.role_of(user) == permissions.ADMIN,
    }


def _place(path: str) -> str:
    """Oracles are part of Labels, and base models of Training."""
    inside = {"oracles": "labeling_runs", "bases": "training_runs"}
    return next((reverse(place) for part, place in inside.items() if path.startswith(reverse(part))), path)


def _is_for(user: Any, route: str) -> bool:
    """Who only reviews is sent on from the overview to the queue, and needs no way there."""
    if route == "overview":
        return permissions.covers(user, permissions.VIEWER)
    return permissions.allowed(user, route, "GET")


def _entry(name: str, route: str, request: HttpRequest) -> dict[str, Any]:
    url, path = reverse(route), _place(request.path)
    current = path == url if url == reverse("overview") else path.startswith(url)
    return {"name": name, "url": url, "current": current}
