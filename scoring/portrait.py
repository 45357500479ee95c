"""Everything the model page shows of one version and one filter, gathered from its benchmarks."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from distillery_site.common.svg import ceiling
from labeling.models import Filter, FilterVersion
from scoring import figures
from scoring.models import Benchmark
from scoring.quality import Quality, quality
from training.models import Deployment, ModelVersion, Promotion, Split
from training.student.metrics import Band

Figures = dict[str, Any]
NOT_FOR_A_MEAN = ("n_ge_5", "rmse", "bias", "pearson", "spearman", "clipped_share")
CHAMPION, CHALLENGER = Deployment.Alias.CHAMPION, Deployment.Alias.CHALLENGER


@dataclass(frozen=True)
class Line:
    """One dimension's figures on one split; `ridge` is the ridge student's error on the same rows."""

    split: str
    figures: Figures
    ridge: float | None


@dataclass(frozen=True)
class Dimension:
    """One dimension of one filter: its track, both splits' figures, and the drawings' data."""

    key: str
    name: str
    track: figures.Track | None
    lines: list[Line]
    scatter: figures.Scatter | None
    bands: list[Band]


@dataclass(frozen=True)
class History:
    """The latest changes of a filter's aliases, and the one of the champion that a rollback would undo."""

    filter: Filter
    changes: list[Promotion]
    undo: Promotion | None


@dataclass(frozen=True)
class Portrait:
    """`rival` is the version behind the hollow diamonds: the challenger of a champion, or the champion of any other."""

    version: FilterVersion
    aliases: list[str]
    champion: ModelVersion | None
    challenger: ModelVersion | None
    rival: ModelVersion | None
    mean: figures.Track | None
    mean_lines: list[Line]
    dimensions: list[Dimension]
    bands_top: float
    people: Quality | None
    history: History

    @property
    def rival_name(self) -> str:
        if self.rival is None:
            return ""
        return f"{self.rival} ({'champion' if self.rival == self.champion else 'challenger'})"


@dataclass(frozen=True)
class _Measured:
    """One split's reports: the version's, and that of the ridge student on the same rows."""

    split: str
    report: Figures
    ridge: Figures | None

    @classmethod
    def of(cls, benchmark: Benchmark) -> "_Measured":
        ridge = figures.ridge_benchmark(benchmark.dataset, benchmark.split)
        return cls(Split(benchmark.split).label, benchmark.report, ridge.report if ridge else None)


def portrait(model: ModelVersion, version: FilterVersion) -> Portrait:
    """One filter's part of a model's page; drawings are of the test split."""
    aliases = {row.alias: row.model for row in version.filter.deployments.select_related("model")}
    test, val = (figures.latest_benchmark(model, split) for split in (Split.TEST, Split.VAL))
    rival = aliases.get(CHALLENGER) if aliases.get(CHAMPION) == model else aliases.get(CHAMPION)
    other = _comparable(rival, test)
    measured = [_Measured.of(benchmark) for benchmark in (test, val) if benchmark]
    dimensions = list(_dimensions(version, test, other, measured))
    return Portrait(
        version=version,
        aliases=[alias for alias, served in aliases.items() if served == model],
        champion=aliases.get(CHAMPION),
        challenger=aliases.get(CHALLENGER),
        rival=rival if other else None,
        mean=figures.mean_track(test, version.filter, other) if test else None,
        mean_lines=list(_lines(version.filter.slug, None, measured)),
        dimensions=dimensions,
        bands_top=ceiling(band.mae for dimension in dimensions for band in dimension.bands if band.n),
        people=quality(benchmark, version) if (benchmark := test or val) else None,
        history=history(version.filter),
    )


def _comparable(rival: ModelVersion | None, test: Benchmark | None) -> Benchmark | None:
    """The rival's benchmark on the very same rows, or None: errors on different articles aren't drawn on one track."""
    if rival is None or test is None or rival.pk == test.model_id:
        return None
    other = figures.latest_benchmark(rival, test.split)
    return other if other and other.dataset_fingerprint == test.dataset_fingerprint else None


def _dimensions(
    version: FilterVersion, test: Benchmark | None, other: Benchmark | None, measured: Sequence[_Measured]
) -> Iterator[Dimension]:
    slug = version.filter.slug
    tracks = {track.label: track for track in figures.tracks(test, version, other)} if test else {}
    scatters = {(one.filter, one.dimension): one for one in figures.scatter(test)} if test else {}
    for dimension in version.dimensions:
        key = dimension["key"]
        shown = (_figures(test.report, slug, key) if test else None) or {}
        yield Dimension(
            key=key,
            name=dimension["name"],
            track=tracks.get(key),
            lines=list(_lines(slug, key, measured)),
            scatter=scatters.get((slug, key)),
            bands=[_band(band) for band in shown.get("bands", [])],
        )


def _lines(slug: str, key: str | None, measured: Sequence[_Measured]) -> Iterator[Line]:
    for one in measured:
        found = _figures(one.report, slug, key)
        if found:
            ridge = _figures(one.ridge, slug, key) or {}
            shown = {**dict.fromkeys(NOT_FOR_A_MEAN), **found, "repeat": found["repeat"] or {"mae": None, "ci": None}}
            yield Line(one.split, shown, ridge.get("mae"))


def _figures(report: Figures | None, slug: str, key: str | None) -> Figures | None:
    """One output's figures, or a filter's mean when no dimension is named."""
    if report is None:
        return None
    if key is None:
        return report["filters"].get(slug)
    return next((row for row in report["outputs"] if (row["filter"], row["dimension"]) == (slug, key)), None)


def _band(band: Figures) -> Band:
    return Band(band["low"], band["high"], int(band["n"]), *(nan if band[k] is None else band[k] for k in ("mae", "bias")))


def history(filter_: Filter, latest: int = 10) -> History:
    rows = filter_.promotions.select_related("model", "before", "by")
    undo = Promotion.objects.standing(filter_, CHAMPION)
    return History(filter_, list(rows[:latest]), undo if undo and undo.before else None)


def unmeasured_splits(model: ModelVersion) -> list[Split]:
    """The held-out splits of its data set that a version was not measured on, nor is being."""
    home = model.home
    if home is None:
        return []
    known = set(model.benchmarks.filter(dataset=home).values_list("split", flat=True))
    return [split for split in (Split.VAL, Split.TEST) if split not in known]


def manifest_text(model: ModelVersion) -> str:
    """The manifest for people: its files have a table of their own, its reference texts are for machines."""
    shown = {key: value for key, value in model.manifest.items() if key not in ("files", "golden")}
    return json.dumps(shown, indent=2, ensure_ascii=False)
