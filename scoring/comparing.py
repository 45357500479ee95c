"""Two versions on the same rows: which lies nearer to the oracle, on what, and whether that is more than noise.

A difference is the first version's mean absolute error minus the second's, so below 0 the first is better. Both errors
of an article are resampled together (paired bootstrap), and since every dimension is looked at, "better" and "worse" are
said only where the p-value stays under 0.05 after Holm's correction over a filter's dimensions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from distillery_site.common.errors import BadInput, Permanent
from distillery_site.common.runs import RunState
from distillery_site.common.statistics import Change, Floats, bootstrap_change, bootstrap_changes, holm
from labeling.models import Filter, FilterVersion
from scoring.models import Benchmark
from scoring.reports import Rows, columns_in, rows_of
from training.models import Dataset, DatasetItem, ModelVersion, Split
from training.student import metrics

SIGNIFICANT = 0.05
ENOUGH_ROWS = 10  # a bootstrap of fewer says little of the articles it has not seen
SEEN = {Split.TEST.value: (Split.TRAIN, Split.VAL), Split.VAL.value: (Split.TRAIN,)}


@dataclass(frozen=True)
class Missing:
    """A benchmark that a comparison lacks; `run` is there when it was started and isn't done."""

    model: ModelVersion
    dataset: Dataset
    split: str
    run: Benchmark | None


class NotComparable(BadInput):
    """Two versions have no rows in common; `missing` are the benchmarks that would give them some."""

    def __init__(self, sentence: str, missing: Sequence[Missing] = ()):
        super().__init__(sentence)
        self.missing = list(missing)


@dataclass(frozen=True)
class Line:
    """One dimension, or with key "" the mean over all: both errors, their difference, and what Holm makes of its p-value."""

    key: str
    name: str
    first: float
    second: float
    change: Change
    p: float | None

    @property
    def verdict(self) -> str:
        """better, worse, noise or few, as said of the first version."""
        if self.p is None:
            return "few"
        if self.p >= SIGNIFICANT or self.change.value == 0:
            return "noise"
        return "better" if self.change.value < 0 else "worse"

    @property
    def words(self) -> str:
        """“0.04 [0.01, 0.07]”: the size of a difference and its interval, whichever way it goes."""
        ends = (self.change.low, self.change.high) if self.change.value > 0 else (-self.change.high, -self.change.low)
        return f"{abs(self.change.value):.2f} [{_signed(ends[0])}, {_signed(ends[1])}]"

    def as_dict(self) -> dict[str, Any]:
        found = {"difference": self.change.value, "interval": [self.change.low, self.change.high], "n": self.change.n}
        each = {"first": self.first, "second": self.second, **found, "p": self.change.p}
        told = {name: _json(value) for name, value in each.items()}
        return {"dimension": self.key, **told, "p_holm": self.p, "verdict": self.verdict}


@dataclass(frozen=True)
class Comparison:
    """Two versions on one filter's dimensions, `names` by key. `left_out` counts rows that one of them may have learnt from.

    `truth`, `ours` and `theirs` are [articles, dimensions], clipped to 0–10, NaN where the oracle gave no score.
    """

    first: ModelVersion
    second: ModelVersion
    version: FilterVersion
    dataset: Dataset
    split: str
    left_out: int
    names: dict[str, str]
    article_ids: list[int] = field(repr=False)
    truth: Floats = field(repr=False)
    ours: Floats = field(repr=False)
    theirs: Floats = field(repr=False)

    @property
    def n(self) -> int:
        return len(self.article_ids)

    @cached_property
    def _errors(self) -> tuple[Floats, Floats]:
        return metrics.absolute_errors(self.truth, self.ours), metrics.absolute_errors(self.truth, self.theirs)

    @cached_property
    def lines(self) -> list[Line]:
        """A line a dimension, in the rubric's order."""
        first, second = self._errors
        changes = bootstrap_changes(first - second)
        adjusted = holm([one.p if one.n >= ENOUGH_ROWS else np.nan for one in changes])
        return [
            Line(*named, _mean(first[:, c]), _mean(second[:, c]), changes[c], _known(adjusted[c]))
            for c, named in enumerate(self.names.items())
        ]

    @cached_property
    def mean(self) -> Line:
        first, second = self._errors
        found = bootstrap_change(first - second)
        p = found.p if found.n >= ENOUGH_ROWS else np.nan
        return Line("", "Mean of dimensions", metrics.mean_of_columns(first), metrics.mean_of_columns(second), found, _known(p))

    def having(self, verdict: str) -> list[Line]:
        return [line for line in self.lines if line.verdict == verdict]

    @property
    def sentence(self) -> str:
        """Where the first is better or worse, and that the rest is noise."""
        if self.n < ENOUGH_ROWS:
            return f"Only {self.n} articles were scored by both; with fewer than {ENOUGH_ROWS} nothing can be said."
        found = [(verdict, self.having(verdict)) for verdict in ("better", "worse")]
        said = [f"{verdict} by {_listed([f'{one.words} on {one.name}' for one in lines])}" for verdict, lines in found if lines]
        few = [one.name for one in self.having("few")]
        tail = f" Too few articles have a score on {_listed(few)} to tell." if few else ""
        if not said:
            return f"Nothing tells {self.first} and {self.second} apart: on every dimension the difference is within noise.{tail}"
        rest = "; the rest is within noise" if self.having("noise") else ""
        return f"{self.first} is {', and '.join(said)}{rest}.{tail}"

    @property
    def mean_sentence(self) -> str:
        """The same of the mean over all dimensions."""
        line, told = self.mean, {"better": "nearer by", "worse": "farther by", "noise": "within noise, a difference of"}
        maes = f"{self.first} misses the oracle by {line.first:.2f} on average, {self.second} by {line.second:.2f}"
        return f"{maes}: {told[line.verdict]} {line.words}." if line.verdict in told else f"{maes}."

    def as_dict(self) -> dict[str, Any]:
        return {
            "first": self.first.ref,
            "second": self.second.ref,
            "filter": self.version.filter.slug,
            "version": self.version.number,
            "dataset": self.dataset.name,
            "split": self.split,
            "n": self.n,
            "left_out": self.left_out,
            "sentence": self.sentence,
            "mean": self.mean.as_dict(),
            "dimensions": [line.as_dict() for line in self.lines],
        }


def compare(
    first: ModelVersion, second: ModelVersion, *, split: str = Split.TEST, filter_: Filter | None = None
) -> list[Comparison]:
    """A comparison for each filter that both answer for (or the one named). Raises NotComparable or BadInput."""
    if first == second:
        raise BadInput(f"{first} can't be compared with itself; choose another version.")
    versions = [version for version in first.versions if version in second.versions]
    wanted = [version for version in versions if filter_ is None or version.filter_id == filter_.pk]
    if not wanted:
        raise NotComparable(_strangers(first, second, filter_))
    one, other = benchmarks(first, second, split)
    return [compare_on(one, other, version) for version in wanted]


def compare_on(one: Benchmark, other: Benchmark, version: FilterVersion) -> Comparison:
    """Two benchmarks of the same split of the same data set, on the rows that both predicted and neither has learnt from."""
    ours, theirs = rows_of(one), rows_of(other)
    both = set(ours.article_ids) & set(theirs.article_ids)
    held_out = both - _learnt_from((one.model, other.model), one.dataset, one.split, both)
    ids = [article for article in ours.article_ids if article in held_out]
    answered = one.model.columns(version).keys() & other.model.columns(version).keys()
    names = {row["key"]: row["name"] for row in version.dimensions if row["key"] in answered}
    truth, first = _table(ours, ids, version, names)
    _, second = _table(theirs, ids, version, names)
    left_out = len(both) - len(ids)
    return Comparison(one.model, other.model, version, one.dataset, one.split, left_out, names, ids, truth, first, second)


def benchmarks(first: ModelVersion, second: ModelVersion, split: str) -> tuple[Benchmark, Benchmark]:
    """Finished benchmarks of both on one split of one data set. Raises NotComparable with those that are missing."""
    runs = Benchmark.objects.filter(model__in=(first, second), split=split).select_related("model", "dataset")
    known = {(run.model_id, run.dataset_id): run for run in runs}
    done = {key: run for key, run in known.items() if run.state == RunState.DONE}
    for dataset in _candidates(first, second, [run.dataset for run in runs]):
        pair = [done.get((model.pk, dataset.pk)) for model in (first, second)]
        if pair[0] and pair[1]:
            return pair[0], pair[1]
    raise _not_measured(first, second, split, known)


def _candidates(first: ModelVersion, second: ModelVersion, others: Sequence[Dataset]) -> list[Dataset]:
    """Data sets on which both may have been measured: their own first, then the newest."""
    own = [model.home for model in (first, second) if model.home]
    return list(dict.fromkeys([*own, *sorted(others, key=lambda dataset: -dataset.pk)]))


def _not_measured(
    first: ModelVersion, second: ModelVersion, split: str, known: dict[tuple[int, int], Benchmark]
) -> NotComparable:
    homes = [dataset for dataset in _candidates(first, second, []) if all(_fits(m, dataset) for m in (first, second))]
    if not homes:
        return NotComparable(f"{first} and {second} can't be compared: no data set has labels for all that both answer.")
    dataset, label = homes[0], Split(split).label
    wanted = [Missing(model, dataset, split, known.get((model.pk, dataset.pk))) for model in (first, second)]
    missing = [one for one in wanted if one.run is None or one.run.state != RunState.DONE]
    names = _listed([str(one.model) for one in missing])
    said = f"{names} {'has' if len(missing) == 1 else 'have'} not been measured on the {label} split of {dataset}"
    if first.dataset_id != second.dataset_id:
        return NotComparable(f"{said}: errors on the articles of different data sets can't be compared.", missing)
    return NotComparable(f"{said} yet, so there are no common rows to compare on.", missing)


def _fits(model: ModelVersion, dataset: Dataset) -> bool:
    try:
        columns_in(model, dataset)
    except Permanent:
        return False
    return True


def _learnt_from(models: Sequence[ModelVersion], dataset: Dataset, split: str, articles: set[int]) -> set[int]:
    """Those articles that another data set, which one of the models comes from, holds in a split it learned or chose by."""
    homes = {model.dataset_id for model in models} - {None, dataset.pk}
    items = DatasetItem.objects.filter(dataset__in=homes, split__in=SEEN[split], article__in=articles) if homes else None
    return set(items.values_list("article_id", flat=True)) if items is not None else set()


def _table(rows: Rows, ids: Sequence[int], version: FilterVersion, keys: Iterable[str]) -> tuple[Floats, Floats]:
    """(truth, predictions) of these articles on these dimensions, [articles, dimensions]."""
    places = {article: place for place, article in enumerate(rows.article_ids)}
    columns = {(output.filter, output.version, output.dimension): c for c, output in enumerate(rows.outputs)}
    wanted = np.ix_(
        np.array([places[article] for article in ids], dtype=np.intp),
        np.array([columns[version.filter.slug, version.number, key] for key in keys], dtype=np.intp),
    )
    return rows.truth[wanted], rows.predicted[wanted]


def _strangers(first: ModelVersion, second: ModelVersion, filter_: Filter | None) -> str:
    about = f"the filter {filter_.slug}" if filter_ else "any filter"
    each = "; ".join(f"{model} answers for {_listed([str(one) for one in model.versions])}" for model in (first, second))
    return f"{first} and {second} don't both answer for the same rubric version of {about}: {each}."


def _mean(errors: Floats) -> float:
    known = errors[~np.isnan(errors)]
    return float(known.mean()) if known.size else float("nan")


def _known(p: float) -> float | None:
    return None if np.isnan(p) else float(p)


def _json(value: Any) -> Any:
    """Rounded, and None for NaN, which JSON hasn't."""
    if isinstance(value, list):
        return [_json(one) for one in value]
    return value if isinstance(value, int) else None if np.isnan(value) else round(float(value), 6)


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−") if round(value, 2) else "0.00"


def _listed(words: Sequence[str]) -> str:
    """“a”, “a and b”, “a, b and c”."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
