"""The table of versions × dimensions, and one version's page."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from distillery_site.common.errors import BadInput
from labeling.current import current_filter
from labeling.models import Filter
from scoring import figures
from scoring.portrait import manifest_text, portrait, unmeasured_splits
from training.figures import lineage, run_curve
from training.models import ModelVersion, Split
from training.services import promote


def models(request: HttpRequest) -> HttpResponse:
    split = Split.VAL if request.GET.get("split") == Split.VAL else Split.TEST
    chosen = current_filter(request)
    table = figures.version_table(chosen, split) if chosen else None
    measured = [row.model.pk for row in table.rows if row.model] if table else []
    unmeasured = ModelVersion.objects.serving(chosen).exclude(pk__in=measured) if chosen else []
    return render(request, "scoring/models.html", {"table": table, "split": split, "unmeasured": unmeasured})


def _version(name: str, number: int) -> ModelVersion:
    return get_object_or_404(ModelVersion.objects.select_related("dataset", "run"), name=name, number=number)


def model(request: HttpRequest, name: str, number: int) -> HttpResponse:
    found = _version(name, number)
    test = figures.latest_benchmark(found)
    return render(
        request,
        "scoring/model.html",
        {
            "model": found,
            "portraits": [portrait(found, version) for version in found.versions],
            "benchmarks": found.benchmarks.order_by("split"),
            "missing_splits": unmeasured_splits(found),
            "worst": figures.worst_articles(test) if test else [],
            "test": test,
            "lineage": lineage(found),
            "manifest": manifest_text(found),
            "curve": run_curve(found.run) if found.run else None,
            "api": request.build_absolute_uri("/api/v1/score"),
        },
    )


@require_POST
def model_promote(request: HttpRequest, name: str, number: int) -> HttpResponse:
    found = _version(name, number)
    chosen = get_object_or_404(Filter, slug=request.POST.get("filter", ""))
    alias = request.POST.get("alias", "champion")
    try:
        before = promote(model=found, filter=chosen, alias=alias, actor=request.user)
    except BadInput as problem:
        messages.error(request, str(problem))
    else:
        was = f" Before, {before} was." if before and before != found else ""
        messages.success(request, f"{found} is now the {alias} of {chosen.name}.{was}")
    return redirect("model", name, number)
