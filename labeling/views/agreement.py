"""How far an oracle can be trusted: its page, and the button that asks people about the worst disagreements."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from labeling import services
from labeling.comparing.disagreements import Disagreement, between_oracles, between_readings
from labeling.comparing.readings import Source, sources
from labeling.comparing.trust import SUBSET, trust_in
from labeling.current import choose_filter
from labeling.models import Filter, FilterVersion
from labeling.reviewing.agreeing import together

SENT = 10


def agreement(request: HttpRequest, slug: str) -> HttpResponse:
    choose_filter(request, slug)
    filter_ = get_object_or_404(Filter, slug=slug)
    version = _version(filter_, request.GET.get("version", ""))
    trust = trust_in(version, request.GET.get("oracle", ""), request.GET.get("prompt")) if version else None
    choices = [(one, one is trust.source) for one in trust.there] if trust else []
    people = together(version, trust.source if trust else None, request.GET.get("people", "")) if version else None
    shown = {"filter": filter_, "version": version, "trust": trust, "choices": choices, "subset": SUBSET, "people": people}
    return render(request, "labeling/agreement.html", shown)


def _version(filter_: Filter, number: str) -> FilterVersion | None:
    """The rubric of this number, or else the newest."""
    named = filter_.versions.filter(number=int(number)).first() if number.isascii() and number.isdigit() else None
    return named or filter_.latest


def agreement_review(request: HttpRequest, slug: str) -> HttpResponse:
    """Send the articles on which one source contradicts itself most, or another one, to review."""
    filter_ = get_object_or_404(Filter, slug=slug)
    version = _version(filter_, request.POST.get("version", ""))
    there = sources(version) if version else []
    first, second = (_named(there, request.POST.get(name, "")) for name in ("first", "second"))
    tasks = services.send_disagreements(found=_found(first, second))
    if not tasks:
        messages.error(request, "Nothing was sent: these labels don't differ, or they are gone.")
        return redirect("agreement", slug)
    messages.success(request, f"{len(tasks)} articles wait for a review now.")
    return redirect("reviews")


def _named(there: list[Source], address: str) -> Source | None:
    return next((one for one in there if one.address == address), None)


def _found(first: Source | None, second: Source | None) -> list[Disagreement]:
    if first is None:
        return []
    return between_oracles(first, second, SENT) if second else between_readings(first, SENT)
