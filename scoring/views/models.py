"""The table of versions × dimensions, and one version's page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from labeling.current import current_filter
from scoring import figures
from scoring.forms import CompareForm
from scoring.portrait import manifest_text, portrait, unmeasured_splits
from training.figures import lineage, run_curve
from training.models import ModelVersion, Split


def models(request: HttpRequest) -> HttpResponse:
    split = Split.VAL if request.GET.get("split") == Split.VAL else Split.TEST
    chosen = current_filter(request)
    table = figures.version_table(chosen, split) if chosen else None
    measured = [row.model.pk for row in table.rows if row.model] if table else []
    unmeasured = ModelVersion.objects.serving(chosen).exclude(pk__in=measured) if chosen else []
    opened = figures.opened(table.dataset) if table and table.dataset else ""
    form = CompareForm(initial={"split": split, **_two(table)})
    shown = {"table": table, "split": split, "unmeasured": unmeasured, "opened": opened, "form": form}
    return render(request, "scoring/models.html", shown)


def _two(table: figures.Table | None) -> dict[str, str]:
    """The first choice of what to compare: the newest version that isn't champion, beside the champion."""
    rows = [row for row in table.rows if row.model] if table else []
    champion = next((row.model for row in rows if "champion" in row.aliases and row.model), None)
    other = next((row.model for row in rows if row.model and not row.baseline and row.model != champion), None)
    return {"first": other.ref, "second": champion.ref} if champion and other else {}


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
            "opened": figures.opened(test.dataset) if test else "",
            "lineage": lineage(found),
            "manifest": manifest_text(found),
            "curve": run_curve(found.run) if found.run else None,
            "api": request.build_absolute_uri("/api/v1/score"),
        },
    )
