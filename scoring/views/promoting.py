"""Who answers for a filter: the gates before a promotion, and the way back."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_list_or_404, get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from distillery_site.common.errors import BadInput
from labeling.current import current_filter
from labeling.models import Filter
from scoring import gates
from scoring.portrait import history
from training.models import Deployment, ModelVersion
from training.services import rollback


@require_http_methods(["GET", "HEAD", "POST"])
def model_promote(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """The gates as they stand, and after them the button; the page asks for them once it is there, for they may take seconds."""
    model = get_object_or_404(ModelVersion.objects.select_related("dataset"), name=name, number=number)
    asked = request.POST if request.method == "POST" else request.GET
    chosen = _filter_of(request, model, asked.get("filter", "" if request.method == "POST" else None))
    alias = asked.get("alias", Deployment.Alias.CHAMPION)
    if alias not in Deployment.Alias.values:
        messages.error(request, f"There is no alias {alias!r}; there are {' and '.join(Deployment.Alias.values)}.")
        return redirect("model", name, number)
    if request.method != "POST":
        return _gates(request, model, chosen, alias) if request.htmx else _page(request, model, chosen, alias)  # type: ignore[attr-defined]
    try:
        before, _ = gates.promote(model=model, filter=chosen, alias=alias, actor=request.user, reason=asked.get("reason", ""))
    except BadInput as refused:
        typed = {"problem": f"{refused.problems[0].rstrip(':.')}.", "reason": asked.get("reason", "")}
        return _page(request, model, chosen, alias, **typed, **_asked(model, chosen, alias))
    was = f" Before, {before} was." if before and before != model else ""
    messages.success(request, f"{model} is now the {alias} of {chosen.name}.{was}")
    return redirect("model", name, number)


def _filter_of(request: HttpRequest, model: ModelVersion, slug: str | None) -> Filter:
    """The filter named in the address; where none is, the one the person works with, or the first that this model answers for."""
    answered = Filter.objects.filter(versions__in=model.versions).distinct()
    if slug is not None:
        return get_object_or_404(answered, slug=slug)
    current = current_filter(request)
    return current if current in answered else get_list_or_404(answered)[0]


def _page(request: HttpRequest, model: ModelVersion, chosen: Filter, alias: str, **more: Any) -> HttpResponse:
    shown = {**_question(model, chosen, alias), "history": history(chosen), **more}
    return render(request, "scoring/promote.html", shown, status=409 if more else 200)


def _gates(request: HttpRequest, model: ModelVersion, chosen: Filter, alias: str) -> HttpResponse:
    return render(request, "scoring/_gates.html", {**_question(model, chosen, alias), **_asked(model, chosen, alias)})


def _question(model: ModelVersion, chosen: Filter, alias: str) -> dict[str, Any]:
    serves = chosen.deployments.filter(alias=alias, model=model).exists()
    return {"model": model, "filter": chosen, "alias": alias, "serves": serves}


def _asked(model: ModelVersion, chosen: Filter, alias: str) -> dict[str, Any]:
    found = gates.check(model, chosen, alias)
    return {"gates": found, "closed": [gate for gate in found if gate.passed is False]}


def filter_promotions(request: HttpRequest, slug: str) -> HttpResponse:
    """A fragment of the filter's page, which lives further right and knows no students."""
    return render(request, "scoring/_promotions.html", {"history": history(get_object_or_404(Filter, slug=slug))})


@require_POST
def filter_rollback(request: HttpRequest, slug: str) -> HttpResponse:
    """One click, without gates: that version answered before."""
    chosen, seen = get_object_or_404(Filter, slug=slug), request.POST.get("undo", "")
    alias = request.POST.get("alias", Deployment.Alias.CHAMPION)
    try:
        now = rollback(filter=chosen, alias=alias, actor=request.user, undo=int(seen) if seen.isdecimal() else None)
    except BadInput as problem:
        messages.error(request, str(problem))
        return redirect("filter", slug)
    messages.success(request, f"{now} is the {alias} of {chosen.name} again.")
    return redirect("model", now.name, now.number)
