"""Django's admin behind the site's own login, for the admin role only."""

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse

from distillery_site import permissions


class RawRows(admin.AdminSite):
    site_header = site_title = "Distillery: raw rows"
    index_title = "Tables"

    def has_permission(self, request: HttpRequest) -> bool:
        return permissions.role_of(request.user) == permissions.ADMIN

    def login(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        return redirect_to_login(request.GET.get("next", "/admin/"))
