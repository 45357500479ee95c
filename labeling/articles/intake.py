"""Articles in: streamed, in batches, twice is harmless, and every row that stays out says why."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Q

from distillery_site.common.models import AuditEntry
from distillery_site.common.text import count_words
from labeling.articles.article_files import BadRow
from labeling.articles.language import Detector, detector
from labeling.models import Article

BATCH = 500
MAX_EXAMPLES = 20
MAX_TEXT = 200_000
MAX_TITLE = 2_000
FIELDS = ("title", "text", "url", "published", "language", "words", "text_sha256")
DATE = re.compile(r"^\s*(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
LONE_SURROGATES = re.compile("[\ud800-\udfff]")

Row = dict[str, Any] | BadRow


class Rejected(Exception):
    """One row can't be used: what to count it by, and a sentence without its full stop's place in the file."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


@dataclass
class ImportReport:
    """What became of the rows; `rejected` maps reason to count, `examples` are the first sentences, with line numbers."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.created + self.updated + self.unchanged + sum(self.rejected.values())

    def reject(self, reason: str, message: str) -> None:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(message)

    def as_dict(self) -> dict[str, Any]:
        counts = {"rows": self.rows, "created": self.created, "updated": self.updated, "unchanged": self.unchanged}
        return {**counts, "rejected": self.rejected, "examples": self.examples}


def import_articles(
    *, source: str, rows: Iterable[Row], actor: Any = None, on_progress: Callable[[int], Any] | None = None
) -> ImportReport:
    """Store articles: new ones are created, changed ones updated, the rest left alone.

    A row has `id`, `text` (or `content`) and, where known, `title`, `url`, `source`, `published_date`, `language` and
    `line` for its place in the file. `source` is for rows without one of their own. What is stored before an
    interruption stays; importing again goes on.
    """
    report = ImportReport()
    with detector() as languages:
        for batch in _batches(_articles(rows, source, report)):
            _store(batch, report, languages)
            if on_progress is not None:
                on_progress(report.rows)
    if report.created or report.updated:
        target = f"source:{source}"[:120]
        AuditEntry.objects.create(actor=actor, action="articles imported", target=target, after=report.as_dict())
    return report


def _articles(rows: Iterable[Row], source: str, report: ImportReport) -> Iterator[Article]:
    for number, row in enumerate(rows, start=1):
        if isinstance(row, BadRow):
            report.reject(row.reason, row.message)
            continue
        try:
            yield article_from(row, source)
        except Rejected as why:
            report.reject(why.reason, f"Line {row['line']}: {why}" if "line" in row else f"Row {number}: {why}")


def _batches(articles: Iterator[Article]) -> Iterator[dict[tuple[str, str], Article]]:
    """Up to BATCH articles by source and id. One whose id came just before starts a new batch, so that the later wins."""
    batch: dict[tuple[str, str], Article] = {}
    for article in articles:
        key = article.source, article.external_id
        if key in batch or len(batch) == BATCH:
            yield batch
            batch = {}
        batch[key] = article
    yield batch


def article_from(row: dict[str, Any], source: str) -> Article:
    """An unsaved Article without language; raises Rejected."""
    external_id, title = text_of(row, "id", "article_id"), text_of(row, "title")
    text = text_of(row, "text", "content")
    if not external_id:
        raise Rejected("no id", "there is no id.")
    if len(external_id) > 200:
        raise Rejected("id too long", "the id has more than 200 characters.")
    if not text:
        raise Rejected("empty", f"article {external_id!r} has no text.")
    if len(text) > MAX_TEXT or len(title) > MAX_TITLE:
        limits = f"{MAX_TEXT:,} characters of text and {MAX_TITLE:,} of title"
        raise Rejected("too long", f"article {external_id!r} has more than {limits}.")
    published = _date(text_of(row, "published_date", "published"))
    return Article(
        source=(text_of(row, "source") or source)[:80],
        external_id=external_id,
        title=title,
        text=text,
        published=published,
        url=text_of(row, "url", "link")[:2000],
        language=text_of(row, "language")[:8].lower(),
        words=count_words(text),
        text_sha256=Article.hash_of(title, published, text),
    )


def text_of(row: dict[str, Any], *names: str) -> str:
    """The first of these fields that holds something, as text that Postgres can store."""
    value = next((row[name] for name in names if row.get(name) not in (None, "")), "")
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise Rejected("wrong type", f"{names[0]} must be text, not {type(value).__name__}.")
    return LONE_SURROGATES.sub("�", str(value)).replace("\x00", "").strip()


def _date(text: str) -> date | None:
    if not text:
        return None
    found = DATE.match(text)
    with suppress(ValueError):  # a thirteenth month
        if found:
            return date(*map(int, found.groups()))
    raise Rejected("bad date", f"published_date {text[:40]!r} is not a date such as 2026-11-24.")


def stored_articles(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Article]:
    """The stored articles among these (source, id) pairs."""
    by_source: dict[str, list[str]] = {}
    for source, external_id in keys:
        by_source.setdefault(source, []).append(external_id)
    wanted = Q(pk=None)
    for source, ids in by_source.items():
        wanted |= Q(source=source, external_id__in=ids)
    return {(article.source, article.external_id): article for article in Article.objects.filter(wanted)}


@transaction.atomic
def _store(batch: dict[tuple[str, str], Article], report: ImportReport, languages: Detector) -> None:
    known = stored_articles(batch)
    _name_languages(batch, known, languages)
    changed = []
    for key, article in batch.items():
        before = known.get(key)
        if before is None:
            report.created += 1
        elif any(getattr(before, name) != getattr(article, name) for name in FIELDS):
            report.updated += 1
        else:
            report.unchanged += 1
            continue
        changed.append(article)
    Article.objects.bulk_create(changed, update_conflicts=True, unique_fields=["source", "external_id"], update_fields=FIELDS)


def _name_languages(batch: dict[tuple[str, str], Article], known: dict[tuple[str, str], Article], languages: Detector) -> None:
    """What the row says; else what is known of the same text; else what it looks like."""
    unnamed = []
    for key, article in batch.items():
        before = known.get(key)
        if before is not None and before.text == article.text:
            article.language = article.language or before.language
        elif not article.language:
            unnamed.append(article)
    for article, language in zip(unnamed, languages.detect([article.text for article in unnamed]), strict=True):
        article.language = language
