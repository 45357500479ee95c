"""New passwords: by a link of an administrator's or by e-mail, or by oneself; and what too many wrong ones lead to."""

import math
from datetime import timedelta
from typing import Any

from axes.helpers import get_client_username
from axes.models import AccessAttempt
from axes.utils import reset
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse_lazy
from django.utils import timezone

from distillery_site.common.models import hash_key, record

ONE_LETTER_EVERY = 300  # seconds, to one address
SENT = "If an account has this address, a letter with a link is on its way. It works for {hours} hours."


class PasswordReset(views.PasswordResetView):
    """By e-mail, where the host can send any; it never tells whether an address is known."""

    template_name = "people/password_reset.html"
    email_template_name = "people/password_letter.txt"
    subject_template_name = "people/password_subject.txt"
    success_url = reverse_lazy("login")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(mails=bool(settings.EMAIL_HOST), **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        address = hash_key(form.cleaned_data["email"].lower())
        messages.success(self.request, SENT.format(hours=settings.PASSWORD_RESET_TIMEOUT // 3600))
        if settings.EMAIL_HOST and cache.add(f"password-letter:{address}", 1, ONE_LETTER_EVERY):
            return super().form_valid(form)
        return HttpResponseRedirect(str(self.success_url))


class PasswordSet(views.PasswordResetConfirmView):
    """Where a link leads. Wrong passwords tried before are forgotten with the old one."""

    template_name = "people/password_set.html"
    success_url = reverse_lazy("login")

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            answer = super().form_valid(form)
            record(form.user, "password set by link", form.user)
        reset(username=form.user.get_username())
        messages.success(self.request, "The new password is set. Sign in with it.")
        return answer


class PasswordChange(views.PasswordChangeView):
    template_name = "people/password_change.html"
    success_url = reverse_lazy("account")

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            answer = super().form_valid(form)
            record(self.request.user, "password changed", self.request.user)  # type: ignore[arg-type]
        messages.success(self.request, "Your password is changed. Other browsers are signed out.")
        return answer


def locked(request: HttpRequest, _: HttpResponse | None = None, credentials: dict | None = None) -> HttpResponse:
    """Said instead of the login's answer after too many wrong passwords, with when to try again."""
    name = get_client_username(request, credentials) or ""
    left = max(timedelta(), _until(name, getattr(request, "axes_ip_address", None)) - timezone.now())
    context = {"failure_limit": settings.AXES_FAILURE_LIMIT, "until": timezone.now() + left}
    context["minutes"] = max(1, math.ceil(left.total_seconds() / 60))
    answer = render(request, "registration/locked.html", context, status=429)
    answer["Retry-After"] = str(max(1, math.ceil(left.total_seconds())))
    return answer


def _until(name: str, address: str | None) -> Any:
    """When the newest counted attempt is forgotten; tries while locked don't count."""
    newest = AccessAttempt.objects.filter(username=name, ip_address=address).order_by("-attempt_time").first()
    return (newest.attempt_time if newest else timezone.now()) + timedelta(hours=settings.AXES_COOLOFF_TIME)
