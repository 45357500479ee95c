from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "distillery_site"
    label = "site"
    verbose_name = "Distillery"
