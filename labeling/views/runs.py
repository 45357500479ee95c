"""Labelling runs: the list, one live, and what can be done with it."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from distillery_site.common.errors import BadInput
from distillery_site.common.runs import RunState
from labeling import services
from labeling.current import current_filter
from labeling.figures import run_distributions
from labeling.forms import BudgetForm, LabelForm
from labeling.listed import RunsWanted, run_lines
from labeling.models import LabelingRun
from labeling.standing import Standing
from labeling.tasks import send
from labeling.terminal import label_command

PAGE = 50


def labeling_runs(request: HttpRequest) -> HttpResponse:
    wanted = RunsWanted.of(request.GET)
    page = Paginator(wanted.runs(), PAGE).get_page(request.GET.get("page"))
    return render(request, "labeling/runs.html", {"page": page, "lines": run_lines(page), "wanted": wanted})


def _run(pk: int) -> LabelingRun:
    return get_object_or_404(LabelingRun.objects.select_related("version__filter", "oracle", "created_by"), pk=pk)


def labeling_run(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    context = {"run": run, "now": Standing(run), "scores": _scores(run), "command": label_command(run)}
    return render(request, "labeling/run.html", context)


def labeling_run_live(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    return render(request, "labeling/_run_live.html", {"run": run, "now": Standing(run)})


def labeling_run_scores(request: HttpRequest, pk: int) -> HttpResponse:
    """Asked for less often than the rest: it goes through every label of the run."""
    run = _run(pk)
    return render(request, "labeling/_run_scores.html", {"run": run, "scores": _scores(run)})


def _scores(run: LabelingRun) -> list[tuple[Any, list[Any]]]:
    return [(version, run_distributions(run, version)) for version in run.versions]


def labeling_run_pause(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, pk, services.pause_labeling)


def labeling_run_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, pk, services.cancel_labeling)
