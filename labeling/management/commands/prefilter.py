"""`manage.py prefilter FILTER`: which articles may go on to the oracle, and why the others may not."""

from argparse import ArgumentParser
from typing import Any

from tqdm import tqdm

from distillery_site.common.commands import Answering
from labeling import lookup
from labeling.services import run_prefilter


class Command(Answering):
    help = "Judge every article by the filter's prefilter rules and keep the verdicts; run it again after an import."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("filter", metavar="FILTER", help="A filter, or its version N as FILTER@N.")

    def handle(self, *, filter: str, json: bool, **options: Any) -> None:  # noqa: A002
        policy = lookup.version(filter).policies.latest("number")
        with tqdm(desc=str(policy), unit=" articles", disable=None) as bar:
            found = run_prefilter(policy=policy, on_progress=lambda seen: bar.update(seen - bar.n))
        dropped = [f"  {count:,} dropped: {reason}" for reason, count in found["dropped"].items()]
        self.answer(found, "\n".join([f"{found['passed']:,} articles passed.", *dropped]), as_json=json)
