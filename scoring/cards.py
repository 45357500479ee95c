"""What is said of a student beside its files when it leaves: what it scores, how well, from what, and on whose terms."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string

from labeling.models import FilterVersion
from scoring.figures import latest_benchmark, ridge_benchmark, times_opened
from scoring.models import Benchmark
from training.freezing.provenance import labelled_by, oracles_of
from training.models import Dataset, Kind, ModelVersion, Split
from training.student.bases.catalogue import CATALOGUE, TERMS

Figures = dict[str, Any]
_LIBRARY = {Kind.RIDGE: "sklearn", Kind.KERNEL: "transformers", Kind.LORA: "peft"}
_MOST = 6  # sources and languages that are named


@dataclass(frozen=True)
class Row:
    """One dimension's line in the table; `ridge` is the ridge student's error on the same rows."""

    name: str
    figures: Figures
    ridge: float | None


@dataclass(frozen=True)
class Measured:
    """One filter's figures on one split: its mean, and a line a dimension."""

    version: FilterVersion
    mean: Row
    rows: list[Row]


@dataclass(frozen=True)
class Base:
    """A pretrained model that the student stands on, and what its licence asks."""

    home: str
    revision: str
    licence: str
    terms: str


def card(model: ModelVersion, *, merged: bool = False) -> dict[str, str]:
    """Title, front matter, first paragraph and sections, as `training.student.travel.export` writes them into its README."""
    names = " and ".join(str(version) for version in model.versions)
    where = f"It learned from the data set {model.dataset}" if model.dataset else "It learned elsewhere"
    lede = (
        f"A {model.get_kind_display()} student that scores articles for {names}: {len(model.manifest['outputs'])} scores from 0 "
        f"to 10. {where}; what it imitates is an oracle's judgement, errors included."
    )
    text = render_to_string("scoring/card.md", context(model))
    return {"title": str(model), "front": _front(model, merged), "lede": lede, "card": text.strip() + "\n"}


def context(model: ModelVersion) -> dict[str, Any]:
    test = latest_benchmark(model, Split.TEST) or latest_benchmark(model, Split.VAL)
    dataset = model.dataset
    return {
        "model": model,
        "manifest": model.manifest,
        "dimensions": _dimensions(model),
        "benchmark": test,
        "measured": [found for version in model.versions if (found := _measured(test, version))] if test else [],
        "opened": times_opened(test.dataset) if test and test.split == Split.TEST else 0,
        "splits": _splits(dataset) if dataset else {},
        "labelled_by": labelled_by(dataset) if dataset else "",
        "providers": sorted({oracle.provider for oracle in oracles_of(dataset)}) if dataset else [],
        "sources": _common(dataset, "article__source") if dataset else "",
        "languages": _common(dataset, "article__language") if dataset else "",
        "bases": bases_of(model.manifest),
    }


def _dimensions(model: ModelVersion) -> list[tuple[FilterVersion, Figures]]:
    """Every output's filter version and dimension, in the order of the scores."""
    known = {(version.pk, one["key"]): (version, one) for version in model.versions for one in version.dimensions}
    return [known[output.version_id, output.dimension] for output in model.outputs.all()]


def bases_of(manifest: Figures) -> list[Base]:
    """Its own base, or those of a stack's members."""
    own = manifest.get("base")
    found = [own] if own else [member["base"] for member in manifest.get("members", ()) if member.get("base")]
    return [Base(about["home"], about["revision"], about["licence"], _terms(about)) for about in found]


def _terms(about: Figures) -> str:
    known = CATALOGUE.get(about["name"])
    return (known.terms if known else TERMS.get(about["licence"], "")).strip()


def _front(model: ModelVersion, merged: bool) -> str:
    """What the hub reads of a card. The licence is the giver's to name, so none is."""
    library = "transformers" if merged else _LIBRARY.get(Kind(model.kind))
    lines = [f"library_name: {library}"] if library else []
    lines += [f"base_model: {base.home}" for base in bases_of(model.manifest)[:1] if "/" in base.home]  # as the hub knows it
    return "\n".join([*lines, "tags: [text-regression]"])


def _measured(benchmark: Benchmark, version: FilterVersion) -> Measured | None:
    slug = version.filter.slug
    if slug not in benchmark.report["filters"]:
        return None
    ridge = ridge_benchmark(benchmark.dataset, benchmark.split)
    other = ridge.report if ridge and ridge.model_id != benchmark.model_id else None
    found = {one["dimension"]: one for one in benchmark.report["outputs"] if one["filter"] == slug}
    rows = [_row(one["name"], found[one["key"]], _ridge(other, slug, one["key"])) for one in version.dimensions]
    return Measured(version, _row("mean", benchmark.report["filters"][slug], _ridge(other, slug, None)), rows)


def _row(name: str, figures: Figures, ridge: float | None) -> Row:
    low, high = figures["mae_ci"]
    repeat = figures["repeat"] or {"mae": None, "n": 0}
    return Row(name.replace("|", "/"), {**figures, "low": low, "high": high, "repeat": repeat}, ridge)


def _ridge(report: Figures | None, slug: str, key: str | None) -> float | None:
    if report is None:
        return None
    if key is None:
        return report["filters"].get(slug, {}).get("mae")
    return next((one["mae"] for one in report["outputs"] if (one["filter"], one["dimension"]) == (slug, key)), None)


def _splits(dataset: Dataset) -> dict[str, int]:
    counted = Counter(dataset.items.values_list("split", flat=True))
    return {str(split.label): counted[split] for split in Split}


def _common(dataset: Dataset, field: str) -> str:
    """The commonest values among the training articles, with their shares."""
    counted = Counter(dataset.items.filter(split=Split.TRAIN).values_list(field, flat=True))
    total = counted.total()
    return ", ".join(f"{name or 'unknown'} {n / total:.0%}" for name, n in counted.most_common(_MOST))
