"""`manage.py rollback uplifting`: let the version answer again that did before."""

from argparse import ArgumentParser
from typing import Any

from distillery_site.common.commands import Answering
from training import lookup
from training.models import Deployment
from training.services import model_for, rollback


class Command(Answering):
    help = "Take the last promotion of a filter's champion back; a second time, the one before it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("filter", metavar="FILTER", help="The filter's slug.")
        parser.add_argument(
            "--alias", choices=Deployment.Alias.values, default=Deployment.Alias.CHAMPION.value, help="(default %(default)s)"
        )

    def handle(self, *, filter: str, alias: str, json: bool, **_: Any) -> None:  # noqa: A002
        chosen = lookup.filter_(filter)
        left = model_for(chosen, alias)
        now = rollback(filter=chosen, alias=alias)
        value = {"filter": chosen.slug, "alias": alias, "model": now.ref, "before": left.ref}
        self.answer(value, f"{now.ref} is {chosen.slug}'s {alias} again, in place of {left.ref}.", as_json=json)
