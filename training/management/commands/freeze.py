"""`manage.py freeze news --filter uplifting`: from labels to a frozen data set."""

from argparse import ArgumentParser
from typing import Any

from tqdm import tqdm

from distillery_site.common.commands import Answering
from training import datasets, lookup
from training.figures import dataset_table
from training.freezing.people import People
from training.models import Dataset


class Command(Answering):
    help = (
        "Freeze the labelled articles of one or several filters into a data set: near-duplicates are clustered first, "
        "and the clusters are split into training, validation and test."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help="The data set's name: letters, digits, hyphens and underscores.")
        add = parser.add_argument
        add("--filter", action="append", required=True, metavar="SLUG[@N]", help="A filter, or its version N; repeatable.")
        add(
            "--oracle",
            action="append",
            default=[],
            metavar="ORACLE",
            help="Whose labels: name, model or number; not needed when there is one. Repeatable with --mix: the first leads.",
        )
        add("--reading", type=int, default=1, help="Which reading of the oracle (default %(default)s).")
        add("--mean-of-readings", action="store_true", help="The mean of all readings of an article is its target.")
        add(
            "--mix",
            action="store_true",
            help="Let one filter's labels come from several versions, oracles and prompts; the data set then says how many.",
        )
        add(
            "--people",
            choices=People.values,
            default=People.IGNORE.value,
            help="What people's word (gold) does to a target: nothing, take its place, be averaged with it, or take its place "
            "and count three times (default %(default)s).",
        )
        add("--size", type=int, help="How many labelled articles, drawn at random; all by default.")
        add("--seed", type=int, default=0, help="Seed of the draw and of the split (default %(default)s).")
        add("--threshold", type=float, default=0.8, help="Jaccard similarity of near-duplicates (default %(default)s).")
        add(
            "--fractions",
            type=float,
            nargs=3,
            default=(0.8, 0.1, 0.1),
            metavar=("TRAIN", "VAL", "TEST"),
            help="Shares of the three splits (default 0.8 0.1 0.1).",
        )

    def handle(self, *, name: str, filter: list[str], oracle: list[str], json: bool, **options: Any) -> None:  # noqa: A002
        versions = [lookup.version(text) for text in filter]
        first, *others = [lookup.oracle(text, versions) for text in oracle or [""]]
        wanted = {key: options[key] for key in ("reading", "mean_of_readings", "mix", "people", "size", "seed", "threshold")}
        with tqdm(total=datasets.STAGES, desc=f"freezing {name}", unit="stage", disable=None) as bar:

            def on_stage(stage: str) -> None:
                bar.set_postfix_str(stage)
                bar.update()

            dataset = datasets.freeze(
                name=name,
                versions=versions,
                oracle=first,
                others=others,
                fractions=tuple(options["fractions"]),
                on_stage=on_stage,
                **wanted,
            )
        self.answer(_summary(dataset), _sentences(dataset), as_json=json)


def _summary(dataset: Dataset) -> dict[str, Any]:
    table = dataset_table(dataset)
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "articles": table.articles,
        "splits": {row.split: row.articles for row in table.splits},
        "clusters": dataset.clusters,
        "leakage": dataset.leakage,
        "outputs": len(table.dimensions),
        "sources": dataset.recipe["sources"],
        "readings": dataset.recipe["readings"],
        "people": {"policy": dataset.recipe["people"], **dataset.recipe["corrected"]},
        "notes": dataset.notes,
    }


def _sentences(dataset: Dataset) -> str:
    table = dataset_table(dataset)
    splits = ", ".join(f"{row.articles:,} {row.label}" for row in table.splits)
    lines = [
        f"{dataset.name}: {table.articles:,} articles ({splits}), {len(table.dimensions)} dimensions.",
        f"{dataset.clusters:,} clusters of near-duplicates, {dataset.leakage} pairs across splits.",
    ]
    return "\n".join([*lines, *dataset.notes, f"Fingerprint {dataset.fingerprint}"])
