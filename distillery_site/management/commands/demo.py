"""`manage.py demo`: the site in the first minute, then a real distillation at work in it."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from distillery_site import demo_report
from distillery_site.common.errors import DistilleryError
from distillery_site.common.runs import Run
from distillery_site.demo import Demo, Plan, api_key
from distillery_site.supervisor import Supervisor, programs


class Command(BaseCommand):
    help = "Distil real students from a real oracle's labels of real news, and serve the dashboard until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fast", action="store_true", help="600 articles and one epoch: a check of every step in minutes.")
        parser.add_argument("--no-serve", action="store_true", help="Stop everything when the last table is printed.")
        parser.add_argument("--json", metavar="FILE", type=Path, help="Write counts, errors and times to FILE.")
        parser.add_argument("--port", type=int, default=settings.WEB_PORT, help="Port of the dashboard (default %(default)s).")

    def handle(self, *, fast: bool, no_serve: bool, json: Path | None, port: int, **options: Any) -> None:
        if json and not json.parent.is_dir():
            raise CommandError(f"{json} can't be written: there is no folder {json.parent}.")
        supervisor = Supervisor(programs(port=port), quiet=True)
        try:
            supervisor.start()
            self.show(fast=fast, json_file=json, supervisor=supervisor)
            if not no_serve:
                self.stdout.write("Serving until Ctrl-C.")
                supervisor.wait()
        except DistilleryError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("\nStopping; `make demo` goes on from here.")
        finally:
            supervisor.stop()

    def show(self, *, fast: bool, json_file: Path | None, supervisor: Supervisor) -> None:
        supervisor.ready(timeout=90)
        self.stdout.write(f"Dashboard: {supervisor.url}")
        demo = Demo(Plan.fast() if fast else Plan(), supervisor.url, say=self.stdout.write, watch=self.watch)
        dataset = demo.run()
        report = demo_report.collect(dataset, seconds=demo.seconds, web_rss_mb=supervisor.rss_mb("web"))
        self.stdout.write(demo_report.table(report))
        self.stdout.write(demo_report.curl_line(demo.url, api_key()))
        if json_file:
            json_file.write_text(json.dumps(report, indent=2))

    def watch(self, run: Run) -> None:
        """One line that overwrites itself on a terminal; silent in a log file."""
        if sys.stdout.isatty():
            share = f"{run.progress_share:4.0%}"
            self.stdout.write(f"\r  {run}: {run.state} {share} {run.stage}\033[K", ending="\n" if run.is_final else "")
