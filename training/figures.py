"""What the pages show of runs, data sets and versions: a few cheap queries each, plain typed values out."""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, OuterRef

from distillery_site.common.errors import BadInput
from labeling.models import FilterVersion, LabelingRun, OracleLabel
from training.charts import BINS, EpochPoint
from training.freezing.provenance import labelled_by, oracles_of
from training.models import Dataset, ModelVersion, Split, TrainingRun
from training.registry import nursery
from training.student import config


@dataclass(frozen=True)
class Column:
    """One target column: a dimension of a filter version."""

    filter: str
    version: int
    key: str
    name: str


@dataclass(frozen=True)
class EpochRow(EpochPoint):
    """One epoch with its error for each column, in the data set's order."""

    seconds: float = 0.0
    by_output: tuple[tuple[Column, float | None], ...] = ()


@dataclass(frozen=True)
class RunCurve:
    """How a run learns: [(step, loss)], all steps to come, and the epochs so far."""

    loss: list[tuple[float, float]]
    steps: int
    epochs: list[EpochRow]

    @property
    def best(self) -> EpochRow | None:
        """The chosen epoch, or while it still learns the best so far (ties: the earlier)."""
        chosen = next((row for row in self.epochs if row.chosen), None)
        measured = [row for row in self.epochs if math.isfinite(row.val_mae)]
        return chosen or min(measured, key=lambda row: row.val_mae, default=None)

    @property
    def by_dimension(self) -> list[tuple[Column, list[float | None]]]:
        """The epochs' errors turned round: a row for each column, a value for each epoch."""
        return [(pairs[0][0], [mae for _, mae in pairs]) for pairs in zip(*(row.by_output for row in self.epochs), strict=False)]


@dataclass(frozen=True)
class Option:
    """One hyper-parameter as a run has it; `changed` where it differs from the kind's default."""

    name: str
    value: Any
    about: str
    changed: bool


@dataclass(frozen=True)
class SplitRow:
    split: str
    label: str
    articles: int
    clusters: int


@dataclass(frozen=True)
class DimensionRow:
    """The labels of one column over all splits; `mean` and shares are None and 0 where nothing is labelled."""

    column: Column
    n: int
    missing: int
    n_ge_5: int
    mean: float | None
    zero_share: float
    counts: list[int] = field(default_factory=list)  # how many scores round to 0, 1, … 10


@dataclass(frozen=True)
class DatasetTable:
    splits: list[SplitRow]
    dimensions: list[DimensionRow]
    articles: int
    clusters: int
    leakage: int


@dataclass(frozen=True)
class Lineage:
    """Where a version comes from and what came of it."""

    model: ModelVersion
    run: TrainingRun | None
    dataset: Dataset | None  # None, and nobody known to have labelled it: it learned elsewhere
    versions: list[FilterVersion]
    labelled_by: str
    parents: list[ModelVersion]
    children: list[ModelVersion]
    base: str  # name@revision of the pretrained base; empty for a student without one


def columns(dataset: Dataset) -> list[Column]:
    """A data set's target columns in order, one query."""
    return [
        Column(version.filter.slug, version.number, dimension["key"], dimension["name"])
        for version in dataset.versions
        for dimension in version.dimensions
    ]


def run_curve(run: TrainingRun) -> RunCurve:
    """Loss by step and errors by epoch; three queries."""
    names = columns(run.dataset)
    epochs = [
        EpochRow(
            number=row.number,
            val_mae=row.val_mae,
            train_mae=row.train_mae,
            chosen=row.chosen,
            seconds=row.seconds,
            by_output=tuple(zip(names, row.val_mae_by_output, strict=False)),
        )
        for row in run.epochs.all()
    ]
    return RunCurve(loss=[(step, loss) for step, loss in run.loss_curve], steps=run.steps, epochs=epochs)


def options(run: TrainingRun) -> list[Option]:
    """Every hyper-parameter of a run, its preset and its own choices folded in; its own alone where options changed since."""
    try:
        values = config.to_json(config.make(run.kind, {"preset": run.preset, **run.config}))
    except BadInput:
        return [Option(name, value, "An option as it was when this ran.", changed=True) for name, value in run.config.items()]
    return [
        Option(name, values[name], about, values[name] != (list(default) if isinstance(default, tuple) else default))
        for name, default, about in config.describe(run.kind)
    ]


def tensorboard(run: TrainingRun) -> Path | None:
    """The folder with a run's curves, once there is one."""
    grown = run.result.path if hasattr(run, "result") else nursery(run)
    folder = grown / "reports" / "tensorboard"
    return folder if folder.is_dir() else None


def dataset_table(dataset: Dataset) -> DatasetTable:
    """Articles by split and labels by dimension, counted in Postgres; three queries."""
    counted = dataset.items.values_list("split").annotate(n=Count("pk"), groups=Count("cluster", distinct=True))
    sizes = {split: (n, groups) for split, n, groups in counted}
    splits = [SplitRow(split.value, str(split.label), *sizes.get(split.value, (0, 0))) for split in Split]
    articles = sum(row.articles for row in splits)
    return DatasetTable(splits, _dimensions(dataset, articles), articles, dataset.clusters, dataset.leakage)


_BINS_SQL = """
SELECT place, least(10, greatest(0, floor(score + 0.5)))::int, count(*), sum(score),
       count(*) FILTER (WHERE score = 0), count(*) FILTER (WHERE score >= 5)
FROM training_datasetitem, unnest(targets) WITH ORDINALITY AS target(score, place)
WHERE dataset_id = %s AND score IS NOT NULL
GROUP BY 1, 2
"""


def _dimensions(dataset: Dataset, articles: int) -> list[DimensionRow]:
    bins: dict[int, list[tuple[int, int, float, int, int]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_BINS_SQL, [dataset.pk])
        for place, *row in cursor.fetchall():
            bins[place - 1].append(tuple(row))
    return [_dimension(column, bins[place], articles) for place, column in enumerate(columns(dataset))]


def _dimension(column: Column, bins: list[tuple[int, int, float, int, int]], articles: int) -> DimensionRow:
    counts = [0] * BINS
    for place, count, *_ in bins:
        counts[place] = count
    n, zeros = sum(counts), sum(row[3] for row in bins)
    return DimensionRow(
        column=column,
        n=n,
        missing=articles - n,
        n_ge_5=sum(row[4] for row in bins),
        counts=counts,
        mean=sum(row[2] for row in bins) / n if n else None,
        zero_share=zeros / n if n else 0.0,
    )


def lineage(model: ModelVersion) -> Lineage:
    """A version's run, data set, oracle, parents and descendants; about six queries."""
    run, dataset = model.run, model.dataset
    base = model.manifest.get("base") or {}
    return Lineage(
        model=model,
        run=run,
        dataset=dataset,
        versions=model.versions,
        labelled_by=labelled_by(dataset) if dataset else "",
        parents=list(run.parents.all()) if run else [],
        children=list(ModelVersion.objects.filter(run__parents=model).order_by("pk")),
        base="@".join(part for part in (base.get("name"), base.get("revision")) if part),
    )


def datasets_of(run: LabelingRun) -> list[tuple[Dataset, int]]:
    """Data sets made of what this run's oracle said, newest first, each with how many of their articles the run labelled."""
    labels = OracleLabel.objects.filter(run=run, article=OuterRef("article"), text_sha256=OuterRef("text_sha256"))
    found = Dataset.objects.filter(filters__version__in=run.versions).distinct().order_by("-pk")
    ours = [dataset for dataset in found if run.oracle in oracles_of(dataset)]
    counted = [(dataset, dataset.items.filter(Exists(labels)).count()) for dataset in ours]
    return [(dataset, articles) for dataset, articles in counted if articles]
