"""Measuring a version: start, watch, stop, and hand what it got most wrong to people."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from distillery_site.common.errors import Permanent
from distillery_site.common.runs import RunState
from scoring import figures, services
from scoring.forms import BenchmarkForm
from scoring.models import Benchmark
from scoring.tasks import benchmark as lane
from training.models import Dataset, ModelVersion


def _benchmark(pk: int) -> Benchmark:
    return get_object_or_404(Benchmark.objects.select_related("model", "dataset", "created_by"), pk=pk)


def benchmark(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "scoring/benchmark.html", {"run": _benchmark(pk)})


def benchmark_live(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "scoring/_benchmark_live.html", {"run": _benchmark(pk)})


@require_POST
def benchmark_new(request: HttpRequest, name: str, number: int) -> HttpResponse:
    model = get_object_or_404(ModelVersion, name=name, number=number)
    form = BenchmarkForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("A benchmark runs on the validation or the test split of a data set.")
    try:
        run = services.start_benchmark(model=model, **form.cleaned_data, actor=request.user)
    except Permanent as problem:
        messages.error(request, str(problem))
        return redirect("model", name, number)
    lane.delay_on_commit(run.pk)
    return redirect("benchmark", run.pk)


@require_POST
def benchmark_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    services.cancel_benchmark(run=_benchmark(pk), actor=request.user)
    return redirect("benchmark", pk)


@require_POST
def benchmark_resume(request: HttpRequest, pk: int) -> HttpResponse:
    if services.resume_benchmark(run=_benchmark(pk), actor=request.user):
        lane.delay_on_commit(pk)
    return redirect("benchmark", pk)


@require_POST
def benchmark_review(request: HttpRequest, pk: int) -> HttpResponse:
    """The worst articles become tasks in the review queue."""
    run = get_object_or_404(Benchmark, pk=pk, state=RunState.DONE)
    tasks = services.push_worst(benchmark=run, actor=request.user)
    messages.success(request, f"{len(tasks)} articles wait in the review queue.")
    return redirect("model", run.model.name, run.model.number)


def dataset_benchmarks(request: HttpRequest, name: str) -> HttpResponse:
    """A fragment of the data set's page, which lives further right and knows no benchmarks."""
    dataset = get_object_or_404(Dataset, name=name)
    rows = dataset.benchmarks.select_related("model").order_by("-pk")
    return render(request, "scoring/_dataset_benchmarks.html", {"benchmarks": rows, "opened": figures.opened(dataset)})
