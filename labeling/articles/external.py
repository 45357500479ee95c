"""Labels that another oracle gave elsewhere, kept under its name beside our own."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from django.db import transaction

from distillery_site.common.models import record
from labeling.articles.intake import BATCH, ImportReport, Rejected, Row, stored_articles, text_of
from labeling.models import Article, FilterVersion, Oracle, OracleLabel


def import_external_labels(
    *,
    version: FilterVersion,
    oracle: Oracle,
    source: str,
    rows: Iterable[Row],
    reading: int = 1,
    actor: Any = None,
    on_progress: Callable[[int], Any] | None = None,
) -> ImportReport:
    """Keep the `scores` ({dimension: 0–10 or null}) and `reasoning` of rows as labels of a named external oracle.

    The articles must be there already. Every dimension must be named: a missing one is a rejected row, never a 0.
    """
    report, rest = ImportReport(), iter(rows)
    while batch := list(islice(rest, BATCH)):
        with transaction.atomic():
            _store_labels(batch, version, oracle, source, reading, report)
        if on_progress is not None:
            on_progress(report.rows)
    record(actor, "labels imported", oracle, after={"version": str(version), "reading": reading, **report.as_dict()})
    return report


def _store_labels(
    batch: list[Row], version: FilterVersion, oracle: Oracle, source: str, reading: int, report: ImportReport
) -> None:
    good = [row for row in batch if isinstance(row, dict) and row.get("scores") not in (None, "")]
    articles = stored_articles({_key(row, source) for row in good})
    labels = OracleLabel.objects.filter(version=version, oracle=oracle, reading=reading, article__in=articles.values())
    known = {label.article_id: label for label in labels.current()}
    new: dict[int, OracleLabel] = {}
    for row in good:
        try:
            article = articles.get(_key(row, source))
            if article is None:
                raise Rejected("unknown article", "this article is not stored.")
            label = external_label(version, oracle, article, reading, row)
        except Rejected as why:
            report.reject(why.reason, f"Line {row.get('line', '?')}: {why}")
            continue
        before = known.get(article.pk) or new.get(article.pk)
        if before is None:
            new[article.pk] = label
        elif before.scores == label.scores:
            report.unchanged += 1
        else:
            report.reject("labelled otherwise", f"Line {row.get('line', '?')}: {oracle} gave this article other scores before.")
    OracleLabel.objects.bulk_create(new.values())
    report.created += len(new)


def _key(row: dict[str, Any], source: str) -> tuple[str, str]:
    return str(row.get("source") or source)[:80], str(row.get("id") or row.get("article_id") or "")


def external_label(version: FilterVersion, oracle: Oracle, article: Article, reading: int, row: dict[str, Any]) -> OracleLabel:
    """An unsaved label; raises Rejected."""
    scores = row["scores"]
    if not isinstance(scores, dict):
        raise Rejected("bad scores", "scores must be an object of dimension and number.")
    if missing := [key for key in version.keys if key not in scores]:
        raise Rejected("bad scores", f"there is no score for {', '.join(missing)}.")
    return OracleLabel(
        version=version,
        article=article,
        oracle=oracle,
        reading=reading,
        scores=checked_scores(version, scores),
        reasoning=text_of(row, "reasoning"),
        text_sha256=article.text_sha256,
        rubric_hash=version.rubric_hash,
        request_hash=OracleLabel.request_hash_of(article.text_sha256, version, "", oracle, reading),
        response_model=oracle.model,
    )


def checked_scores(version: FilterVersion, scores: dict[str, Any]) -> list[float | None]:
    """In the rubric's order; raises Rejected for what is neither null nor a number from 0 to 10."""
    for key in version.keys:
        value = scores[key]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and 0 <= value <= 10):
            raise Rejected("bad scores", f"{key} is {value!r}, not a number from 0 to 10.")
    return [None if scores[key] is None else float(scores[key]) for key in version.keys]
