"""Raw rows in Django's admin: most are made by services and only looked at here."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from distillery_site.common.models import ApiKey, AuditEntry


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that only services may write, since what else belongs to a change would be missed here."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RunAdmin(ReadOnlyAdmin):
    """Any kind of run; to pause, cancel or resume one, use its page."""

    list_display = ("id", "state", "stage", "progress_done", "progress_total", "attempts", "created_at", "finished_at")
    list_filter = ("state",)
    date_hierarchy = "created_at"


def read_only(
    kind: type[models.Model],
    *columns: str,
    filters: Sequence[str] = (),
    related: Sequence[str] = (),
    search: Sequence[str] = (),
) -> None:
    """Register a table that needs no more than a list and a view of a row."""
    options = {"list_display": columns, "list_filter": filters, "list_select_related": related or False, "search_fields": search}
    admin.site.register(kind, type(f"{kind.__name__}Admin", (ReadOnlyAdmin,), options))


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys are issued on the scoring page, where the secret is shown once; here they can be renamed, ended or revoked."""

    list_display = ("name", "prefix", "user", "created_at", "expires_at", "revoked_at", "last_used_at")
    fields = ("name", "user", "prefix", "created_at", "expires_at", "revoked_at", "last_used_at")
    readonly_fields = ("user", "prefix", "created_at", "last_used_at")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("common.change_apikey")


read_only(AuditEntry, "at", "actor", "action", "target", related=["actor"], search=["action", "target"])
