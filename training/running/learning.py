"""What a run's epochs say, in words; what its errors have to be compared with; and who waits before it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count

from distillery_site.common.runs import RunState
from training.figures import EpochRow, RunCurve, run_curve
from training.freezing.provenance import count
from training.models import DatasetItem, Kind, ModelVersion, Split, TrainingRun
from training.student import history

STILL = 0.01  # of the error; epochs that differ by less are level
LAST = 3  # epochs that make a trend


@dataclass(frozen=True)
class Baselines:
    """What any student of a data set has to beat, on the same validation articles; None while no ridge is trained."""

    articles: int
    constant: float | None = None
    ridge: float | None = None
    ridge_model: str = ""

    @property
    def words(self) -> str:
        """What follows an error in a sentence."""
        if self.constant is None or self.ridge is None:
            return ""
        others = f"the best constant misses it by {self.constant:.3f} and {self.ridge_model} by {self.ridge:.3f}"
        return f"on the same {count(self.articles, 'article')} {others}"


@dataclass(frozen=True)
class Epoch:
    """A row of the table: the epoch, its gap (None where there is no ratio), and what that says."""

    row: EpochRow
    gap: float | None
    reading: str


@dataclass(frozen=True)
class Learning:
    """How a run learns, so far."""

    curve: RunCurve
    epochs: list[Epoch]
    trend: str
    chosen: str
    baselines: Baselines


def learning(run: TrainingRun) -> Learning:
    curve, beside = run_curve(run), baselines([run.dataset_id])[run.dataset_id]
    epochs = [_epoch(row) for row in curve.epochs]
    return Learning(curve, epochs, trend([row.val_mae for row in curve.epochs]), _chosen(run, curve), beside)


def _epoch(row: EpochRow) -> Epoch:
    if row.train_mae is None or not math.isfinite(row.val_mae):
        return Epoch(row, None, "")
    gap = history.gap(row.train_mae, row.val_mae)
    return Epoch(row, gap, history.reading(gap))


def trend(errors: Sequence[float]) -> str:
    """Where the validation error went over the last epochs, and what follows from it."""
    last = [error for error in errors if math.isfinite(error)][-LAST:]
    if len(last) < 2:
        return ""
    steps = [(after - before) / before if before else 0.0 for before, after in zip(last, last[1:], strict=False)]
    over = f"over the last {len(last)} epochs ({last[0]:.3f} → {last[-1]:.3f})"
    if all(step < -STILL for step in steps):
        return f"The validation error fell {over}: more epochs may lower it further."
    if all(step > STILL for step in steps):
        return f"The validation error rose {over}: it only learns its own articles by heart now."
    if all(abs(step) <= STILL for step in steps):
        return f"The validation error is level {over}: more epochs will hardly change it."
    return f"The validation error went up and down {over}."


def _chosen(run: TrainingRun, curve: RunCurve) -> str:
    """Which epoch counts, and why."""
    best, measured = curve.best, [row for row in curve.epochs if math.isfinite(row.val_mae)]
    if best is None:
        return ""
    mean = run.result.manifest.get("averaged") if hasattr(run, "result") else None
    if mean and mean["kept"]:
        first, last = mean["epochs"][0], mean["epochs"][-1]
        figure = f"{mean['val_mae']:.3f}"
        return f"The mean of the weights of epochs {first}–{last} was kept: its validation MAE, {figure}, is below any epoch's."
    others = f"the smallest of {len(measured)}" if len(measured) > 1 else "the only one"
    verb = "was kept" if best.chosen else "would be kept now" if run.is_final else "is the best so far"
    return f"Epoch {best.number} {verb}: its validation MAE is {others}."


def baselines(datasets: Iterable[int]) -> dict[int, Baselines]:
    """Of each data set its best ridge and its constant, with the number of validation articles; two queries."""
    wanted = set(datasets)
    items = DatasetItem.objects.filter(dataset__in=wanted, split=Split.VAL).order_by()
    sizes = dict(items.values_list("dataset").annotate(n=Count("pk")))
    ridges = ModelVersion.objects.filter(dataset__in=wanted, kind=Kind.RIDGE, val_mae__isnull=False)
    columns = ("dataset", "name", "number", "val_mae", "manifest__metrics__val_constant_mae")
    best = {row[0]: row[1:] for row in ridges.order_by("dataset", "-val_mae", "-pk").values_list(*columns)}
    return {dataset: _beside(sizes.get(dataset, 0), *best.get(dataset, ())) for dataset in wanted}


def _beside(
    articles: int, name: str = "", number: int = 0, ridge: float | None = None, constant: float | None = None
) -> Baselines:
    return Baselines(articles, constant, ridge, f"{name} v{number}" if name else "")


def in_line(run: TrainingRun) -> str:
    """What a waiting run waits for; one training learns at a time."""
    if run.state != RunState.QUEUED:
        return ""
    ahead = list(TrainingRun.objects.ahead_of(run))
    busy = [f"{other} is at work" for other in ahead if other.state == RunState.RUNNING]
    waiting = sum(other.state == RunState.QUEUED for other in ahead)
    if waiting:
        busy.append(f"{waiting} {'run waits' if waiting == 1 else 'runs wait'} before this one")
    return f"{' and '.join(busy)}.".capitalize() if busy else "It is next: a worker takes it within seconds."


@dataclass(frozen=True)
class Listed:
    """A run in a list, with its best validation MAE so far and what it has to be compared with."""

    run: TrainingRun
    val_mae: float | None
    beside: Baselines


def listed(runs: Sequence[TrainingRun]) -> list[Listed]:
    """Runs with select_related("result"); three queries for all of them."""
    beside, unfinished = baselines(run.dataset_id for run in runs), [run.pk for run in runs if not hasattr(run, "result")]
    so_far = _best_so_far(unfinished)
    return [
        Listed(run, run.result.val_mae if hasattr(run, "result") else so_far.get(run.pk), beside[run.dataset_id]) for run in runs
    ]


def _best_so_far(runs: Sequence[int]) -> dict[int, float]:
    best: dict[int, float] = {}
    for run, mae in TrainingRun.objects.filter(pk__in=runs, epochs__isnull=False).values_list("pk", "epochs__val_mae"):
        if math.isfinite(mae):
            best[run] = min(mae, best.get(run, mae))
    return best
