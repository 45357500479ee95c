"""Two versions beside each other on the same rows."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from distillery_site.common.errors import BadInput
from labeling.current import current_filter
from labeling.models import Filter
from scoring import comparing, movers
from scoring.forms import CompareForm
from training.models import ModelVersion


def models_compare(request: HttpRequest) -> HttpResponse:
    """Without two versions it is the form to choose them."""
    form = CompareForm(request.GET if "first" in request.GET else None)
    shown: dict[str, Any] = {"form": form}
    if form.is_bound and form.is_valid():
        shown |= _compared(current_filter(request), **form.cleaned_data)
    return render(request, "scoring/compare.html", shown)


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
    return {**told, "found": found, "every": every, "movers": movers.movers(found), "worst": movers.worst(found)}
