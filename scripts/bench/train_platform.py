"""The demo's data set through the site's own services: students over seeds, a choice on validation, one opening of the test.

Every step first looks whether its work is there, as the demo does.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from distillery_site import celery as celery  # tasks are sent by its app
from distillery_site.common.runs import Run
from distillery_site.demo import Demo, Plan, revive, validation_mae
from scoring import reports
from scoring import services as scoring
from scoring.models import Benchmark
from scoring.tasks import benchmark
from scripts.bench.say import tell
from training import services as training
from training.models import Dataset, Kind, ModelVersion, Split, TrainingRun
from training.student import calibrate
from training.tasks import train

ASKED = {"investment_risk": 0.30, "uplifting": 0.56}
SOUGHT = {"investment_risk": 0.27, "uplifting": 0.48}
ALONE = [kind for kind in Kind if kind not in (Kind.LORA, Kind.STACK)]  # without a seed: one of each serves all stacks


def mae(*, seeds: int, fast: bool) -> dict[str, Any]:
    demo = Demo(Plan.fast() if fast else Plan(), "", say=tell, watch=Watching())
    dataset = demo.freeze(demo_labels(demo))
    alone = [student(demo, dataset, kind, 0, ()) for kind in ALONE]
    students: dict[str, list[ModelVersion]] = {kind: [one] for kind, one in zip(ALONE, alone, strict=True)}
    for seed in range(seeds):
        lora = student(demo, dataset, Kind.LORA, seed, ())
        stack = student(demo, dataset, Kind.STACK, seed, (*alone, lora))
        students.setdefault(Kind.LORA, []).append(lora)
        students.setdefault(Kind.STACK, []).append(stack)
    return figures(demo, dataset, students)


def demo_labels(demo: Demo) -> list[Any]:
    versions = demo.bring_in()
    demo.label(versions)
    return versions


def student(demo: Demo, dataset: Dataset, kind: Kind, seed: int, parents: Sequence[ModelVersion]) -> ModelVersion:
    """Trained and measured on validation, from whatever stage it is in."""
    run = run_of(demo, dataset, kind, seed, parents)
    revive(run)
    if not run.is_final:
        tell(f"mae: training {run.model_name} with seed {seed}")
        train.delay(run.pk)
    demo.wait_for([run])
    measured(demo, run.result, Split.VAL)
    return run.result


def run_of(demo: Demo, dataset: Dataset, kind: Kind, seed: int, parents: Sequence[ModelVersion]) -> TrainingRun:
    """Run number `seed` of its kind: the one that is there, or a new one."""
    own = {**(demo.plan.lora if kind == Kind.LORA else {}), **({"seed": seed} if seed else {})}
    known = dataset.training_runs.trainings().filter(kind=kind).order_by("pk")
    same = next((run for run in known if run.config.get("seed", 0) == seed), None)
    preset = "minilm-demo" if kind == Kind.LORA else ""
    return same or training.start_training(dataset=dataset, kind=kind, preset=preset, config=own, parents=parents)


def measured(demo: Demo, model: ModelVersion, split: str) -> Benchmark:
    row = scoring.start_benchmark(model=model, split=split)
    revive(row)
    if not row.is_final:
        benchmark.delay(row.pk)
    demo.wait_for([row])
    return row


def figures(demo: Demo, dataset: Dataset, students: Mapping[str, Sequence[ModelVersion]]) -> dict[str, Any]:
    """Validation over seeds, then the test split with each filter's choice and the two baselines."""
    slugs = [version.filter.slug for version in dataset.versions]
    validation = {slug: {kind: [validation_mae(one, slug) for one in made] for kind, made in students.items()} for slug in slugs}
    choice = {slug: min(found, key=lambda kind: statistics.mean(found[kind])) for slug, found in validation.items()}
    ridge = measured(demo, students[Kind.RIDGE][0], Split.TEST).report
    chosen = {slug: measured(demo, students[kind][0], Split.TEST).report for slug, kind in choice.items()}
    found = {
        "mae": {slug: report["filters"][slug]["mae"] for slug, report in chosen.items()},
        "mae_ci": {slug: report["filters"][slug]["mae_ci"] for slug, report in chosen.items()},
        "mae_by_dimension": {slug: dimensions(report, ridge, slug) for slug, report in chosen.items()},
        "mae_sd": {slug: spread(validation[slug][kind]) for slug, kind in choice.items()},
        "mae_validation": {slug: {kind: mean(values) for kind, values in found.items()} for slug, found in validation.items()},
        "mae_sd_by_dimension": {slug: spread_by_dimension(students[kind], slug) for slug, kind in choice.items()},
        "chosen": choice,
        "test_openings": dataset.benchmarks.filter(split=Split.TEST).count(),
        "training_minutes": minutes(dataset),
    }
    say(found)
    return found


def dimensions(report: Mapping[str, Any], ridge: Mapping[str, Any], slug: str) -> dict[str, dict[str, Any]]:
    """One filter's dimensions beside their baselines; `kept_up` is whether the interval reaches the best baseline."""
    found = {}
    for one, straight in zip(report["outputs"], ridge["outputs"], strict=True):
        if one["filter"] != slug:
            continue
        baseline = min(one["constant_mae"], straight["mae"])
        found[one["dimension"]] = {
            "mae": one["mae"],
            "ci": one["mae_ci"],
            "constant": one["constant_mae"],
            "ridge": straight["mae"],
            "repeat": one["repeat"] and one["repeat"]["mae"],
            "n": one["n"],
            "kept_up": one["mae_ci"][0] <= baseline,
        }
    return found


def mean(values: Sequence[float]) -> float:
    return round(statistics.mean(values), 4)


def spread(values: Sequence[float]) -> float | None:
    return round(statistics.stdev(values), 4) if len(values) > 1 else None


def spread_by_dimension(models: Sequence[ModelVersion], slug: str) -> dict[str, dict[str, float | None]]:
    """Validation error and its standard deviation over the seeds."""
    outputs = [one.benchmarks.get(split=Split.VAL).report["outputs"] for one in models]
    columns = zip(*outputs, strict=True)
    errors = {column[0]["dimension"]: [one["mae"] for one in column] for column in columns if column[0]["filter"] == slug}
    return {key: {"mae": mean(values), "sd": spread(values)} for key, values in errors.items()}


def minutes(dataset: Dataset) -> dict[str, float]:
    """The longest training of each kind, from its start to its end, whatever else the machine did."""
    found: dict[str, float] = {}
    for run in dataset.training_runs.trainings().filter(state="done"):
        took = (run.finished_at - run.started_at).total_seconds() / 60
        found[run.kind] = round(max(found.get(run.kind, 0.0), took), 1)
    return found


def say(found: Mapping[str, Any]) -> None:
    for slug, error in found["mae"].items():
        low, high = found["mae_ci"][slug]
        tell(f"mae: {slug} {error:.3f} [{low:.3f}, {high:.3f}] on test by {found['chosen'][slug]}; asked ≤ {ASKED.get(slug)}, "
             f"sought {SOUGHT.get(slug)}")  # fmt: skip
        for key, one in found["mae_by_dimension"][slug].items():
            said = "" if one["kept_up"] else "  WORSE than the best baseline"
            tell(f"mae:   {key} {one['mae']:.3f} (constant {one['constant']:.3f}, ridge {one['ridge']:.3f}){said}")


def coverage(*, fast: bool) -> dict[str, Any]:
    """Kind → mean share over outputs and 200 random halves, with its range over outputs, of students measured on both splits."""
    dataset = Dataset.objects.filter(name=(Plan.fast() if fast else Plan()).dataset).first()
    if dataset is None:
        raise SystemExit("There is no student to look at: run the part mae first.")
    found: dict[str, Any] = {}
    for test in dataset.benchmarks.filter(split=Split.TEST, state="done").select_related("model").order_by("pk"):
        val = test.model.benchmarks.filter(split=Split.VAL, state="done", dataset=dataset).first()
        if val is not None:
            found[test.model.kind] = covered([reports.rows_of(val), reports.rows_of(test)])
            tell(f"coverage: {test.model.kind} {found[test.model.kind]}")
    return found


def covered(splits: Sequence[reports.Rows]) -> dict[str, float]:
    truth, predicted = (np.concatenate([getattr(rows, name) for rows in splits]) for name in ("truth", "predicted"))
    outputs = np.nanmean(calibrate.mean_coverage(truth, predicted), axis=0)
    known = outputs[~np.isnan(outputs)]
    return {
        "mean": round(float(known.mean()), 4),
        "lowest": round(float(known.min()), 4),
        "highest": round(float(known.max()), 4),
    }


class Watching:
    """A line now and then."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}

    def __call__(self, run: Run) -> None:
        line = f"{run}: {run.state} {run.stage}"
        if self.said.get(str(run)) != line:
            self.said[str(run)] = line
            tell(line)
