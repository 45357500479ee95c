from django.apps import AppConfig
from django.contrib.admin import apps as admin


class SiteConfig(AppConfig):
    name = "distillery_site"
    label = "site"
    verbose_name = "Distillery"
    default = True


class RawRowsConfig(admin.AdminConfig):
    """Django's admin with this site's own door; see distillery_site/admin.py."""

    default = False
    default_site = "distillery_site.admin.RawRows"
