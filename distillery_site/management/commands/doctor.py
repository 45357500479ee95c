"""`manage.py doctor`: what works here, what doesn't, and what to do about it."""

import dataclasses
import json as encoder
from typing import Any

from django.core.management.base import CommandError, CommandParser

from distillery_site.common.commands import Answering
from distillery_site.doctor import Finding, examine


class Command(Answering):
    help = "Examine this machine: packages, disk, keys, services, workers, web and scoring process."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--probe", action="store_true", help="Ask every vendor whose key is set something tiny.")

    def handle(self, *, json: bool, probe: bool, **options: Any) -> None:
        findings = []
        for finding in examine(probe):
            findings.append(finding)
            if not json:
                self.show(finding)
        if json:
            self.stdout.write(encoder.dumps({"findings": [dataclasses.asdict(finding) for finding in findings]}, indent=2))
        problems = sum(finding.level == "problem" for finding in findings)
        if problems:
            raise CommandError(f"{problems} problem{'s' if problems > 1 else ''} found.")

    def show(self, finding: Finding) -> None:
        style = {"ok": self.style.SUCCESS, "note": self.style.WARNING, "problem": self.style.ERROR}[finding.level]
        self.stdout.write(f"{style(f'{finding.level:<7}')} {finding.sentence}")
