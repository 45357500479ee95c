"""What a run's figures are made of: its problems and flags article by article, its calls, and one call in full."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from labeling.figures import flagged, with_last_call
from labeling.models import LabelingItem, LabelingRun, OracleCall
from labeling.watching import calls

PAGE = 50


def _run(pk: int) -> LabelingRun:
    return get_object_or_404(LabelingRun.objects.select_related("version__filter", "oracle"), pk=pk)


def _page(request: HttpRequest, rows: QuerySet[Any]) -> Page:
    return Paginator(rows, PAGE).get_page(request.GET.get("page"))


def _storable(text: str) -> str:
    """As far as Postgres can compare it: an address may carry anything."""
    return text.replace("\x00", "")


def labeling_run_problems(request: HttpRequest, pk: int, error_class: str) -> HttpResponse:
    """The articles that failed in one way."""
    run, error_class = _run(pk), _storable(error_class)
    failed = run.items.filter(state=LabelingItem.State.FAILED, error_class=error_class)
    page = _page(request, with_last_call(failed.select_related("article")).order_by("pk"))
    return render(request, "labeling/run_problems.html", {"run": run, "error_class": error_class, "page": page})


def labeling_run_flags(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    """The articles whose labels carry one kind of flag."""
    run, kind = _run(pk), _storable(kind)
    page = _page(request, flagged(run, kind).select_related("article", "version__filter", "call").order_by("pk"))
    return render(request, "labeling/run_flags.html", {"run": run, "kind": kind, "page": page})


def labeling_run_calls(request: HttpRequest, pk: int) -> HttpResponse:
    run, state, error_class = _run(pk), request.GET.get("state", ""), request.GET.get("class")
    if state and state not in OracleCall.State.values:
        raise Http404
    found = run.calls.select_related("item__article").defer("raw_answer", "item__article__text").order_by("-pk")
    found = found.filter(state=state) if state else found
    found = found if error_class is None else found.filter(error_class=_storable(error_class))
    context = {"run": run, "state": state, "error_class": error_class, "states": OracleCall.State.choices}
    words = OracleCall.State(state).label if state else ""
    return render(request, "labeling/run_calls.html", {**context, "state_words": words, "page": _page(request, found)})


def labeling_call(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    rows = OracleCall.objects.select_related("run__version__filter", "run__oracle", "item__article", "batch", "shard")
    call = get_object_or_404(rows, run=pk, key=key)
    context = {
        "run": call.run,
        "call": call,
        "article": call.item.article,
        "sent": calls.sent(call),
        "raw": calls.raw_answer(call),
        "labels": calls.read_from(call),
        "attempts": calls.attempts(call),
    }
    return render(request, "labeling/call.html", context)
