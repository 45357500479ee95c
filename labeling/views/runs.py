"""Labelling runs: the list, one live, and what can be done with it."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.dateparse import parse_datetime

from distillery_site.common.errors import BadInput
from labeling import services
from labeling.figures import run_distributions
from labeling.forms import BudgetForm
from labeling.models import LabelingRun
from labeling.oracles import registry
from labeling.planning.pilots import report_of
from labeling.planning.terminal import label_command
from labeling.reviewing.access import check_purse, filters_for
from labeling.tasks import send
from labeling.watching.listed import RunsWanted, run_lines
from labeling.watching.standing import Standing

PAGE = 50


def labeling_runs(request: HttpRequest) -> HttpResponse:
    wanted = RunsWanted.of(request.GET, filters_for(request.user))
    page = Paginator(wanted.runs(), PAGE).get_page(request.GET.get("page"))
    return render(request, "labeling/runs.html", {"page": page, "lines": run_lines(page), "wanted": wanted})


def _run(pk: int) -> LabelingRun:
    return get_object_or_404(LabelingRun.objects.select_related("version__filter", "oracle", "created_by"), pk=pk)


def labeling_run(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    context = {
        "run": run,
        "now": Standing(run),
        "versions": run.versions,
        "scores": _scores(run),
        "report": report_of(run),
        "last_call": run.calls.exclude(settled_at=None).order_by("-settled_at").first(),
        "agreed_at": parse_datetime(run.agreed.get("at", "")),
        "command": label_command(run),
    }
    return render(request, "labeling/run.html", context)


def labeling_run_live(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    now = Standing(run)
    answer = render(request, "labeling/_run_live.html", {"run": run, "now": now})
    if not now.is_live:
        answer["HX-Refresh"] = "true"  # the rest of the page has something new to say
    return answer


def labeling_run_scores(request: HttpRequest, pk: int) -> HttpResponse:
    """Asked for less often than the rest: it goes through every label of the run."""
    run = _run(pk)
    return render(request, "labeling/_run_scores.html", {"run": run, "scores": _scores(run)})


def _scores(run: LabelingRun) -> list[tuple[Any, list[Any]]]:
    return [(version, run_distributions(run, version)) for version in run.versions]


def labeling_run_pause(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(LabelingRun, pk=pk)
    return _tried(request, run, lambda: services.pause_labeling(run=run, actor=request.user))


def labeling_run_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(LabelingRun, pk=pk)
    return _tried(request, run, lambda: services.cancel_labeling(run=run, actor=request.user))


def labeling_run_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue the run again, under a new cap where one is sent."""
    run, form = get_object_or_404(LabelingRun, pk=pk), BudgetForm(request.POST)

    def resume() -> None:
        check_purse(request.user, _is_paid(run))
        if not form.is_valid():
            raise BadInput(*form.errors["budget_usd"])
        services.resume_labeling(run=run, budget_usd=form.cleaned_data["budget_usd"], actor=request.user)
        send(run)

    return _tried(request, run, resume)


def labeling_run_retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask again what failed, of one class or of all."""
    run, wanted = get_object_or_404(LabelingRun, pk=pk), request.POST.get("error_class", "").replace("\x00", "")

    def retry() -> None:
        check_purse(request.user, _is_paid(run))
        count = services.retry_failed(run=run, error_class=wanted, actor=request.user)
        send(run)
        what = "1 article is" if count == 1 else f"{count:,} articles are"
        messages.success(request, f"{what} asked about again.")

    return _tried(request, run, retry)


def _is_paid(run: LabelingRun) -> bool:
    return registry.provider(run.oracle.provider).paid


def _tried(request: HttpRequest, run: LabelingRun, verb: Callable[[], None]) -> HttpResponse:
    """Back on the run's page, which says why where it could not be done."""
    try:
        verb()
    except BadInput as error:
        messages.error(request, str(error))
    return redirect("labeling_run", run.pk)
