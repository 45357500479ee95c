"""The page that starts an enriched run from a pilot: its plan first, then the draw."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from distillery_site.common.errors import BadInput, Permanent
from labeling.models import LabelingRun
from labeling.oracles import registry
from labeling.planning.pilots import Report
from labeling.planning.plans import Plan
from labeling.reviewing.access import check_purse
from labeling.tasks import send
from training import enrichment
from training.forms import EnrichForm

STALE = "The choices changed since this plan was made; look at it again."


def labeling_enrich(request: HttpRequest, pk: int) -> HttpResponse:
    pilot = get_object_or_404(LabelingRun.objects.select_related("version__filter", "oracle"), pk=pk)
    form = EnrichForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _show(request, pilot, form, status=400 if form.errors else 200)
    if "start" in request.POST and (answer := _start(request, pilot, form)) is not None:
        return answer
    values = form.cleaned_data
    plan = enrichment.plan_enriched(pilot=pilot, size=values["size"], mode=values["mode"])
    return _show(request, pilot, form, plan, status=400 if form.errors else 200)


def _start(request: HttpRequest, pilot: LabelingRun, form: EnrichForm) -> HttpResponse | None:
    """On to the run's page; None where something is missing, which the form then says."""
    plan, values = form.looked_at(form.wish(pilot)), form.cleaned_data
    if plan is None:
        form.add_error(None, STALE)
    if plan is None or not form.may_start(plan):
        return None
    try:
        check_purse(request.user, registry.provider(pilot.oracle.provider).paid)
        drawn = enrichment.draw(pilot=pilot, size=values["size"], seed=values["seed"] or 0)
        money = {"budget_usd": values["budget_usd"], "agreed": values["agree"], "plan": plan}
        run = enrichment.start_enriched(pilot=pilot, drawn=drawn, mode=values["mode"], actor=request.user, **money)
    except (BadInput, Permanent) as error:
        form.add_error(None, getattr(error, "problems", None) or str(error))
        return None
    send(run)
    return redirect("labeling_run", run.pk)


def _show(
    request: HttpRequest, pilot: LabelingRun, form: EnrichForm, plan: Plan | None = None, status: int = 200
) -> HttpResponse:
    context = {"form": form, "run": pilot, **(form.planned(plan, form.wish(pilot)) if plan else {})}
    if request.htmx and "start" not in request.POST:  # type: ignore[attr-defined]
        return render(request, "labeling/_plan.html", context)
    more = {"rare": Report(pilot).rare, "pool": len(enrichment.pool_of(pilot)), "screened": enrichment.SCREENED}
    return render(request, "training/enrich.html", {**context, **more}, status=status)
