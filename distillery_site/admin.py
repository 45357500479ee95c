"""Django's admin behind the site's own login, for the admin role only; what is changed there is in the audit log too."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.db.models import Model, QuerySet
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse

from distillery_site import permissions
from distillery_site.common.models import record

SECRETS = ("password", "digest")


class Audited(admin.ModelAdmin):
    """Laid over every table's own options: a change is a line with before and after, in the change's transaction."""

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        found = super().get_object(request, *args, **kwargs)
        if found is not None and request.method == "POST":
            request.row_before = told(found)  # type: ignore[attr-defined]
        return found

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        record(request.user, "raw row added", obj, after=told(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        before, after = getattr(request, "row_before", None), told(obj)
        record(request.user, "raw row changed", obj, before=before, after=after)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for row in queryset:
            record(request.user, "raw row removed", row, before=told(row))
        return super().log_deletions(request, queryset)


def told(row: Model) -> dict[str, Any]:
    """A row's own fields as JSON can hold them; of secrets only that there is one."""
    return {name: "(secret)" if name in SECRETS else _plain(value) for name, value in model_to_dict(row).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [str(one) for one in value]
    return value if value is None or isinstance(value, str | int | float | bool | dict) else str(value)


class RawRows(admin.AdminSite):
    site_header = site_title = "Distillery: raw rows"
    index_title = "Tables"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        own = admin_class or admin.ModelAdmin
        models: Iterable[Any] = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        super().register(list(models), type(own.__name__, (Audited, own), {}), **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return permissions.role_of(request.user) == permissions.ADMIN

    def login(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        return redirect_to_login(request.GET.get("next", "/admin/"))
