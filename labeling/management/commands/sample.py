"""`manage.py sample FILTER`: a random, repeatable draw of articles that passed."""

from argparse import ArgumentParser
from typing import Any

from distillery_site.common.commands import Answering
from labeling import lookup
from labeling.models import Article
from labeling.services import sample_articles


class Command(Answering):
    help = "Show which articles `label` with the same --size and --seed would ask about: the same seed draws the same."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("filter", metavar="FILTER", help="A filter, or its version N as FILTER@N.")
        parser.add_argument("--size", type=int, help="How many; all that passed by default.")
        parser.add_argument("--seed", type=int, default=0, help="Seed of the draw (default %(default)s).")

    def handle(self, *, filter: str, size: int | None, seed: int, json: bool, **options: Any) -> None:  # noqa: A002
        keys = sample_articles(policy=lookup.version(filter).policies.latest("number"), size=size, seed=seed)
        rows = list(Article.objects.filter(pk__in=keys).order_by("pk").values("source", "external_id", "title"))
        lines = [f"{row['source']}:{row['external_id']}  {row['title']}" for row in rows]
        self.answer({"size": len(rows), "seed": seed, "articles": rows}, "\n".join(lines), as_json=json)
