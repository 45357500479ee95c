from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "distillery_site.common"
    label = "common"
    verbose_name = "Access and audit"
