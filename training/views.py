"""Pages of data sets and training runs: look up, parse, one call, render."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST
from django_htmx.http import reswap, retarget

from distillery_site.common.errors import BadInput
from labeling.models import LabelingRun
from labeling.reviewing.access import filters_to_lead, offer, seen_by
from training import datasets as freezing
from training import figures, services
from training.as_typed import freeze_command, train_command
from training.forms import FreezeForm
from training.freezing.provenance import labelled_by, oracles_of
from training.models import Dataset, Kind, TrainingRun
from training.running import learning
from training.running.forecasts import forecast, foreseen
from training.tasks import send
from training.train_form import TrainForm, typed_for

RUNS_A_PAGE = 50


def datasets(request: HttpRequest) -> HttpResponse:
    found = seen_by(request.user, Dataset.objects.order_by("-pk"), "filters__version__filter").prefetch_related(
        "filters__version__filter"
    )
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
            "runs": learning.listed(found.training_runs.trainings().newest().select_related("result", "dataset")),
            "command": freeze_command(found),
        },
    )


def dataset_new(request: HttpRequest) -> HttpResponse:
    form = offer(FreezeForm(request.POST or None), filters_to_lead(request.user), "filter", "versions")
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
    rows = seen_by(request.user, TrainingRun.objects.trainings(), "dataset__filters__version__filter")
    runs = rows.newest().select_related("dataset", "result")
    page = Paginator(runs, RUNS_A_PAGE).get_page(request.GET.get("page"))
    rows = learning.listed(page.object_list)
    return render(request, "training/runs.html", {"page": page, "runs": rows, "trainable": Dataset.objects.exists()})


def training_new(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return render(request, "training/run_new.html", {"form": _form(request, initial=_wish(request))})
    form = _form(request, request.POST)
    run = _started(services.start_training, form, request)
    if run is None:
        return render(request, "training/run_new.html", {"form": form}, status=400)
    return redirect("training_run", run.pk)


def _form(request: HttpRequest, *args: Any, **kwargs: Any) -> TrainForm:
    """Trainings are on data sets whose filters are all one's own."""
    return offer(TrainForm(*args, **kwargs), filters_to_lead(request.user), "filters__version__filter", "dataset")


def _wish(request: HttpRequest) -> dict[str, Any]:
    """What the form begins with: an earlier run's options, or those that a link names."""
    if (pk := request.GET.get("run", "")).isdigit():
        return typed_for(_run(int(pk)))
    wish = {name: request.GET[name] for name in ("dataset", "kind", "preset", "base") if name in request.GET}
    return {"kind": Kind.LORA, **wish} if "base" in wish or "preset" in wish else wish


def _started(start: Callable[..., TrainingRun], form: TrainForm, request: HttpRequest) -> TrainingRun | None:
    """The run that the form describes, sent; None with the sentences at the form's fields."""
    if not form.is_valid():
        return None
    try:
        run = start(**form.request(), actor=request.user)
    except BadInput as problem:
        form.refuse(problem)
        return None
    send(run)
    return run


@require_POST
def training_options(request: HttpRequest) -> HttpResponse:
    """The form again, with the options of another kind or the defaults of another preset; what was typed stays."""
    typed = {**request.POST.dict(), "parents": request.POST.getlist("parents")}
    return render(request, "training/_run_form.html", {"form": _form(request, initial=typed)})


@require_POST
def training_estimate_new(request: HttpRequest) -> HttpResponse:
    """A fragment beside the form, or its own page where there is no script."""
    form = _form(request, request.POST)
    run = _started(services.start_estimate, form, request)
    if run is None and request.htmx:  # type: ignore[attr-defined]
        return reswap(retarget(render(request, "training/_run_form.html", {"form": form}), "#train"), "outerHTML")
    if run is None:
        return render(request, "training/run_new.html", {"form": form}, status=400)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("training_run", run.pk)
    return render(request, "training/_run_estimate.html", {**_of_estimate(run), "form": form})


def training_estimate(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "training/_run_estimate.html", _of_estimate(_run(pk)))


def _of_estimate(run: TrainingRun) -> dict[str, Any]:
    again = [(name, value) for name, value in typed_for(run).items() if name != "parents"]
    return {"run": run, "forecast": forecast(run), "again": again, "line": learning.in_line(run)}


def _run(pk: int) -> TrainingRun:
    return get_object_or_404(TrainingRun.objects.select_related("dataset", "result", "created_by"), pk=pk)


def training_run(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    own = _of_estimate(run) if run.is_estimate else _of_training(run)
    beside = {"options": figures.options(run), "command": train_command(run), "curves": figures.tensorboard(run)}
    return render(request, "training/run.html", own | beside)


def _of_training(run: TrainingRun) -> dict[str, Any]:
    return {"run": run, "learning": learning.learning(run), "foreseen": foreseen(run), "line": learning.in_line(run)}


def training_run_live(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "training/_run_live.html", _of_training(_run(pk)))


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
