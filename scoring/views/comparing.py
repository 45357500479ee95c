"""Two versions beside each other on the same rows."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from distillery_site.common.errors import BadInput
from distillery_site.common.roles import REVIEWER
from labeling.current import current_filter
from labeling.models import Filter
from labeling.reviewing.access import require
from labeling.services import send_list
from scoring import comparing, movers, queues
from scoring.forms import CompareForm
from training.models import ModelVersion

MOVERS = 10


def models_compare(request: HttpRequest) -> HttpResponse:
    """Without two versions it is the form to choose them."""
    form = CompareForm(request.GET if "first" in request.GET else None)
    shown: dict[str, Any] = {"form": form}
    if form.is_bound and form.is_valid():
        shown |= _compared(current_filter(request), **form.cleaned_data)
    return render(request, "scoring/compare.html", shown)


@require_POST
def compare_review(request: HttpRequest) -> HttpResponse:
    """The biggest movers that the page shows become tasks in the review queue."""
    form = CompareForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("Name the two versions whose biggest movers people should look at.")
    found = _compared(current_filter(request), **form.cleaned_data).get("found")
    if found is None:
        return HttpResponseBadRequest("These two versions can't be compared.")
    require(request.user, found.version.filter, REVIEWER)
    what = f"movers between {found.first} and {found.second}"
    sent = send_list(version=found.version, picks=queues.moved(found, MOVERS), actor=request.user, what=what)
    messages.success(request, sent.sentence)
    return redirect("reviews")


def _compared(
    current: Filter | None, first: ModelVersion, second: ModelVersion, split: str, filter: Filter | None
) -> dict[str, Any]:  # noqa: A002
    told: dict[str, Any] = {"first": first, "second": second, "split": split}
    try:
        every = comparing.compare(first, second, split=split)
    except BadInput as problem:
        return {**told, "problem": str(problem), "missing": getattr(problem, "missing", [])}
    wanted = [one for one in every if one.version.filter == (filter or current)]
    found = wanted[0] if wanted else every[0]
    told["strangers"] = [model for model in (first, second) if model.dataset is None]
    return {**told, "found": found, "every": every, "movers": movers.movers(found, MOVERS), "worst": movers.worst(found)}
