"""What the pages draw of benchmarks: the table of versions, the distance to the oracle, scatter and worst articles.

Everything here is read from finished Benchmark rows, their report and their stored predictions; nothing is computed twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distillery_site.common.runs import RunState
from labeling.models import Article, Filter, FilterVersion
from scoring.models import Benchmark
from scoring.reports import Rows, rows_of
from training.freezing.provenance import sources_of
from training.models import Dataset, Kind, ModelVersion, Split

Report = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One error with its 95 % interval; `skill` is None in the rows that skill is measured against."""

    mae: float
    low: float | None = None
    high: float | None = None
    skill: float | None = None
    n: int = 0
    few: bool = False


@dataclass(frozen=True)
class Row:
    """A line of the version table. `kind` is constant, ridge, repeat or version; the first three are baselines.

    `comparable` is False where the figures come from another data set or an older rubric than the table's baselines.
    """

    kind: str
    label: str
    cells: list[Cell | None]
    mean: Cell | None
    model: ModelVersion | None = None
    benchmark: Benchmark | None = None
    aliases: list[str] = field(default_factory=list)
    comparable: bool = True

    @property
    def baseline(self) -> bool:
        return self.kind != "version"


@dataclass(frozen=True)
class Table:
    """Versions × dimensions of one filter; `dataset` and `n` belong to the baselines and to every comparable row."""

    filter: Filter
    version: FilterVersion | None
    dataset: Dataset | None
    split: str
    n: int
    dimensions: list[dict[str, Any]]
    rows: list[Row]


@dataclass(frozen=True)
class Track:
    """The distance to the oracle, in points of the 0–10 scale: zero at the left, `constant` at the right end.

    `half_repeat` … `repeat` is the hatched band where a perfect imitator of the oracle's mean would land;
    `repeat_low` … `repeat_high` is the repeat error's own interval. `travelled` = skill, the share of the way gone.
    """

    label: str
    n: int
    few: bool
    constant: float
    mae: float
    low: float | None
    high: float | None
    travelled: float
    repeat: float | None
    repeat_low: float | None
    repeat_high: float | None
    ridge: float | None
    challenger: float | None
    n_ge_5: int | None = None

    @property
    def half_repeat(self) -> float | None:
        return None if self.repeat is None else self.repeat / 2

    @property
    def sentence(self) -> str:
        """The picture for people who hear the page."""
        way = "better" if self.travelled >= 0 else "worse"
        again = "" if self.repeat is None else f"; asked twice, the oracle differs from itself by {self.repeat:.2f}"
        few = "; too few high scores to judge" if self.few else ""
        return f"{self.label}: {self.mae:.2f}, {100 * abs(self.travelled):.0f} % {way} than a constant{again}; n = {self.n}{few}"


@dataclass(frozen=True)
class Scatter:
    """Predicted (clipped) against true scores of one output, in article order; articles without a label are left out."""

    filter: str
    dimension: str
    truth: list[float]
    predicted: list[float]
    article_ids: list[int]


@dataclass(frozen=True)
class WorstScore:
    filter: str
    dimension: str
    truth: float
    predicted: float

    @property
    def error(self) -> float:
        return abs(self.predicted - self.truth)


@dataclass(frozen=True)
class Worst:
    """An article that the student missed by `error` points on average, with the oracle's reasons by filter slug."""

    article: Article
    error: float
    scores: list[WorstScore]
    reasons: dict[str, str]


def latest_benchmark(model: ModelVersion, split: str = "test") -> Benchmark | None:
    """The finished benchmark of a version on its own data set; for one that learned elsewhere, on the newest there is."""
    done = Benchmark.objects.filter(model=model, split=split, state=RunState.DONE).order_by("-dataset_id")
    return (done.filter(dataset_id=model.dataset_id) if model.dataset_id else done).first()


def ridge_benchmark(dataset: Dataset, split: str = "test") -> Benchmark | None:
    """The newest ridge version's finished benchmark on the same rows: the linear-text baseline."""
    done = Benchmark.objects.filter(dataset=dataset, split=split, state=RunState.DONE, model__kind=Kind.RIDGE)
    return done.order_by("-model_id").first()


def times_opened(dataset: Dataset) -> int:
    """How many versions have looked at a data set's test split: each look makes its figures a little less honest."""
    return Benchmark.objects.filter(dataset=dataset, split=Split.TEST).count()


def opened(dataset: Dataset) -> str:
    """“The test split of news was opened 3 times, once for each of 3 versions.”"""
    times = times_opened(dataset)
    often = f"{times} times, once for each of {times} versions" if times > 1 else ("never", "once, for one version")[times]
    return f"The test split of {dataset} was opened {often}."


def version_table(filter_: Filter, split: str = "test") -> Table:
    """Baselines first (constant, ridge, the oracle's repeat error), then every benchmarked version, newest first.

    The baselines are those of the data set behind the champion, or else behind the newest version.
    """
    done = _benchmarks(filter_, split)
    aliases = _aliases(filter_)
    lead = next((b for b in done if "champion" in aliases.get(b.model_id, [])), done[0] if done else None)
    version = _version_of(lead, filter_) if lead else filter_.latest
    dimensions = version.dimensions if version else []
    if lead is None or version is None:
        return Table(filter_, version, None, split, 0, dimensions, [])
    rows = _baselines(lead, version, [b for b in done if b.dataset_id == lead.dataset_id])
    rows += [_version_row(b, version, aliases.get(b.model_id, []), b.dataset_id == lead.dataset_id) for b in done]
    n = lead.report["filters"][filter_.slug]["n"]
    return Table(filter_, version, lead.dataset, split, n, dimensions, rows)


def track(
    report: Report,
    filter_slug: str,
    dimension: str | None = None,
    *,
    ridge: Report | None = None,
    challenger: Report | None = None,
    label: str = "",
) -> Track | None:
    """Numbers of one track, or of the mean over a filter's dimensions; None where the report has no such figures."""
    figures = _figures(report, filter_slug, dimension)
    if figures is None or figures["mae"] is None:
        return None
    repeat = figures["repeat"] or {"mae": None, "ci": [None, None]}
    low, high = figures["mae_ci"]
    repeat_low, repeat_high = repeat["ci"]
    return Track(
        label=label or dimension or filter_slug,
        n=figures["n"],
        few=figures.get("few", False),
        n_ge_5=figures.get("n_ge_5"),
        constant=figures["constant_mae"],
        mae=figures["mae"],
        low=low,
        high=high,
        travelled=figures["skill"] or 0.0,
        repeat=repeat["mae"],
        repeat_low=repeat_low,
        repeat_high=repeat_high,
        ridge=_mae(ridge, filter_slug, dimension),
        challenger=_mae(challenger, filter_slug, dimension),
    )


def tracks(benchmark: Benchmark, version: FilterVersion, challenger: Benchmark | None = None) -> list[Track]:
    """One track a dimension of one filter version, with ridge on the same rows as the tick."""
    ridge = ridge_benchmark(benchmark.dataset, benchmark.split)
    others: dict[str, Report | None] = {
        "ridge": ridge.report if ridge and ridge.model_id != benchmark.model_id else None,
        "challenger": challenger.report if challenger else None,
    }
    found = (track(benchmark.report, version.filter.slug, key, **others) for key in version.keys)
    return [one for one in found if one]


def mean_track(benchmark: Benchmark, filter_: Filter, challenger: Benchmark | None = None) -> Track | None:
    """The small track of lists: the mean over a filter's dimensions."""
    ridge = ridge_benchmark(benchmark.dataset, benchmark.split)
    report = ridge.report if ridge and ridge.model_id != benchmark.model_id else None
    other = challenger.report if challenger else None
    return track(benchmark.report, filter_.slug, ridge=report, challenger=other, label=filter_.name)


def scatter(benchmark: Benchmark) -> list[Scatter]:
    """Every output's points, in the model's order of outputs."""
    rows = rows_of(benchmark)
    return [_scatter(rows, column) for column in range(len(rows.outputs))]


def worst_articles(benchmark: Benchmark, n: int = 10, filter_slug: str | None = None) -> list[Worst]:
    """The articles with the largest mean |error| over the outputs (of one filter, if named), largest first."""
    rows = rows_of(benchmark)
    wanted = [c for c, output in enumerate(rows.outputs) if filter_slug in (None, output.filter)]
    errors = np.abs(rows.predicted - rows.truth)[:, wanted]
    seen = ~np.isnan(errors).all(axis=1)
    means = np.full(len(errors), -1.0)
    means[seen] = np.nanmean(errors[seen], axis=1)
    order = [int(i) for i in np.argsort(-means, kind="stable")[:n] if means[i] >= 0]
    articles = Article.objects.in_bulk([rows.article_ids[i] for i in order])
    reasons = reasons_of(benchmark.dataset, articles)
    return [
        Worst(articles[rows.article_ids[i]], float(means[i]), _scores(rows, i, wanted), reasons.get(rows.article_ids[i], {}))
        for i in order
    ]


def _benchmarks(filter_: Filter, split: str) -> list[Benchmark]:
    """Each version's finished benchmark (see `latest_benchmark`), newest version first."""
    done = Benchmark.objects.filter(split=split, state=RunState.DONE, model__outputs__version__filter=filter_).distinct()
    rows = done.select_related("model", "dataset").order_by("-model_id", "-dataset_id")
    newest: dict[int, Benchmark] = {}
    for row in rows:
        if row.model.dataset_id in (None, row.dataset_id) and filter_.slug in row.report["filters"]:
            newest.setdefault(row.model_id, row)
    return list(newest.values())


def _aliases(filter_: Filter) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for deployment in filter_.deployments.order_by("alias"):
        found.setdefault(deployment.model_id, []).append(deployment.alias)
    return found


def _version_of(benchmark: Benchmark, filter_: Filter) -> FilterVersion:
    number = benchmark.report["filters"][filter_.slug]["version"]
    return filter_.versions.get(number=number)


def _baselines(lead: Benchmark, version: FilterVersion, same_rows: Sequence[Benchmark]) -> list[Row]:
    ridge = next((b for b in same_rows if b.model.kind == Kind.RIDGE), None)
    rows = [_report_row("constant", "best constant", lead.report, version, _constant_cell)]
    if ridge:
        rows.append(_report_row("ridge", f"ridge ({ridge.model})", ridge.report, version, _cell, ridge))
    return [*rows, _report_row("repeat", "the oracle, asked twice", lead.report, version, _repeat_cell)]


def _version_row(benchmark: Benchmark, version: FilterVersion, aliases: list[str], same_dataset: bool) -> Row:
    own = benchmark.report["filters"][version.filter.slug]["version"]
    same = same_dataset and own == version.number
    return _report_row("version", str(benchmark.model), benchmark.report, version, _cell, benchmark, aliases, same)


def _report_row(
    kind: str,
    label: str,
    report: Report,
    version: FilterVersion,
    cell: Any,
    benchmark: Benchmark | None = None,
    aliases: Iterable[str] = (),
    comparable: bool = True,
) -> Row:
    slug = version.filter.slug
    cells = [cell(_figures(report, slug, key)) for key in version.keys]
    model = benchmark.model if benchmark else None
    return Row(kind, label, cells, cell(_figures(report, slug, None)), model, benchmark, list(aliases), comparable)


def _cell(figures: Report | None) -> Cell | None:
    if figures is None or figures["mae"] is None:
        return None
    low, high = figures["mae_ci"]
    return Cell(figures["mae"], low, high, figures["skill"], figures["n"], figures.get("few", False))


def _constant_cell(figures: Report | None) -> Cell | None:
    if figures is None or figures["constant_mae"] is None:
        return None
    return Cell(figures["constant_mae"], n=figures["n"], few=figures.get("few", False))


def _repeat_cell(figures: Report | None) -> Cell | None:
    repeat = figures and figures["repeat"]
    if not repeat:
        return None
    low, high = repeat["ci"]
    return Cell(repeat["mae"], low, high, n=repeat["n"])


def _figures(report: Report, slug: str, dimension: str | None) -> Report | None:
    if dimension is None:
        return report["filters"].get(slug)
    return next((o for o in report["outputs"] if (o["filter"], o["dimension"]) == (slug, dimension)), None)


def _mae(report: Report | None, slug: str, dimension: str | None) -> float | None:
    figures = _figures(report, slug, dimension) if report else None
    return figures["mae"] if figures else None


def _scatter(rows: Rows, column: int) -> Scatter:
    known = np.flatnonzero(~np.isnan(rows.truth[:, column]))
    output = rows.outputs[column]
    truth, predicted = rows.truth[known, column].tolist(), rows.predicted[known, column].round(3).tolist()
    return Scatter(output.filter, output.dimension, truth, predicted, [rows.article_ids[i] for i in known])


def _scores(rows: Rows, row: int, columns: list[int]) -> list[WorstScore]:
    return [
        WorstScore(rows.outputs[c].filter, rows.outputs[c].dimension, float(rows.truth[row, c]), float(rows.predicted[row, c]))
        for c in columns
        if not np.isnan(rows.truth[row, c])
    ]


def reasons_of(dataset: Dataset, article_ids: Iterable[int]) -> dict[int, dict[str, str]]:
    """{article: {filter slug: the oracle's reasoning}} of the reading the data set was frozen from."""
    reading, wanted = dataset.recipe.get("reading", 1), list(article_ids)
    found: dict[int, dict[str, str]] = {}
    for version in dataset.versions:
        for source in sources_of(dataset, version):
            labels = source.found.filter(reading=reading, article__in=wanted)
            for article, reasoning in labels.values_list("article", "reasoning"):
                found.setdefault(article, {}).setdefault(version.filter.slug, reasoning)
    return found
