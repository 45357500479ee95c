"""`manage.py next_to_label uplifting`: the unlabelled articles that would teach most, and on request to the review queue."""

from argparse import ArgumentParser
from typing import Any

from distillery_site.common.commands import Answering
from distillery_site.common.errors import BadInput
from labeling import lookup
from labeling.reviewing.tasks import open_reviews
from scoring import teaching


class Command(Answering):
    help = "Let students read articles that nobody has judged, and list those that would teach most."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("filter", metavar="SLUG[@N]", help="A filter, or its version N.")
        parser.add_argument("--size", type=int, default=teaching.USUAL, help="Articles to pick (default %(default)s).")
        parser.add_argument("--seed", type=int, default=0, help="Of the articles that are read (default %(default)s).")
        parser.add_argument(
            "--seconds", type=float, default=teaching.SECONDS, help="How long students read (default %(default)s)."
        )
        parser.add_argument("--review", action="store_true", help="Ask people about them: they go to the review queue.")

    def handle(
        self,
        *,
        filter: str,
        size: int,
        seed: int,
        seconds: float,
        review: bool,
        json: bool,
        **_: Any,  # noqa: A002
    ) -> None:
        if seconds <= 0:
            raise BadInput("Students read for more than 0 seconds.")
        found = teaching.look(version=lookup.version(filter), size=size, seed=seed, seconds=seconds)
        sent = open_reviews(version=found.version, picks=[one.pick for one in found.picks]) if review else None
        told = [f"{found.read:,} of {found.pool:,} articles were read by {', '.join(map(str, found.students))}."]
        told += ["     key  spread  interval  title", *teaching.lines(found), *([sent.sentence] if sent else [])]
        self.answer({**found.as_dict(), "sent": len(sent.tasks) if sent else 0}, "\n".join(told), as_json=json)
