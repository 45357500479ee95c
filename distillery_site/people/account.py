"""A person's own page: what they may do, their password, and keys for their programs."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from distillery_site.common.models import ApiKey
from distillery_site.common.roles import ROLES, roles_of
from distillery_site.people.forms import WHAT, OwnKeyForm
from labeling.reviewing.access import EVERYWHERE, filters_for, filters_to_review
from scoring.keys import issue_key, revoke_key


@never_cache
def account(request: HttpRequest) -> HttpResponse:
    """The page that answers a new key is the only one that shows its secret. A key can do what its person may, and no more."""
    form = OwnKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        key, secret = issue_key(**form.cleaned_data, actor=request.user)
        return render(request, "people/key_made.html", {"key": key, "secret": secret})
    context = {
        "form": form,
        "roles": [WHAT[role] for role in sorted(roles_of(request.user), key=ROLES.index)],
        "everywhere": bool(roles_of(request.user) & EVERYWHERE),
        "sees": filters_for(request.user),
        "reviews": filters_to_review(request.user),
        "keys": ApiKey.objects.filter(user=request.user.pk, revoked_at=None).order_by("-pk"),
    }
    return render(request, "people/account.html", context, status=400 if form.errors else 200)


@require_POST
def account_key_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    key = get_object_or_404(ApiKey, pk=pk, user=request.user.pk)
    if revoke_key(key=key, actor=request.user):
        messages.success(request, f"The key {key} is revoked: requests with it are refused from now on.")
    return redirect("account")
