"""Reviewers in figures: all of a filter's for its leads, and everybody their own."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from labeling.current import choose_filter
from labeling.models import Filter
from labeling.reviewing import reviewers as figures
from labeling.reviewing.access import may_lead


def reviewers(request: HttpRequest, slug: str) -> HttpResponse:
    """A lead sees everybody, a reviewer their own page."""
    filter_ = get_object_or_404(Filter, slug=slug)
    choose_filter(request, slug)
    if not may_lead(request.user, filter_):
        return _person(request, filter_, request.user)
    found = figures.reviewers(filter_.latest) if filter_.latest else []
    return render(request, "labeling/reviewers.html", {"filter": filter_, "found": found})


def reviewer(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    filter_ = get_object_or_404(Filter, slug=slug)
    if pk != request.user.pk and not may_lead(request.user, filter_):
        raise PermissionDenied("A reviewer's figures are for the person and for the filter's leads.")
    return _person(request, filter_, get_object_or_404(get_user_model(), pk=pk))


def _person(request: HttpRequest, filter_: Filter, person: Any) -> HttpResponse:
    found = figures.reviewers(filter_.latest, only=person) if filter_.latest else []
    shown = {"filter": filter_, "person": person, "one": next(iter(found), None), "own": person == request.user}
    return render(request, "labeling/reviewer.html", {**shown, "leads": may_lead(request.user, filter_)})
