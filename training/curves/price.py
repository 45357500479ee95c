"""What one more labelled article costs: as the ones before came to, or as a plan for a paid oracle says. Never a guess."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q

from distillery_site.common.errors import BadInput
from labeling.models import FilterVersion, LabelingItem, LabelingRun, Oracle
from labeling.oracles import registry
from labeling.planning.plans import plan
from labeling.running.engage import can_be_asked
from training.freezing.provenance import count, oracles_of
from training.models import Dataset, Split

SAMPLE = 20  # articles that a plan is made for
UNKNOWN = "price unknown: no paid labels yet"


@dataclass(frozen=True)
class Price:
    """USD for one article, read by all filters of a data set; `told` says where the figure comes from."""

    usd: float
    told: str

    def of(self, labels: int) -> float:
        return self.usd * labels


def paid_so_far(dataset: Dataset) -> Price | None:
    """By the data set's own oracles: all that their runs paid and lost, over the labels that came of it; None where a filter
    has no paid label yet.

    A prompt that asks for several filters is shared evenly among them.
    """
    found = [_paid(version, oracles_of(dataset)) for version in dataset.versions]
    if not found or not all(labels for _, labels in found):
        return None
    usd, labels = sum(money / labels for money, labels in found), sum(labels for _, labels in found)
    return Price(float(usd), f"as {count(labels, 'paid label')} came to ${sum(money for money, _ in found):,.2f}")


def _paid(version: FilterVersion, oracles: list[Oracle]) -> tuple[Decimal, int]:
    """(USD, labels) of one filter's paid runs."""
    asked = LabelingRun.objects.filter(Q(version=version) | Q(also=version), oracle__in=oracles)
    paid = LabelingRun.objects.filter(pk__in=asked.values("pk")).filter(Q(cost_usd__gt=0) | Q(lost_usd__gt=0))
    money = sum((Decimal(run.cost_usd + run.lost_usd) / len(run.versions) for run in paid), Decimal(0))
    return money, LabelingItem.objects.filter(run__in=paid, state=LabelingItem.State.LABELLED).count()


def choices() -> Iterator[tuple[str, str]]:
    """(key, name) of the paid oracles that could be asked here: those that are stored, and each provider's usual one."""
    names = [name for name, known in registry.PROVIDERS.items() if known.paid and can_be_asked(name)]
    stored = list(Oracle.objects.filter(provider__in=names).order_by("pk"))
    yield from ((str(oracle.pk), oracle.name) for oracle in stored)
    for name in names:
        usual = registry.PROVIDERS[name].default_model
        if not any(oracle.provider == name and oracle.model == usual for oracle in stored):
            yield name, usual


def planned(dataset: Dataset, key: str) -> Price:
    """By the plan of asking one of `choices` about a few of the data set's articles. Raises BadInput with the plan's refusals."""
    oracle, versions = _oracle(key), dataset.versions
    articles = list(dataset.items.filter(split=Split.TRAIN).order_by("pk").values_list("article", flat=True))
    sample = random.Random(0).sample(articles, min(SAMPLE, len(articles)))  # noqa: S311 (must be repeatable, not secret)
    found = plan(version=versions[0], also=versions[1:], oracle=oracle, articles=sample)
    if found.refusals:
        raise BadInput(*found.refusals)
    if not found.ask or not found.usd:
        raise BadInput(f"{oracle} has read these articles already, so its plan says nothing of new ones.")
    return Price(found.usd / found.ask, f"as planned for {oracle} on {count(found.ask, 'article')}, tokens {found.tokens_by}")


def _oracle(key: str) -> Oracle:
    if key not in dict(choices()):
        raise BadInput("That oracle can't be asked from here; choose one of the list.")
    if key.isdigit():
        return Oracle.objects.get(pk=int(key))
    usual = registry.PROVIDERS[key]
    return Oracle(name=usual.default_model, provider=key, model=usual.default_model, params=dict(usual.defaults))
