"""`manage.py up`: all of Distillery on this machine, or a part of it on one of several."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from distillery_site.embedded.home import LocalError
from distillery_site.supervisor import NAMES, Supervisor, programs


class Command(BaseCommand):
    help = "Run the site: web, scoring process, a worker for each queue and the clock, until Ctrl-C."
    requires_system_checks: list[str] = []  # they load every view into a process that shows none

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only", default="", metavar="NAMES", help=f"Some of {','.join(NAMES)}, separated by commas.")
        parser.add_argument("--port", type=int, default=settings.WEB_PORT, help="Port of the dashboard (default %(default)s).")
        parser.add_argument("--quiet", action="store_true", help="Send what the programs write to var/run/NAME.log.")

    def handle(self, *, only: str, port: int, quiet: bool, **options: Any) -> None:
        wanted = programs(port=port, only=[name.strip() for name in only.split(",") if name.strip()])
        supervisor = Supervisor(wanted, quiet=quiet, say=self.stdout.write)
        try:
            supervisor.start()
            self.greet(supervisor)
            supervisor.wait()
        except KeyboardInterrupt:
            self.stdout.write("\nStopping.")
        finally:
            supervisor.stop()

    def greet(self, supervisor: Supervisor) -> None:
        try:
            supervisor.ready(timeout=90)
            self.stdout.write(f"Distillery is up{' at ' + supervisor.url if supervisor.url else ''}. Ctrl-C stops it.")
        except LocalError as error:  # its supervisor goes on trying
            self.stderr.write(str(error))
