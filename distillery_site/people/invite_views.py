"""Inviting people, and the page that their link opens."""

from smtplib import SMTPException

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.core.mail import send_mail
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from distillery_site.common.errors import BadInput
from distillery_site.common.models import Invitation
from distillery_site.common.roles import ADMIN, covers
from distillery_site.people.forms import InviteForm, JoinForm
from distillery_site.people.invitations import accept, find, invite, revoke

MAIL = """{inviter} invites you to Distillery as {role}.

This link makes your account. It works once, until {until}:

{link}
"""


def _own(request: HttpRequest) -> QuerySet[Invitation]:
    """An administrator's are all there are."""
    rows = Invitation.objects.select_related("invited_by", "used_by").order_by("-pk")
    return rows if covers(request.user, ADMIN) else rows.filter(invited_by=request.user.pk)


@never_cache
def invitations(request: HttpRequest) -> HttpResponse:
    """The form, and what became of the invitations before; the page that answers it is the only one with the link."""
    form = InviteForm(request.POST or None, giver=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            row, secret = invite(actor=request.user, **form.cleaned_data)
        except BadInput as error:
            form.add_error(None, error.problems)
        else:
            link = request.build_absolute_uri(reverse("invitation", args=[secret]))
            return render(request, "people/invited.html", {"invitation": row, "link": link, "mailed": _mail(request, row, link)})
    context = {"form": form, "rows": _own(request)[:100], "now": timezone.now()}
    return render(request, "people/invitations.html", context, status=400 if form.errors else 200)


def _mail(request: HttpRequest, row: Invitation, link: str) -> bool:
    """Whether the link went out by e-mail; where it couldn't, the page says to hand it over."""
    if not (settings.EMAIL_HOST and row.email):
        return False
    body = MAIL.format(inviter=row.invited_by, role=row.role, until=f"{row.expires_at:%-d %B %Y, %H:%M %Z}", link=link)
    try:
        return bool(send_mail("An invitation to Distillery", body, None, [row.email]))
    except (OSError, SMTPException) as error:
        messages.error(request, f"The mail server didn't take the letter ({error}). Hand the link over yourself.")
        return False


@require_POST
def invitation_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    if revoke(invitation=get_object_or_404(_own(request), pk=pk), actor=request.user):
        messages.success(request, "The invitation is taken back: its link makes no account any more.")
    return redirect("invitations")


@never_cache
@sensitive_post_parameters("password", "again")
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Opening the link uses nothing up; only the form does, so a preview of it in a chat is harmless."""
    try:
        row = find(secret)
    except BadInput as error:
        return render(request, "people/no_invitation.html", {"sentence": str(error)}, status=410)
    if request.user.is_authenticated:
        sentence = f"You are signed in as {request.user}. The link is for a new account: sign out, and open it again."
        return render(request, "people/no_invitation.html", {"sentence": sentence}, status=409)
    form = JoinForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            person = accept(secret=secret, username=values["username"], password=values["password"])
        except BadInput as error:
            form.add_error("username", error.problems)
        else:
            login(request, person, backend="django.contrib.auth.backends.ModelBackend")
            return redirect("overview")
    return render(request, "people/join.html", {"form": form, "invitation": row}, status=400 if form.errors else 200)
