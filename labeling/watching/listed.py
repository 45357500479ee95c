"""The list of labelling runs: what a person narrowed it to, and what stands beside each run."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from django.db.models import Count, QuerySet
from django.http import QueryDict

from distillery_site.common.runs import RunState
from labeling.figures import Facet
from labeling.models import Filter, LabelingItem, LabelingRun


@dataclass(frozen=True)
class RunsWanted:
    """The list's facets, as its address carries them (empty means all), over the filters that a person may see."""

    own: QuerySet[Filter]
    filter: str = ""
    state: str = ""

    @classmethod
    def of(cls, query: QueryDict, own: QuerySet[Filter]) -> Self:
        return cls(own, *(query.get(name, "").replace("\x00", "")[:80] for name in ("filter", "state")))

    @property
    def any(self) -> bool:
        return bool(self.filter or self.state)

    @cached_property
    def filters(self) -> list[Facet]:
        return self._facet("version__filter__slug")

    @cached_property
    def states(self) -> list[Facet]:
        return self._facet("state")

    def runs(self) -> QuerySet[LabelingRun]:
        found = LabelingRun.objects.newest().filter(version__filter__in=self.own).select_related("version__filter", "oracle")
        found = found.filter(version__filter__slug=self.filter) if self.filter else found
        return found.filter(state=self.state) if self.state in RunState.values else found

    def _facet(self, name: str) -> list[Facet]:
        rows = LabelingRun.objects.filter(version__filter__in=self.own).order_by()
        counts = rows.values_list(name).annotate(n=Count("*")).order_by("-n", name)
        return [Facet(value, count) for value, count in counts]


@dataclass(frozen=True)
class RunLine:
    run: LabelingRun
    failed: int


def run_lines(runs: Iterable[LabelingRun]) -> list[RunLine]:
    shown = list(runs)
    failed = LabelingItem.objects.filter(run__in=shown, state=LabelingItem.State.FAILED)
    counts = dict(failed.order_by().values_list("run").annotate(n=Count("*")))
    return [RunLine(run, counts.get(run.pk, 0)) for run in shown]
