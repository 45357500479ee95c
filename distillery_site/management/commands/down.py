"""`manage.py down`: after a crash or kill -9, stop what `up` could not."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from distillery_site import local
from distillery_site.supervisor import Supervisor, programs


class Command(BaseCommand):
    help = "Stop the programs and embedded services that a killed command left running here. Data stay."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        left = Supervisor(programs())
        left.claim()
        left.stop()
        local.stop(settings.VAR)
        self.stdout.write(f"Nothing of {settings.VAR} runs any more.")
