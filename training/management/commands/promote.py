"""`manage.py promote news-lora/v2 --filter uplifting`: choose who answers."""

from argparse import ArgumentParser
from typing import Any

from distillery_site.common.commands import Answering
from training import lookup
from training.models import Deployment, ModelVersion
from training.services import promote


class Command(Answering):
    help = "Let a model version answer for a filter; without --filter, for every filter that it can answer for."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("model", metavar="NAME[/vN]", help="The version, such as news-lora/v2; without a number the newest.")
        parser.add_argument("--filter", action="append", default=[], metavar="SLUG", help="A filter; repeatable.")
        parser.add_argument(
            "--alias", choices=Deployment.Alias.values, default=Deployment.Alias.CHAMPION.value, help="(default %(default)s)"
        )

    def handle(self, *, model: str, filter: list[str], alias: str, json: bool, **options: Any) -> None:  # noqa: A002
        chosen = lookup.model(model)
        filters = [lookup.filter_(slug) for slug in filter] or [version.filter for version in chosen.versions]
        before = {found.slug: promote(model=chosen, filter=found, alias=alias) for found in filters}
        value = {"model": chosen.ref, "alias": alias, "before": {slug: old.ref if old else None for slug, old in before.items()}}
        self.answer(value, "\n".join(_sentence(chosen, alias, slug, old) for slug, old in before.items()), as_json=json)


def _sentence(model: ModelVersion, alias: str, slug: str, before: ModelVersion | None) -> str:
    if before == model:
        return f"{model.ref} is {slug}'s {alias} already."
    return f"{model.ref} is {slug}'s {alias} now" + (f", in place of {before.ref}." if before else ".")
