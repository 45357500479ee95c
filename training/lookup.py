"""What a person types on a command line, found; or a sentence that says what there is instead."""

from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from distillery_site.common.errors import BadInput
from labeling.models import Filter, FilterVersion, Oracle
from training.models import Dataset, ModelVersion

Row = TypeVar("Row", bound=Model)


def dataset(name: str) -> Dataset:
    return _one(Dataset.objects.filter(name=name), f"There is no data set {name!r}", Dataset.objects.order_by("name"))


def filter_(slug: str) -> Filter:
    return _one(Filter.objects.filter(slug=slug), f"There is no filter {slug!r}", Filter.objects.all())


def version(text: str) -> FilterVersion:
    """`uplifting` is the newest version of a filter, `uplifting@2` its second."""
    slug, _, number = text.partition("@")
    versions = filter_(slug).versions.select_related("filter").order_by("-number")
    found = versions.filter(number=number) if number.isdigit() else versions if not number else versions.none()
    return _one(found, f"There is no {text!r}", versions)


def oracle(text: str, versions: list[FilterVersion]) -> Oracle:
    """By name, by model or by number; without a text, the only one that labelled these versions."""
    judges = Oracle.objects.filter(labels__version__in=versions).distinct().order_by("pk")
    if text:
        named = judges.filter(Q(pk=int(text)) if text.isdigit() else Q(name=text) | Q(model=text))
        return _one(named, f"No oracle {text!r} labelled these filters", judges)
    if judges.count() > 1:
        raise BadInput(f"Several oracles labelled these filters; choose one with --oracle. {_there_is(judges)}")
    return _one(judges, "No oracle has labelled these filters", judges)


def model(ref: str) -> ModelVersion:
    """`news-ridge/v3`, or `news-ridge` for its newest version."""
    name, _, number = ref.partition("/v")
    versions = ModelVersion.objects.filter(name=name).order_by("-number")
    found = versions.filter(number=number) if number.isdigit() else versions if not number else versions.none()
    return _one(found, f"There is no model {ref!r}", versions if versions else ModelVersion.objects.order_by("name", "number"))


def _one(found: QuerySet[Row], complaint: str, instead: QuerySet) -> Row:
    row = found.first()
    if row is None:
        raise BadInput(f"{complaint}. {_there_is(instead)}")
    return row


def _there_is(rows: QuerySet) -> str:
    names = [str(row) for row in rows[:10]]
    return f"There is: {', '.join(names)}." if names else "There is none yet."
