"""What the page, the command and the chart say of a learning curve: typed values and sentences out."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from distillery_site.common.statistics import Interval, bootstrap_mean, mean_of_columns
from labeling.comparing.agreement import repeat_errors
from labeling.models import FilterVersion
from training.curves.price import UNKNOWN, Price
from training.figures import Column, columns
from training.freezing.provenance import sources_of
from training.models import Dataset, LearningCurve
from training.student.powerlaw import Curve, Forecast, half

USUAL_MORE = 500
NOTHING = 0.001  # of a point on the scale from 0 to 10


@dataclass(frozen=True)
class Panel:
    """One filter's curve, and what it says of `more` labels.

    seeds: (articles, MAE) of every student. constant: what the best constant of the training labels gets on the same
    rows. repeat: how far the oracle lies from itself, None where nothing was read twice.
    """

    slug: str
    name: str
    curve: Curve
    seeds: list[tuple[int, float]]
    constant: float
    repeat: Interval | None
    more: int
    price: Price | None = None

    @cached_property
    def refusal(self) -> str:
        return self.curve.refusal(self.more)

    @cached_property
    def forecast(self) -> Forecast | None:
        return None if self.refusal else self.curve.forecast(self.more)

    @property
    def reach(self) -> int:
        """Labels at the right end of the picture."""
        if not self.curve.falls:
            return self.curve.labels
        return max(2 * self.curve.labels, self.forecast.labels if self.forecast else 0)

    @property
    def cost(self) -> str:
        """“about $0.40”, or that nobody knows."""
        return f"about ${self.price.of(self.more):,.2f}" if self.price else UNKNOWN

    @property
    def answer(self) -> str:
        """“500 more labels: MAE 0.338 → 0.330 ± 0.020, about $0.40.” Or why there is no such sentence."""
        if self.forecast is None:
            return self.refusal
        said = self.forecast
        return f"{self.more:,} more labels: MAE {said.now:.3f} → {said.then.value:.3f} ± {said.margin:.3f}, {self.cost}."

    @property
    def gain(self) -> str:
        """How much of it is sure: differences between sizes are surer than the level, which these articles share."""
        said = self.forecast
        if said is None:
            return ""
        if said.gain.high < NOTHING:
            return "That is less than a thousandth of a point: labels are not what this student lacks."
        less = f"{said.gain.value:.3f} points less ({said.gain.low:.3f} to {said.gain.high:.3f})"
        return (
            f"That is {less} on the same {said.gain.n:,} articles; on others like them both figures may be "
            f"{said.level:.3f} higher or lower."
        )

    @property
    def back_test(self) -> str:
        """“From 80 % of the labels it foretold 0.345 ± 0.004, found 0.338: off by −0.007, …”"""
        tested = self.curve.back_test
        if tested is None:
            return "There are too few sizes to test the curve on its own last point."
        off = f"{round(tested.off.value, 3) or 0.0:+.3f}".replace("-", "−").replace("+0.000", "0.000")
        verdict = "within what chance explains" if tested.held else "more than chance explains, so trust the dashed line less"
        return (
            f"From {100 * tested.sizes[-1] / self.curve.labels:.0f} % of the labels it foretold {tested.foretold:.3f} ± "
            f"{half(tested.off):.3f}, found {tested.found:.3f}: off by {off}, {verdict}."
        )

    @property
    def sentence(self) -> str:
        """The picture in words."""
        law = self.curve
        measured = ", ".join(f"{size:,}: {point.value:.3f}" for size, point in zip(law.sizes, law.points, strict=True))
        return f"Validation MAE of {self.name} by training labels: {measured}. {self.answer}"


def panels(run: LearningCurve, *, more: int = USUAL_MORE, price: Price | None = None) -> list[Panel]:
    """Nothing while the curve is not done."""
    versions = {version.filter.slug: version for version in run.dataset.versions}
    return [
        Panel(
            slug=slug,
            name=versions[slug].filter.name,
            curve=Curve.from_json(told),
            seeds=[(point["articles"], mae) for point, mae in _by_filter(run, slug)],
            constant=told["constant"],
            repeat=repeat_error(run.dataset, versions[slug]),
            more=more,
            price=price,
        )
        for slug, told in ((slug, run.fit["filters"].get(slug)) for slug in versions if run.fit)
        if told
    ]


def repeat_error(dataset: Dataset, version: FilterVersion) -> Interval | None:
    """Of the data set's own sources, each against itself."""
    apart = [repeat_errors(source) for source in sources_of(dataset, version)]
    found = bootstrap_mean(np.concatenate([np.empty((0, len(version.keys))), *apart]))
    return found if found.n else None


@dataclass(frozen=True)
class SizeRow:
    """All students of one size; for each filter its name and the mean, smallest and largest of their errors."""

    articles: int
    share: float
    students: int
    seconds: float
    by_filter: list[tuple[str, float, float, float]]


def size_rows(run: LearningCurve) -> list[SizeRow]:
    """A row for each size that has a point."""
    errors = {version.filter.name: _by_filter(run, version.filter.slug) for version in run.dataset.versions}
    return [_size(size, errors) for size in sorted({point["articles"] for point in run.points})]


def _size(size: int, errors: dict[str, list[tuple[dict[str, Any], float]]]) -> SizeRow:
    each = {name: [mae for point, mae in found if point["articles"] == size] for name, found in errors.items()}
    ours = [point for point, _ in next(iter(errors.values())) if point["articles"] == size]
    spreads = [(name, sum(maes) / len(maes), min(maes), max(maes)) for name, maes in each.items()]
    return SizeRow(size, ours[0]["share"], len(ours), sum(point["seconds"] for point in ours), spreads)


def _by_filter(run: LearningCurve, slug: str) -> list[tuple[dict[str, Any], float]]:
    """Every point with one filter's MAE, the mean over its dimensions."""
    places = [place for place, column in enumerate(columns(run.dataset)) if column.filter == slug]
    return [(point, _mean(point["mae_by_output"], places)) for point in run.points]


def _mean(errors: Sequence[float | None], places: Sequence[int]) -> float:
    return mean_of_columns(np.array([[np.nan if errors[place] is None else errors[place] for place in places]], dtype=np.float64))


@dataclass(frozen=True)
class DimensionRow:
    """One dimension's curve; `curve` is None where no validation article has a score of it."""

    column: Column
    curve: Curve | None
    constant: float | None

    @property
    def reading(self) -> str:
        if self.curve is None:
            return "no label to measure on"
        if self.curve.points[-1].value >= (self.constant or 0.0):
            return "no better than a constant yet" if self.curve.falls else "a constant does as well, and labels don't help"
        return "more labels still help" if self.curve.falls else "more labels don't help for sure"


def dimension_rows(run: LearningCurve) -> list[DimensionRow]:
    told = run.fit.get("outputs", ())
    return [
        DimensionRow(column, one["curve"] and Curve.from_json(one["curve"]), one["constant"])
        for column, one in zip(columns(run.dataset), told, strict=False)
    ]


def typed(run: LearningCurve) -> str:
    """The command that draws the same."""
    words = ["python", "manage.py", "learning_curve", run.dataset.name, "--student", run.kind, "--seeds", str(run.seeds)]
    words += ["--shares", *(f"{share:g}" for share in run.shares)]
    words += [word for name, value in run.config.items() for word in ("--set", f"{name}={value}")]
    return shlex.join(words)
