"""`manage.py import_filter DIR`: a filter package into the tables."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from distillery_site.common.commands import Answering
from labeling.rubrics.packages import load_package
from labeling.services import import_package


class Command(Answering):
    help = (
        "Import a filter package: a folder with filter.yaml (rubric, view, policy) and prompt.md. The same rubric is the same "
        "version; another rubric is a new version; a changed policy gets a new number and leaves the labels as they are."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("folder", type=Path, metavar="DIR")

    def handle(self, *, folder: Path, json: bool, **options: Any) -> None:
        version = import_package(package=load_package(folder))
        policy = version.policies.latest("number").number
        value = {"filter": version.filter.slug, "version": version.number, "policy": policy, "rubric_hash": version.rubric_hash}
        sentence = f"{version}: {len(version.keys)} dimensions, policy {policy}. Next: manage.py prefilter {version.filter.slug}"
        self.answer(value, sentence, as_json=json)
