"""manage.py score: a file of articles in, a line of scores out for each."""

import json
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from tqdm import tqdm

from distillery_site.common.commands import Answering
from distillery_site.common.errors import BadInput
from labeling.articles.article_files import BadRow, read_rows
from labeling.articles.intake import Rejected, article_from
from labeling.models import Article, Filter
from scoring import services
from scoring.engine.base import Engine, Overloaded
from scoring.engine.local import LocalEngine
from scoring.services import Scored, score_articles, serving
from training import lookup
from training.models import Deployment, ModelVersion

BATCH = 32


@dataclass
class Job:
    """Articles on their way to scores; rows that can't be used are counted by reason."""

    filter: Filter
    model: ModelVersion
    through: Engine
    scored: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    def articles(self, rows: Iterable[dict[str, Any] | BadRow], source: str) -> Iterator[Article]:
        for row in rows:
            try:
                yield article_from(_used(row), source)
            except Rejected as why:
                self.rejected[why.reason] += 1
                tqdm.write(f"Left out: {why}", file=sys.stderr)

    def score(self, articles: list[Article]) -> list[Scored]:
        """Waits where the scoring process has too much to do."""
        while True:
            try:
                found = score_articles(filter=self.filter, articles=articles, model=self.model, through=self.through)
            except Overloaded as busy:
                time.sleep(busy.retry_after)
            else:
                self.scored += len(found)
                return found


def _used(row: dict[str, Any] | BadRow) -> dict[str, Any]:
    if isinstance(row, BadRow):
        raise Rejected(row.reason, row.message)
    return row


class Command(Answering):
    help = "Score the articles of a JSONL or CSV file; a JSON line for each goes to --out, or to the terminal."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="Columns or keys: id, title, text (or content), published_date.")
        parser.add_argument("--filter", required=True, metavar="SLUG", help="What to score them for.")
        who = parser.add_mutually_exclusive_group()
        who.add_argument("--alias", choices=Deployment.Alias.values, default=Deployment.Alias.CHAMPION.value)
        who.add_argument("--model", metavar="NAME[/vN]", help="This version instead, or the newest of a name.")
        parser.add_argument("--out", type=Path, help="Write the scores to this file.")
        parser.add_argument("--here", action="store_true", help="Load the student in this process; no scoring process is needed.")

    def handle(self, *, file: Path, filter: str, out: Path | None, json: bool, **options: Any) -> None:  # noqa: A002
        job = _job(filter, **options)
        with _opened(out, self.stdout) as lines:
            self.write(job, file, lines)
        value = {"scored": job.scored, "rejected": dict(job.rejected), "model": job.model.ref, "filter": job.filter.slug}
        sentence = f"{job.scored:,} articles scored with {job.model}, {sum(job.rejected.values()):,} left out."
        if out is None:
            self.stderr.write(sentence)  # what went to stdout is the answer
        else:
            self.answer(value, sentence, as_json=json)

    def write(self, job: Job, file: Path, lines: Any) -> None:
        articles = job.articles(read_rows(file), file.stem)
        with tqdm(desc=f"scoring {file.name}", unit=" articles", file=sys.stderr, disable=None) as bar:
            while batch := list(islice(articles, BATCH)):
                for scored in job.score(batch):
                    lines.write(_line(scored) + "\n")
                bar.update(len(batch))


def _job(slug: str, *, alias: str, model: str | None, here: bool, **_: Any) -> Job:
    found = lookup.filter_(slug)
    through: Engine = LocalEngine(settings.MODELS_ROOT, bases=settings.BASES_ROOT) if here else services.engine()
    return Job(found, lookup.model(model) if model else serving(found, alias), through)


def _opened(out: Path | None, stdout: Any) -> Any:
    try:
        return nullcontext(stdout) if out is None else _file(out)
    except OSError as error:
        raise BadInput(f"{out} can't be written: {error.strerror}.") from error


def _file(out: Path) -> IO[str]:
    return out.open("w", encoding="utf-8")


def _line(scored: Scored) -> str:
    whose = {"filter": scored.version.filter.slug, "version": scored.version.number, "model": scored.model.ref}
    whose |= {"interval_level": scored.interval_level}
    return json.dumps({**scored.as_dict(), **whose, "manifest_sha256": scored.model.manifest_sha256}, ensure_ascii=False)
