"""The pages that span the apps: overview, health, glossary, the filter switch and what errors look like."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from distillery_site.attention import concerns
from distillery_site.common.roles import VIEWER, covers
from distillery_site.glossary import TERMS
from distillery_site.health import report
from distillery_site.overview import cards, next_step, runs_now, stations
from labeling.current import choose_filter, current_filter
from labeling.reviewing.access import filters_for


def overview(request: HttpRequest) -> HttpResponse:
    """Where the loop stands; `?part=1` is the fragment that the page fetches again by itself."""
    if not covers(request.user, VIEWER):
        return redirect("reviews")  # who only reviews begins at the queue
    filter_, own = current_filter(request), filters_for(request.user)
    stops, work, shown = stations(filter_), runs_now(own), cards(own)
    context = {
        "filter": filter_,
        "stations": stops,
        "step": next_step(stops, request.user),
        "cards": shown,
        "rival": "challenger" if any(card.has_challenger for card in shown) else "",
        "concerns": concerns(own),
        "runs": work,
        "again": 5 if work else 30,
    }
    return render(request, "site/_overview.html" if "part" in request.GET else "site/overview.html", context)


def health(request: HttpRequest) -> HttpResponse:
    found = report()
    return JsonResponse(found, status=503 if found["status"] == "down" else 200)


def glossary(request: HttpRequest) -> HttpResponse:
    terms = sorted(((name, key, sentence) for key, (name, sentence) in TERMS.items()), key=lambda term: term[0].lower())
    return render(request, "site/glossary.html", {"terms": terms})


def filter_switch(request: HttpRequest) -> HttpResponse:
    """Keep the chosen filter and go back to where the person was, on a filter's own page to the new one's."""
    found = choose_filter(request, request.POST.get("filter", ""))
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        back = reverse("overview")
    if found and _route(back) == "filter":
        back = reverse("filter", args=[found.slug])
    return HttpResponseRedirect(back)


def _route(path: str) -> str:
    try:
        return resolve(path.partition("?")[0]).view_name
    except Resolver404:
        return ""


BAD_REQUEST = "Something in it isn't as a browser would send it. Go back, reload the page and try again."
STALE_FORM = "It was opened before you signed in or out. Go back, reload the page and send it again."
NOT_FOUND = "It may have been renamed, or the link is incomplete. If it exists, the list it belongs to has it."
SERVER_ERROR = "Nothing is lost that was saved before. The log of the web process has the details; reload in a moment."


def _error(request: HttpRequest, status: int, title: str, sentence: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        return _api_error(status, sentence)
    return render(request, "site/error.html", {"error_title": title, "sentence": sentence}, status=status)


def _api_error(status: int, sentence: str) -> JsonResponse:
    """As scoring.api_errors puts it, for what happens before or beside the API's own views."""
    code = {400: "bad_request", 403: "permission_denied", 404: "not_found", 500: "server_error"}[status]
    return JsonResponse({"error": {"code": code, "message": sentence}}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error(request, 400, "This request can't be read", BAD_REQUEST)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _error(request, 403, "This form is too old", STALE_FORM)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error(request, 403, "You may not do this", str(exception) or "Your role doesn't allow it.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error(request, 404, "There is no such page", NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """Without the base page and its queries: whatever broke may break them too."""
    if request.path.startswith("/api/"):
        return _api_error(500, SERVER_ERROR)
    context = {"error_title": "Something broke here", "sentence": SERVER_ERROR}
    return HttpResponse(render_to_string("site/error_500.html", context), status=500)
