"""The oracles' page: which providers can be asked, what they cost, and a button that tries one."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from distillery_site.common.models import record
from labeling.oracles.registry import PROVIDERS
from labeling.watching import providers, spending


def oracles(request: HttpRequest) -> HttpResponse:
    return render(request, "labeling/oracles.html", {"providers": providers.shown(), "month": spending.this_month()})


def oracle_probe(request: HttpRequest, provider: str) -> HttpResponse:
    """One tiny call, to see that key, address and model work."""
    if provider not in PROVIDERS or not PROVIDERS[provider].paid:
        raise Http404
    works, sentence = providers.probe(provider)
    record(request.user, "oracle tried", request.user, after={"provider": provider, "works": works, "said": sentence})
    (messages.success if works else messages.error)(request, sentence)
    return redirect("oracles")
