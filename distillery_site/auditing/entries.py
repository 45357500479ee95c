"""The audit log as people ask it: narrowed, explained, and written out."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Self

from django.apps import apps
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date

from distillery_site.common.models import AuditEntry

COLUMNS = ("id", "at", "actor", "action", "target", "before", "after")
COMMAND = "-"  # in the form: what no person did, but a command
PAGES = {
    "auth.user": "person",
    "labeling.labelingrun": "labeling_run",
    "labeling.reviewtask": "review",
    "training.trainingrun": "training_run",
    "training.learningcurve": "learning_curve",
    "scoring.benchmark": "benchmark",
}
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


@dataclass(frozen=True)
class Narrowing:
    """What of the log is wanted; an empty field wants everything. Days are whole days of the site's clock."""

    actor: str = ""
    action: str = ""
    kind: str = ""
    text: str = ""
    since: date | None = None
    until: date | None = None

    @classmethod
    def of(cls, typed: Mapping[str, str]) -> Self:
        """As far as it can be read: what can't is left out."""
        words = {name: typed.get(name, "").replace("\x00", "").strip() for name in ("actor", "action", "kind", "text")}
        return cls(**words, since=_day(typed.get("since", "")), until=_day(typed.get("until", "")))

    def apply(self, rows: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        """Newest first."""
        asked = {"action": self.action, "target__startswith": f"{self.kind}:" if self.kind else ""}
        rows = rows.filter(**{name: value for name, value in asked.items() if value})
        if self.actor:
            rows = rows.filter(actor=None) if self.actor == COMMAND else rows.filter(actor__username=self.actor)
        if self.text:
            anywhere = Q(target__icontains=self.text) | Q(before__icontains=self.text) | Q(after__icontains=self.text)
            rows = rows.filter(anywhere | Q(action__icontains=self.text))
        rows = rows.filter(at__gte=_midnight(self.since)) if self.since else rows
        rows = rows.filter(at__lt=_midnight(self.until + timedelta(days=1))) if self.until else rows
        return rows.select_related("actor").order_by("-pk")

    @property
    def narrows(self) -> bool:
        return self != type(self)()

    def as_dict(self) -> dict[str, str]:
        """What was asked, for the log's own entry on an export."""
        return {name: str(value) for name, value in vars(self).items() if value}


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


@dataclass(frozen=True)
class Change:
    """One field of an entry; a side that has no such field is None."""

    name: str
    before: str | None
    after: str | None


def changes(entry: AuditEntry) -> list[Change]:
    """Field by field, those that differ; a value that is no object of fields counts as one field."""
    before, after = _fields(entry.before), _fields(entry.after)
    names = dict.fromkeys([*before, *after])
    return [Change(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _fields(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    return {str(name): _said(one) for name, one in value.items()} if isinstance(value, dict) else {"": _said(value)}


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def kind_name(kind: str) -> str:
    """ "labeling.labelingrun" → "labelling run", as its table calls it."""
    try:
        return str(apps.get_model(kind)._meta.verbose_name)
    except (LookupError, ValueError):
        return kind


def what(entry: AuditEntry) -> tuple[str, str]:
    """What was changed, in words, and its page ("" where it has none)."""
    kind, _, key = entry.target.partition(":")
    route = PAGES.get(kind)
    return f"{kind_name(kind)} {key}", reverse(route, args=[key]) if route and key.isdigit() else ""


def choices() -> dict[str, list[tuple[str, str]]]:
    """What there is to narrow the log by."""
    rows = AuditEntry.objects.order_by()
    names = sorted(rows.exclude(actor=None).values_list("actor__username", flat=True).distinct())
    actions = sorted(rows.values_list("action", flat=True).distinct())
    kinds = sorted({target.partition(":")[0] for target in rows.values_list("target", flat=True).distinct().iterator()})
    return {
        "actors": [*((name, name) for name in names), (COMMAND, "a command")],
        "actions": [(action, action) for action in actions],
        "kinds": sorted(((kind, kind_name(kind)) for kind in kinds), key=lambda pair: pair[1]),
    }


def as_json(rows: QuerySet[AuditEntry]) -> Iterator[str]:
    """A JSON list, an entry a line."""
    before = "[\n"
    for entry in rows.iterator(chunk_size=1000):
        yield before + json.dumps(_plain(entry), ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


class _Line:
    """What csv writes into: it hands the line back."""

    def write(self, line: str) -> str:
        return line


def as_csv(rows: QuerySet[AuditEntry]) -> Iterator[str]:
    """With a head; before and after are JSON. What a spreadsheet would take for a formula gets an apostrophe."""
    writer = csv.writer(_Line())
    yield writer.writerow(COLUMNS)
    for entry in rows.iterator(chunk_size=1000):
        plain = _plain(entry)
        sides = {name: json.dumps(plain[name], ensure_ascii=False) if plain[name] is not None else "" for name in COLUMNS[-2:]}
        yield writer.writerow([_tame(value) for value in {**plain, **sides}.values()])


def _plain(entry: AuditEntry) -> dict[str, Any]:
    actor = entry.actor.get_username() if entry.actor else None
    return dict(zip(COLUMNS, (entry.pk, entry.at.isoformat(), actor, *(getattr(entry, one) for one in COLUMNS[3:])), strict=True))


def _tame(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
