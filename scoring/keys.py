"""Keys for programs: made and revoked by people, with a line in the audit list for each."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from distillery_site.common.models import ApiKey, record


@transaction.atomic
def issue_key(*, name: str, days: int | None = None, actor: Any) -> tuple[ApiKey, str]:
    """A key that acts for `actor`, and its secret, which can't be shown again."""
    expires_at = timezone.now() + timedelta(days=days) if days else None
    key, secret = ApiKey.objects.issue(user=actor, name=name, expires_at=expires_at)
    until = expires_at and expires_at.isoformat()
    record(actor, "key issued", key, after={"name": name, "user": str(actor), "expires_at": until})
    return key, secret


@transaction.atomic
def revoke_key(*, key: ApiKey, actor: Any) -> bool:
    """True when it was usable until now."""
    now = timezone.now()
    revoked = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
    if revoked:
        told = {"name": key.name, "user": str(key.user)}
        record(actor, "key revoked", key, before=told | {"revoked_at": None}, after=told | {"revoked_at": now.isoformat()})
    return bool(revoked)
