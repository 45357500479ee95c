"""`manage.py promote news-lora/v2 --filter uplifting`: choose who answers, through the gates."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import CommandError
from django.db import transaction

from distillery_site.common.commands import Answering
from labeling.models import Filter
from scoring import gates
from scoring.engine.local import LocalEngine
from training import lookup
from training.models import Deployment, ModelVersion
from training.promoting import GatesClosed


class Command(Answering):
    help = "Let a model version answer for a filter; without --filter, for every filter that it can answer for."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("model", metavar="NAME[/vN]", help="The version, such as news-lora/v2; without a number the newest.")
        parser.add_argument("--filter", action="append", default=[], metavar="SLUG", help="A filter; repeatable.")
        parser.add_argument(
            "--alias", choices=Deployment.Alias.values, default=Deployment.Alias.CHAMPION.value, help="(default %(default)s)"
        )
        parser.add_argument(
            "--force", default="", metavar="REASON", help="Promote it although a gate is closed; the reason is kept."
        )
        parser.add_argument("--here", action="store_true", help="Ask its reference texts in this process, where none is up.")

    def handle(self, *, model: str, filter: list[str], alias: str, force: str, json: bool, here: bool, **_: Any) -> None:  # noqa: A002
        chosen = lookup.model(model)
        filters = [lookup.filter_(slug) for slug in filter] or [version.filter for version in chosen.versions]
        through = LocalEngine(settings.MODELS_ROOT, bases=settings.BASES_ROOT) if here else None
        found = {}
        with transaction.atomic():  # for all of its filters or for none
            for one in filters:
                found[one] = _promote(chosen, one, alias, force, through)
        before = {one.slug: old.ref if old else None for one, (old, _) in found.items()}
        told = {one.slug: [gate.as_dict() for gate in checked] for one, (_, checked) in found.items()}
        value = {"model": chosen.ref, "alias": alias, "before": before, "gates": told}
        self.answer(value, "\n".join(_sentence(chosen, alias, one, old) for one, (old, _) in found.items()), as_json=json)


def _promote(
    model: ModelVersion, filter_: Filter, alias: str, reason: str, through: Any
) -> tuple[ModelVersion | None, list[gates.Gate]]:
    try:
        return gates.promote(model=model, filter=filter_, alias=alias, reason=reason, through=through)
    except GatesClosed as refused:
        raise CommandError(" ".join([*refused.problems, "To promote it all the same, add --force REASON."])) from refused


def _sentence(model: ModelVersion, alias: str, filter_: Filter, before: ModelVersion | None) -> str:
    if before == model:
        return f"{model.ref} is {filter_.slug}'s {alias} already."
    return f"{model.ref} is {filter_.slug}'s {alias} now" + (f", in place of {before.ref}." if before else ".")
