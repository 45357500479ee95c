"""Starting a labelling run: first its plan, then a cap, a yes, and off it goes."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from distillery_site.common.errors import BadInput
from labeling.current import current_filter
from labeling.models import LabelingRun, OracleLabel
from labeling.oracles import registry
from labeling.planning.label_form import LabelForm, initial_of
from labeling.planning.plans import Plan
from labeling.planning.wanted import Kind, Wanted
from labeling.reviewing.access import check_purse, filters_to_lead, offer
from labeling.tasks import send

PILOTS = 3
STALE = "The choices or the articles changed since this plan was made; look at it again."


def labeling_new(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return render(request, "labeling/run_new.html", _page(request, _form(request, initial=_initial(request))))
    form = _form(request, request.POST)
    if not form.is_valid():
        return _show(request, form, status=400)
    try:
        wanted = form.wanted()
        if "start" in request.POST:
            return _start(request, form, wanted)
        return _show(request, form, wanted, wanted.plan())
    except BadInput as error:
        form.add_error(None, error.problems)
        return _show(request, form, status=400)


def _form(request: HttpRequest, *args: Any, **kwargs: Any) -> LabelForm:
    return offer(LabelForm(*args, **kwargs), filters_to_lead(request.user), "pk", "filter", "also")


def _start(request: HttpRequest, form: LabelForm, wanted: Wanted) -> HttpResponse:
    plan = form.looked_at(wanted.key)
    if plan is None or plan["articles"] != len(wanted.articles):
        form.add_error(None, STALE)
    if plan is None or form.errors or not form.may_start(plan):
        return _show(request, form, wanted, wanted.plan(), status=400)
    check_purse(request.user, registry.provider(wanted.oracle.provider).paid)
    values = form.cleaned_data
    run = wanted.start(planned=plan, budget_usd=values["budget_usd"], agreed=values["agree"], actor=request.user)
    send(run)
    return redirect("labeling_run", run.pk)


def _initial(request: HttpRequest) -> dict[str, Any]:
    """From a run that this one follows (?run=12) or reads again (?run=12&reading=2&size=100), or the filter in hand."""
    number = request.GET.get("run", "")
    before = LabelingRun.objects.filter(pk=int(number)).first() if number.isascii() and number.isdigit() else None
    if before is not None:
        mode = {"mode": "batch"} if request.GET.get("mode") == "batch" else {}
        return {**initial_of(before), **mode, **_again(request)}
    filter_ = current_filter(request)
    begun = OracleLabel.objects.filter(version__filter=filter_).exists()
    return {"filter": filter_, "draw": "all" if begun else "pilot"}


def _again(request: HttpRequest) -> dict[str, Any]:
    """The same once more, about a random part of its articles."""
    asked = {
        name: int(value) for name in ("reading", "size") if (value := request.GET.get(name, "")).isascii() and value.isdigit()
    }
    return {**asked, "draw": "some"} if len(asked) == 2 else {}


def _show(
    request: HttpRequest, form: LabelForm, wanted: Wanted | None = None, plan: Plan | None = None, status: int = 200
) -> HttpResponse:
    """The plan alone where htmx asked for it (which shows only what came with 200), else the whole page."""
    context = {"form": form, **(form.planned(plan, wanted.key) if wanted and plan else {})}
    if request.htmx and "start" not in request.POST:  # type: ignore[attr-defined]
        return render(request, "labeling/_plan.html", context)
    return render(request, "labeling/run_new.html", {**_page(request, form), **context}, status=status)


def _page(request: HttpRequest, form: LabelForm) -> dict[str, Any]:
    pilots = LabelingRun.objects.filter(version__filter=current_filter(request), kind=Kind.PILOT, state="done").newest()
    return {"form": form, "pilots": pilots.select_related("oracle")[:PILOTS]}
