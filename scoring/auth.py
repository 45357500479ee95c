"""Who calls the API: a program with a key, acting for the person who made it."""

from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from distillery_site.common.models import ApiKey, hash_key

USE_IS_NOTED_EVERY = timedelta(minutes=1)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer dk_…`"""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        scheme, _, secret = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        key = ApiKey.objects.filter(digest=hash_key(secret.strip())).select_related("user").first()
        if key is None:
            raise AuthenticationFailed("This key is not known here; make one on your account's page.")
        _refuse_unusable(key)
        _note_use(key)
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Distillery"'


def _refuse_unusable(key: ApiKey) -> None:
    if key.revoked_at is not None:
        raise AuthenticationFailed(f"The key {key.prefix}… was revoked on {key.revoked_at:%d %B %Y}.")
    if key.expires_at is not None and key.expires_at <= timezone.now():
        raise AuthenticationFailed(f"The key {key.prefix}… expired on {key.expires_at:%d %B %Y}.")
    if not key.user.is_active:
        raise AuthenticationFailed(f"The account behind the key {key.prefix}… is closed.")


def _note_use(key: ApiKey) -> None:
    """Keep when a key was last used, without a write for every request."""
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_IS_NOTED_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """How the schema describes the key."""

    target_class = "scoring.auth.ApiKeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A key from your account's page, dk_…"}
