"""The page of a learning curve: on its data set, and by its own number while it is drawn."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from distillery_site.common.errors import BadInput, DistilleryError
from labeling.models import LabelingRun
from training.curves import figures as curve_figures
from training.curves import price as label_price
from training.curves import service as curves
from training.curves.form import CurveForm, MoreForm
from training.curves.tasks import send
from training.freezing.provenance import oracles_of
from training.models import Dataset, LearningCurve, Split


def dataset_curve(request: HttpRequest, name: str) -> HttpResponse:
    """The newest curve of a data set, or what one is for; and the form that draws one."""
    dataset = get_object_or_404(Dataset, name=name)
    form = CurveForm(request.POST or None)
    if form.is_valid():
        try:
            run = curves.start_curve(dataset=dataset, **form.request(), actor=request.user)
        except BadInput as problem:
            form.refuse(problem)
        else:
            send(run)
            return redirect("learning_curve", run.pk)
    return _page(request, dataset, dataset.learning_curves.newest().first(), form)


def learning_curve(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    return _page(request, run.dataset, run, CurveForm())


def learning_curve_live(request: HttpRequest, pk: int) -> HttpResponse:
    """While it is drawn; when it is done the whole page is asked for."""
    run = _run(pk)
    response = render(request, "training/_curve_live.html", {"run": run, "sizes": curve_figures.size_rows(run)})
    if run.fit:
        response["HX-Refresh"] = "true"
    return response


@require_POST
def learning_curve_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    curves.cancel_curve(run=_run(pk), actor=request.user)
    return redirect("learning_curve", pk)


@require_POST
def learning_curve_resume(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    if curves.resume_curve(run=run, actor=request.user):
        send(run)
    return redirect("learning_curve", pk)


def _run(pk: int) -> LearningCurve:
    return get_object_or_404(LearningCurve.objects.select_related("dataset", "created_by"), pk=pk)


def _page(request: HttpRequest, dataset: Dataset, run: LearningCurve | None, form: CurveForm) -> HttpResponse:
    told = _told(request, run) if run and run.fit else {}
    if request.htmx and told:  # type: ignore[attr-defined]
        return render(request, "training/_curve_panels.html", {"run": run, "labelled": _labelled(dataset), **told})
    context = {
        "dataset": dataset,
        "run": run,
        "form": form,
        "articles": dataset.items.filter(split=Split.TRAIN).count(),
        "measured_on": dataset.items.filter(split=Split.VAL).count(),
        "others": dataset.learning_curves.newest().exclude(pk=run.pk if run else 0),
        "labelled": _labelled(dataset),
        "sizes": curve_figures.size_rows(run) if run else [],
        **told,
    }
    return render(request, "training/curve.html", context, status=400 if form.errors else 200)


def _told(request: HttpRequest, run: LearningCurve) -> dict[str, Any]:
    """The curves, and what they say of as many labels as were asked for."""
    paid = label_price.paid_so_far(run.dataset)
    more = MoreForm(request.GET, paid=paid is not None)
    wish: dict[str, Any] = more.cleaned_data if more.is_valid() else {"more": curve_figures.USUAL_MORE, "oracle": ""}
    price, problem = paid, ""
    if wish["oracle"]:
        try:
            price = label_price.planned(run.dataset, wish["oracle"])
        except DistilleryError as error:
            problem = str(error)
    return {
        "panels": curve_figures.panels(run, more=wish["more"], price=price),
        "dimensions": curve_figures.dimension_rows(run),
        "more": more,
        "price": price,
        "price_problem": problem,
        "command": curve_figures.typed(run),
    }


def _labelled(dataset: Dataset) -> LabelingRun | None:
    """The newest run that labelled for this data set: more labels begin there."""
    runs = LabelingRun.objects.filter(version__in=dataset.versions, oracle__in=oracles_of(dataset))
    return runs.newest().first()
