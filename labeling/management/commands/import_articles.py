"""`manage.py import_articles FILE`: articles, and labels that came with them, into the tables."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from tqdm import tqdm

from distillery_site.common.commands import Answering
from distillery_site.common.errors import BadInput
from labeling import lookup
from labeling.articles.article_files import read_rows
from labeling.services import ImportReport, get_oracle, import_articles, import_external_labels


class Command(Answering):
    help = (
        "Import articles from a JSONL or CSV file with id, title, text (or content), url, source, published_date and language. "
        "It is read as a stream; importing again updates what changed. Rows that can't be used are counted and named, the others "
        "are kept. With --filter and --oracle, the rows' `scores` ({dimension: 0 to 10 or null}) and `reasoning` become labels."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, metavar="FILE", help="A .jsonl or .csv file in UTF-8.")
        parser.add_argument("--source", default="", help="For articles without a source of their own (default: the file's name).")
        parser.add_argument("--filter", default="", metavar="SLUG[@N]", help="The filter that the rows' scores belong to.")
        parser.add_argument("--oracle", default="", metavar="NAME", help="Who gave these scores.")
        parser.add_argument("--reading", type=int, default=1, help="Which reading of that oracle (default %(default)s).")

    def handle(
        self,
        *,
        file: Path,
        source: str,
        filter: str,
        oracle: str,
        reading: int,
        json: bool,
        **options: Any,  # noqa: A002
    ) -> None:
        if bool(filter) != bool(oracle):
            raise BadInput("Scores need both --filter, which they belong to, and --oracle, who gave them.")
        version = lookup.version(filter) if filter else None
        source = source or file.stem
        with tqdm(desc=file.name, unit=" rows", disable=None) as bar:
            report = import_articles(source=source, rows=read_rows(file), on_progress=lambda rows: bar.update(rows - bar.n))
        value, lines = report.as_dict(), [_sentence("articles", report)]
        if version is not None:
            judge = get_oracle(provider="external", model=oracle)
            labels = import_external_labels(version=version, oracle=judge, source=source, rows=read_rows(file), reading=reading)
            value["labels"] = labels.as_dict()
            lines.append(_sentence("labels", labels))
        self.answer(value, "\n".join(lines), as_json=json)


def _sentence(what: str, report: ImportReport) -> str:
    counts = f"{report.created:,} {what} new, {report.updated:,} updated, {report.unchanged:,} as they were"
    refused = ", ".join(f"{count:,} {reason}" for reason, count in report.rejected.items())
    return "\n  ".join([f"{counts}; refused: {refused or 'none'}.", *report.examples])
