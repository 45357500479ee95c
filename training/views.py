"""Pages of data sets and training runs: look up, parse, one call, render."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from distillery_site.common.errors import BadInput
from labeling.models import LabelingRun
from training import datasets as freezing
from training import figures, services
from training.as_typed import freeze_command, train_command
from training.forms import FreezeForm, TrainForm
from training.models import Dataset, TrainingRun
from training.provenance import labelled_by, oracles_of
from training.tasks import send

RUNS_A_PAGE = 50


def datasets(request: HttpRequest) -> HttpResponse:
    found = Dataset.objects.order_by("-pk").prefetch_related("filters__version__filter")
    rows = found.annotate(articles=Count("items", distinct=True), students=Count("model_versions", distinct=True))
    return render(request, "training/datasets.html", {"datasets": rows})


def dataset(request: HttpRequest, name: str) -> HttpResponse:
    found = get_object_or_404(Dataset, name=name)
    return render(
        request,
        "training/dataset.html",
        {
            "dataset": found,
            "table": figures.dataset_table(found),
            "labelled_by": labelled_by(found),
            "oracles": oracles_of(found),
            "sources": found.recipe.get("sources", ()),
            "runs": found.training_runs.newest().select_related("result"),
            "command": freeze_command(found),
        },
    )


def dataset_new(request: HttpRequest) -> HttpResponse:
    form = FreezeForm(request.POST or None)
    if form.is_valid():
        try:
            frozen = freezing.freeze(**form.request(), actor=request.user)
        except BadInput as problem:
            form.add_error(None, problem.problems)
        else:
            messages.success(request, f"The data set {frozen} is frozen.")
            return redirect("dataset", frozen.name)
    return render(request, "training/dataset_new.html", {"form": form}, status=400 if form.errors else 200)


def labeling_run_datasets(request: HttpRequest, pk: int) -> HttpResponse:
    """A fragment of a labelling run's page, which lives further right and knows no data sets."""
    run = get_object_or_404(LabelingRun.objects.select_related("version", "oracle"), pk=pk)
    return render(request, "training/_run_datasets.html", {"run": run, "found": figures.datasets_of(run)})


def training_runs(request: HttpRequest) -> HttpResponse:
    runs = TrainingRun.objects.newest().select_related("dataset", "result")
    page = Paginator(runs, RUNS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "training/runs.html", {"page": page, "trainable": Dataset.objects.exists()})


def training_new(request: HttpRequest) -> HttpResponse:
    form = TrainForm(request.POST or None, initial={"dataset": request.GET.get("dataset")})
    if form.is_valid():
        try:
            run = services.start_training(**form.request(), actor=request.user)
        except BadInput as problem:
            form.add_error(None, problem.problems)
        else:
            send(run)
            return redirect("training_run", run.pk)
    return render(request, "training/run_new.html", {"form": form}, status=400 if form.errors else 200)


def _run(pk: int) -> TrainingRun:
    return get_object_or_404(TrainingRun.objects.select_related("dataset", "result", "created_by"), pk=pk)


def training_run(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    context = {"run": run, "curve": figures.run_curve(run), "options": figures.options(run), "command": train_command(run)}
    return render(request, "training/run.html", context)


def training_run_live(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    return render(request, "training/_run_live.html", {"run": run, "curve": figures.run_curve(run)})


@require_POST
def training_run_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    services.cancel_training(run=_run(pk), actor=request.user)
    return redirect("training_run", pk)


@require_POST
def training_run_resume(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    if services.resume_training(run=run, actor=request.user):
        send(run)
    return redirect("training_run", pk)
