"""Keys for programs: the secret is on the page that made it, and nowhere after."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from distillery_site.common.models import ApiKey
from scoring.forms import KeyForm
from scoring.keys import issue_key, revoke_key


@never_cache
def key_new(request: HttpRequest) -> HttpResponse:
    form = KeyForm(request.POST or None)
    if form.is_valid():
        key, secret = issue_key(**form.cleaned_data, actor=request.user)
        context = {"key": key, "secret": secret, "api": request.build_absolute_uri("/api/v1/score")}
        return render(request, "scoring/key_made.html", context)
    return render(request, "scoring/key_new.html", {"form": form}, status=400 if form.errors else 200)


@require_POST
def key_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    key = get_object_or_404(ApiKey, pk=pk)
    if revoke_key(key=key, actor=request.user):
        messages.success(request, f"The key {key} is revoked: requests with it are refused from now on.")
    return redirect("scoring")
