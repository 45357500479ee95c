"""The review queue: what waits, the way in, and how a filter's articles are reviewed."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from distillery_site.common.roles import LEAD, REVIEWER, VIEWER, covers
from labeling.current import choose_filter, current_filter
from labeling.models import Filter, Review, ReviewRules
from labeling.reviewing import access
from labeling.reviewing.rules import RulesForm, set_rules
from labeling.reviewing.standing import listed, reasons, skipped, standing
from labeling.reviewing.turns import next_turn

PAGE = 50


def reviews(request: HttpRequest) -> HttpResponse:
    """Why an article waits is told to those who may see the oracle's scores anyway: it says something of them."""
    filter_ = current_filter(request)
    if filter_ is None:
        return render(request, "labeling/reviews.html", {"filter": None})
    told = covers(request.user, VIEWER)
    reason = request.GET.get("reason", "") if told else ""
    may_review = access.may_review(request.user, filter_)
    shown = {
        "filter": filter_,
        "may_review": may_review,
        "told": told,
        "reason": reason,
        "standing": standing(filter_, request.user, reviews=may_review),
        "page": Paginator(listed(filter_, reason), PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "labeling/reviews.html", {**shown, **(_told(filter_) if told else {})})


def _told(filter_: Filter) -> dict[str, Any]:
    recent = Review.objects.filter(task__version__filter=filter_).select_related("task__article", "reviewer").order_by("-pk")
    return {"reasons": reasons(filter_), "skipped": skipped(filter_)[:10], "recent": recent[:10]}


@require_POST
def review_start(request: HttpRequest, slug: str) -> HttpResponse:
    """To the article that one has begun, or the next one, of this filter."""
    filter_ = get_object_or_404(Filter, slug=slug)
    access.require(request.user, filter_, REVIEWER)
    turn = next_turn(reviewer=request.user, filters=[filter_])
    if turn is None:
        messages.info(request, f"Nothing of {filter_.name} waits for you now: what is open is at other people's desks.")
        return redirect("reviews")
    return redirect("review", turn.task_id)


def review_rules(request: HttpRequest, slug: str) -> HttpResponse:
    filter_ = get_object_or_404(Filter, slug=slug)
    access.require(request.user, filter_, LEAD)
    choose_filter(request, slug)
    form = RulesForm(request.POST) if request.method == "POST" else RulesForm.of(ReviewRules.of(filter_))
    if form.is_bound and form.is_valid():
        set_rules(filter_=filter_, actor=request.user, **form.values)
        messages.success(request, f"Articles of {filter_.name} are reviewed by these rules now.")
        return redirect("filter", slug)
    return render(request, "labeling/review_rules.html", {"filter": filter_, "form": form}, status=400 if form.errors else 200)
