"""A benchmark's figures, computed from its stored predictions and bound to the hashes of what was measured.

Errors are on predictions clipped to 0–10. The constant that skill is measured against is the median of the
TRAINING targets, which is all that someone without a model could know; `own_constant` is the median of the measured
rows themselves, the best that any constant could have done with hindsight. Skill is 1 − MAE / MAE of the former.
Intervals are 95 % percentile bootstraps over articles, 2,000 resamples, seeded. `coverage` is how often the interval that
the student gives with a score held the oracle's: on the validation split, which it was made from, about as often as it
promises; on the test split that is the proof.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery_site.common.errors import Permanent
from labeling.comparing.agreement import repeat_errors
from labeling.models import FilterVersion
from scoring.models import Benchmark
from training.freezing.provenance import sources_of
from training.models import Dataset, ModelVersion, Split
from training.student import calibrate, metrics
from training.student.data import Output

Floats = NDArray[np.float64]
HIGH_SCORE = 5.0
ENOUGH_HIGH_SCORES = 10


@dataclass(frozen=True)
class Rows:
    """Truth and predictions side by side, [articles, outputs]; NaN where the oracle gave no score."""

    outputs: list[Output]
    article_ids: list[int]
    truth: Floats
    raw: Floats

    @cached_property
    def predicted(self) -> Floats:
        return metrics.clip(self.raw)[0]

    def columns(self, slug: str) -> list[int]:
        return [column for column, output in enumerate(self.outputs) if output.filter == slug]


def columns_in(model: ModelVersion, dataset: Dataset) -> list[int]:
    """For each output of the model, its column among the data set's targets. Raises Permanent when one has none."""
    targets = {(version.pk, key): column for column, (version, key) in enumerate(dataset.outputs)}
    outputs = list(model.outputs.select_related("version__filter"))
    strangers = [f"{o.dimension} of {o.version}" for o in outputs if (o.version_id, o.dimension) not in targets]
    if strangers or not outputs:
        raise Permanent(f"{model} can't be measured on {dataset}, which has no labels for {', '.join(strangers) or 'it'}.")
    return [targets[output.version_id, output.dimension] for output in outputs]


def rows_of(benchmark: Benchmark) -> Rows:
    """What was predicted, beside what the oracle said."""
    columns = columns_in(benchmark.model, benchmark.dataset)
    raw = dict(benchmark.predictions.values_list("article_id", "raw"))
    items = benchmark.dataset.items.filter(split=benchmark.split).order_by("pk").values_list("article_id", "targets")
    kept = [(article, targets) for article, targets in items if article in raw]
    truth = _array([targets for _, targets in kept], len(benchmark.dataset.outputs))[:, columns]
    outputs = [Output(o.version.filter.slug, o.version.number, o.dimension) for o in _outputs(benchmark.model)]
    return Rows(outputs, [article for article, _ in kept], truth, _array([raw[article] for article, _ in kept], len(columns)))


def build(benchmark: Benchmark) -> dict[str, Any]:
    """The report that pages, commands and the demo read; every number is a float or None, never NaN."""
    rows = rows_of(benchmark)
    constants = _training_medians(benchmark.dataset)[columns_in(benchmark.model, benchmark.dataset)]
    versions = {version.filter.slug: version for version in benchmark.dataset.versions}
    readings = {slug: _Readings.of(version, benchmark.dataset) for slug, version in versions.items()}
    served = {slug: version for slug, version in versions.items() if rows.columns(slug)}
    covered = _coverage(benchmark.model, rows)
    return {
        "n": len(rows.article_ids),
        "split": benchmark.split,
        "outputs": [
            {**_output(rows, c, constants[c], readings[output.filter]), "coverage": covered[c]}
            for c, output in enumerate(rows.outputs)
        ],
        "filters": {
            slug: {**_filter(rows, constants, version, readings[slug]), "coverage": _together(rows, covered, slug)}
            for slug, version in served.items()
        },
        "hashes": {
            "manifest": benchmark.manifest_sha256,
            "dataset": benchmark.dataset_fingerprint,
            "rubrics": {str(version): version.rubric_hash for version in served.values()},
        },
    }


@dataclass(frozen=True)
class _Readings:
    """How far the oracle's readings of one article lie apart under one filter version, [articles, dimensions]."""

    keys: list[str]
    apart: Floats

    @classmethod
    def of(cls, version: FilterVersion, dataset: Dataset) -> "_Readings":
        """Those of the data set's own sources, each against itself; labels of other prompts say nothing of them."""
        found = [repeat_errors(source) for source in sources_of(dataset, version)]
        return cls(version.keys, np.concatenate([np.empty((0, len(version.keys))), *found]))

    def repeat(self, keys: Sequence[str]) -> dict[str, Any] | None:
        """The repeat error over some dimensions: how far the oracle lies from itself."""
        found = metrics.bootstrap_mae(self.apart[:, [self.keys.index(key) for key in keys]])
        return {"mae": _number(found.value), "ci": _bounds(found), "n": found.n} if found.n else None


def _output(rows: Rows, column: int, constant: float, readings: _Readings) -> dict[str, Any]:
    truth, predicted = rows.truth[:, column], rows.predicted[:, column]
    output = rows.outputs[column]
    high = int(np.sum(truth >= HIGH_SCORE))
    own = metrics.best_constant(truth)
    return {
        **asdict(output),
        "n": metrics.count(truth, predicted),
        "n_ge_5": high,
        "few": high < ENOUGH_HIGH_SCORES,
        "rmse": _number(metrics.rmse(truth, predicted)),
        "bias": _number(metrics.bias(truth, predicted)),
        "pearson": _number(metrics.pearson(truth, predicted)),
        "spearman": _number(metrics.spearman(truth, predicted)),
        "constant": _number(constant),
        "own_constant": _number(own),
        **_errors(truth, predicted, np.full_like(truth, constant), np.full_like(truth, own)),
        "clipped_share": _number(metrics.clip(rows.raw[:, column])[1]),
        "bands": [{key: _number(value) for key, value in asdict(band).items()} for band in metrics.bands(truth, predicted)],
        "repeat": readings.repeat([output.dimension]),
    }


def _filter(rows: Rows, constants: Floats, version: FilterVersion, readings: _Readings) -> dict[str, Any]:
    """The mean over a filter's dimensions."""
    columns = rows.columns(version.filter.slug)
    truth = rows.truth[:, columns]
    own = np.array([metrics.best_constant(truth[:, place]) for place in range(len(columns))])
    return {
        "version": version.number,
        "n": int(np.sum(~np.isnan(truth).all(axis=1))),
        **_errors(truth, rows.predicted[:, columns], constants[columns], own),
        "repeat": readings.repeat([rows.outputs[column].dimension for column in columns]),
    }


def _coverage(model: ModelVersion, rows: Rows) -> list[dict[str, Any] | None]:
    """Of each output; None where the student has no intervals, or the oracle gave no score."""
    known = model.manifest.get("intervals")
    if not known:
        return [None] * len(rows.outputs)
    return [one if one["n"] else None for one in calibrate.coverage(known, rows.truth, rows.predicted)]


def _together(rows: Rows, covered: Sequence[dict[str, Any] | None], slug: str) -> dict[str, Any] | None:
    """The mean over a filter's dimensions, as with the MAE; n counts scores."""
    found = [one for column in rows.columns(slug) if (one := covered[column])]
    if not found:
        return None
    share, width = (float(np.mean([one[key] for one in found])) for key in ("share", "mean_width"))
    return {"level": found[0]["level"], "share": share, "n": sum(one["n"] for one in found), "mean_width": width}


def _errors(truth: Floats, predicted: Floats, constant: Floats, own: Floats) -> dict[str, Any]:
    """MAE and skill with their intervals, and what the two constants get on the same rows."""
    ours, constants, owns = (metrics.absolute_errors(truth, what) for what in (predicted, constant, own))
    error, skill = metrics.bootstrap_mae(ours), metrics.bootstrap_skill(ours, constants)
    return {
        "mae": _number(error.value),
        "mae_ci": _bounds(error),
        "constant_mae": _number(metrics.mean_of_columns(constants)),
        "own_constant_mae": _number(metrics.mean_of_columns(owns)),
        "skill": _number(skill.value),
        "skill_ci": _bounds(skill),
    }


def _training_medians(dataset: Dataset) -> Floats:
    targets = dataset.items.filter(split=Split.TRAIN).values_list("targets", flat=True)
    table = _array(list(targets), len(dataset.outputs))
    return np.array([metrics.best_constant(column) for column in table.T])


def _outputs(model: ModelVersion) -> Any:
    return model.outputs.select_related("version__filter")


def _array(rows: Sequence[Sequence[float | None]], columns: int) -> Floats:
    """[rows, columns] with NaN for None."""
    return np.array(rows, dtype=np.float64).reshape(len(rows), columns)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


def _bounds(interval: metrics.Interval) -> list[float | None]:
    return [_number(interval.low), _number(interval.high)]
