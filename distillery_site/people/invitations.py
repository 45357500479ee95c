"""Invitations: a link that makes one account, once. There is no other way to one but an administrator's terminal."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.utils import timezone

from distillery_site.common.errors import BadInput
from distillery_site.common.models import Invitation, hash_key, record
from distillery_site.people.granting import access_of, check_grant, give_filters
from labeling.models import Filter

UNKNOWN = "This link isn't known here. It may have been cut when it was copied; ask the person who sent it for a new one."
TAKEN = "This name is taken; choose another one."


@transaction.atomic
def invite(*, actor: Any, role: str, filters: Sequence[Filter], days: int, email: str = "") -> tuple[Invitation, str]:
    """The invitation and the secret of its link, which is stored nowhere. Raises BadInput for more than `actor` holds."""
    check_grant(actor, role, filters)
    secret = secrets.token_urlsafe(32)
    row = Invitation.objects.create(
        digest=hash_key(secret),
        role=role,
        filters=sorted(one.slug for one in filters),
        email=email,
        invited_by=actor,
        expires_at=timezone.now() + timedelta(days=days),
    )
    told = {"role": role, "filters": row.filters, "email": email, "expires_at": row.expires_at.isoformat()}
    record(actor, "person invited", row, after=told)
    return row, secret


@transaction.atomic
def revoke(*, invitation: Invitation, actor: Any) -> bool:
    """True when it was usable until now."""
    revoked = Invitation.objects.filter(pk=invitation.pk, used_at=None, revoked_at=None).update(revoked_at=timezone.now())
    if revoked:
        record(actor, "invitation revoked", invitation, before={"role": invitation.role, "filters": invitation.filters})
    return bool(revoked)


def find(secret: str) -> Invitation:
    """The usable invitation of a link. Raises BadInput with a sentence for any other."""
    row = Invitation.objects.select_related("invited_by").filter(digest=hash_key(secret)).first()
    if row is None:
        raise BadInput(UNKNOWN)
    if why := _unusable(row):
        raise BadInput(why)
    return row


def _unusable(row: Invitation) -> str:
    """Empty where it can be used. It is worth what its giver could still give today."""
    if row.used_at is not None:
        return "This link has made its account already, and it makes only one. Sign in, or ask for another link."
    if row.revoked_at is not None:
        return "This invitation was taken back. Ask the person who sent it."
    if row.expires_at <= timezone.now():
        return f"This link expired on {row.expires_at:%-d %B %Y}. Ask the person who sent it for a new one."
    try:
        check_grant(row.invited_by, row.role, Filter.objects.filter(slug__in=row.filters))
    except BadInput:
        return f"{row.invited_by} may not give this access any more. Ask an administrator for a new link."
    return ""


@transaction.atomic
def accept(*, secret: str, username: str, password: str) -> Any:
    """The new account, with the role and filters of its invitation. Raises BadInput where the link or the name is no use."""
    row = Invitation.objects.select_for_update().get(pk=find(secret).pk)
    if why := _unusable(row):  # a moment ago somebody else may have used it
        raise BadInput(why)
    users = get_user_model().objects
    if users.filter(username__iexact=username).exists():
        raise BadInput(TAKEN)
    try:
        with transaction.atomic():
            person = users.create_user(username, email=row.email, password=password)
    except IntegrityError:
        raise BadInput(TAKEN) from None
    person.groups.add(Group.objects.get_or_create(name=row.role)[0])
    give_filters(person, Filter.objects.filter(slug__in=row.filters))
    row.used_at, row.used_by = timezone.now(), person
    row.save(update_fields=["used_at", "used_by"])
    record(person, "invitation accepted", row, after={"name": username, **access_of(person)})
    return person
