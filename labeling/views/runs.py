"""Labelling runs: the list, one live, and the form that starts one."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from distillery_site.common.errors import BadInput
from distillery_site.common.runs import RunState
from labeling import services
from labeling.current import current_filter
from labeling.figures import run_counts, run_distributions, run_problems
from labeling.forms import BudgetForm, LabelForm
from labeling.models import LabelingRun
from labeling.tasks import label

PAGE = 50
STOPPED = (RunState.PAUSED, RunState.FAILED, RunState.CANCELLED)


def labeling_runs(request: HttpRequest) -> HttpResponse:
    found = LabelingRun.objects.newest().select_related("version__filter", "oracle", "created_by")
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    return render(request, "labeling/runs.html", {"page": page})


def labeling_run(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "labeling/run.html", _run_context(pk))


def labeling_run_live(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "labeling/_run_live.html", _run_context(pk))


def _run_context(pk: int) -> dict[str, Any]:
    run = get_object_or_404(LabelingRun.objects.select_related("version__filter", "oracle", "created_by"), pk=pk)
    return {
        "run": run,
        "counts": run_counts(run),
        "problems": run_problems(run),
        "distributions": run_distributions(run),
        "command": _command(run),
    }


def _command(run: LabelingRun) -> str:
    """What starts such a run in a terminal; one that stopped goes on with --resume."""
    parts = ["python manage.py label", f"{run.version.filter.slug}@{run.version.number}"]
    if run.state in STOPPED:
        parts += ["--resume", str(run.pk)]
    else:
        parts += ["--oracle", run.oracle.provider, "--size", str(run.progress_total)]
        parts += ["--reading", str(run.reading)] if run.reading > 1 else []
    parts += ["--budget", f"{run.budget_usd:.2f}"] if run.budget_usd else []
    return " ".join(parts)


def labeling_run_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    services.cancel_labeling(run=get_object_or_404(LabelingRun, pk=pk), actor=request.user)
    return redirect("labeling_run", pk)


def labeling_run_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue the run again, under a new cap where one is sent."""
    run, form = get_object_or_404(LabelingRun, pk=pk), BudgetForm(request.POST)
    try:
        if not form.is_valid():
            raise BadInput(*form.errors["budget_usd"])
        services.resume_labeling(run=run, budget_usd=form.cleaned_data["budget_usd"], actor=request.user)
        label.delay_on_commit(run.pk)
    except BadInput as error:
        messages.error(request, str(error))
    return redirect("labeling_run", pk)


def labeling_new(request: HttpRequest) -> HttpResponse:
    initial = {"filter": current_filter(request)}
    form = LabelForm(request.POST) if request.method == "POST" else LabelForm(initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            run = form.start(actor=request.user)
            label.delay_on_commit(run.pk)
            return redirect("labeling_run", run.pk)
        except BadInput as error:
            form.add_error(None, str(error))
    return render(request, "labeling/run_new.html", {"form": form}, status=400 if form.errors else 200)
