"""The catalogue of base models, and the button that fetches one."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from training.bases import shelf as base_models
from training.hardware import machine
from training.student.bases.catalogue import TERMS
from training.tasks import fetch_base


def bases(request: HttpRequest) -> HttpResponse:
    rows = base_models.table()
    busy = any(row.standing.state in ("asked", "running") for row in rows)
    context = {"rows": rows, "busy": busy, "machine": machine(), "batch": base_models.BATCH, "tokens": base_models.TOKENS}
    packed = [row.name for row in rows if row.base and row.base.source == "wheel"]
    context |= {"served": base_models.SERVED, "root": base_models.root(), "terms": TERMS, "packed": packed}
    return render(request, "training/bases.html", context)


@require_POST
def base_fetch(request: HttpRequest, name: str) -> HttpResponse:
    try:
        base_models.ask(name)
    except BadInput as problem:
        messages.error(request, str(problem))
    else:
        record(request.user, "base model fetched", request.user, after={"base": name})
        fetch_base.delay(name)
    return redirect("bases")
