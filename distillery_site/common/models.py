"""Keys that let programs in, and the list of what people changed."""

import hashlib
import secrets
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

KEY_PREFIX = "dk_"


class ApiKeyQuerySet(models.QuerySet):
    def usable(self) -> Self:
        now = timezone.now()
        return self.filter(revoked_at=None, user__is_active=True).filter(Q(expires_at=None) | Q(expires_at__gt=now))

    def issue(self, *, user: Any, name: str, expires_at: Any = None) -> tuple["ApiKey", str]:
        """A new key and its secret; the secret is never stored and can't be shown again."""
        secret = KEY_PREFIX + secrets.token_urlsafe(32)
        return self.create(user=user, name=name, expires_at=expires_at, prefix=secret[:10], digest=hash_key(secret)), secret


def hash_key(secret: str) -> str:
    """Hex SHA-256; enough for 256 random bits, where a slow hash would only slow every request."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiKey(models.Model):
    """A program's way in: acts for its user, known by a digest."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=10, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Invitation(models.Model):
    """A link that lets one person make an account, once, until it expires. Only its digest is kept."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    role = models.CharField(max_length=20)
    filters = models.JSONField(default=list, help_text="Slugs of the filters that the new account may review or lead.")
    email = models.EmailField(blank=True)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="invitations")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.OneToOneField(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="invitation")
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"invitation {self.pk} for a {self.role}"


class AuditEntry(models.Model):
    """One change by one person; rows are only ever added (a trigger in Postgres refuses the rest)."""

    at = models.DateTimeField(default=timezone.now, editable=False)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=120)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(name="audit_by_target", fields=["target", "-at"])]  # an object's history page

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action} {self.target}"


def record(actor: Any, action: str, target: models.Model, *, before: Any = None, after: Any = None) -> AuditEntry:
    """Write one audit entry; call it inside the transaction that makes the change."""
    label = f"{target._meta.label_lower}:{target.pk}"
    return AuditEntry.objects.create(actor=actor, action=action, target=label, before=before, after=after)
