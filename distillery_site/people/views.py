"""Who is here and what they may do: for administrators."""

from typing import Any

from axes.models import AccessAttempt
from axes.utils import reset
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import default_token_generator
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from distillery_site.common.roles import ROLES
from distillery_site.people.forms import AccessForm
from distillery_site.people.granting import change_access

PAGE = 100


def _people() -> QuerySet[Any]:
    return get_user_model().objects.prefetch_related("groups", "filter_access__filter").order_by("-is_active", "username")


def people(request: HttpRequest) -> HttpResponse:
    page = Paginator(_people(), PAGE).get_page(request.GET.get("page"))
    return render(request, "people/people.html", {"page": page, "rows": [(one, _roles(one)) for one in page]})


def _roles(person: Any) -> list[str]:
    names = {group.name for group in person.groups.all()} | ({"admin"} if person.is_superuser else set())
    return [role for role in ROLES if role in names]


def person(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(get_user_model(), pk=pk)
    form = AccessForm.of(found, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            changed = change_access(person=found, **form.cleaned_data, actor=request.user)
        except BadInput as error:
            form.add_error(None, error.problems)
        else:
            messages.success(request, f"Saved: what {found} may do." if changed else "Nothing changed.")
            return redirect("person", pk)
    context = {"person": found, "form": form, "locked": _locked(found), "keys": found.api_keys.filter(revoked_at=None)}
    return render(request, "people/person.html", context, status=400 if form.errors else 200)


def _locked(person: Any) -> bool:
    """Whether too many wrong passwords keep this name out from somewhere."""
    tries = AccessAttempt.objects.filter(username=person.get_username())
    return tries.filter(failures_since_start__gte=settings.AXES_FAILURE_LIMIT).exists()


@never_cache
@require_POST
@transaction.atomic
def person_reset(request: HttpRequest, pk: int) -> HttpResponse:
    """A link that sets a new password, for the administrator to hand over; signing in or a new password ends it."""
    found = get_object_or_404(get_user_model(), pk=pk, is_active=True)
    token = default_token_generator.make_token(found)
    path = reverse("password_set", args=[urlsafe_base64_encode(force_bytes(found.pk)), token])
    record(request.user, "password link made", found)
    hours = settings.PASSWORD_RESET_TIMEOUT // 3600
    return render(request, "people/reset_made.html", {"person": found, "link": request.build_absolute_uri(path), "hours": hours})


@require_POST
@transaction.atomic
def person_unlock(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget the wrong passwords that were tried for this name."""
    found = get_object_or_404(get_user_model(), pk=pk)
    count = reset(username=found.get_username())
    record(request.user, "sign-in unlocked", found, before={"places": count})
    messages.success(request, f"{found} can try again at once.")
    return redirect("person", pk)
