"""What a person types on a command line, found; or a sentence that says what there is instead."""

from django.db.models import Q

from distillery_site.common.errors import BadInput
from labeling.lookup import filter_, one, there_is, version
from labeling.models import FilterVersion, Oracle
from training.models import Dataset, ModelVersion

__all__ = ["dataset", "filter_", "model", "oracle", "version"]


def dataset(name: str) -> Dataset:
    return one(Dataset.objects.filter(name=name), f"There is no data set {name!r}", Dataset.objects.order_by("name"))


def oracle(text: str, versions: list[FilterVersion]) -> Oracle:
    """By name, by model or by number; without a text, the only one that labelled these versions."""
    judges = Oracle.objects.filter(labels__version__in=versions).distinct().order_by("pk")
    if text:
        named = judges.filter(Q(pk=int(text)) if text.isdigit() else Q(name=text) | Q(model=text))
        return one(named, f"No oracle {text!r} labelled these filters", judges)
    if judges.count() > 1:
        raise BadInput(f"Several oracles labelled these filters; choose one with --oracle. {there_is(judges)}")
    return one(judges, "No oracle has labelled these filters", judges)


def model(ref: str) -> ModelVersion:
    """`news-ridge/v3`, or `news-ridge` for its newest version."""
    name, _, number = ref.partition("/v")
    versions = ModelVersion.objects.filter(name=name).order_by("-number")
    found = versions.filter(number=number) if number.isdigit() else versions if not number else versions.none()
    return one(found, f"There is no model {ref!r}", versions if versions else ModelVersion.objects.order_by("name", "number"))
