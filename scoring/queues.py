"""Which articles people should look at, where it takes a student to tell: what it makes of articles that it never learnt."""

from dataclasses import dataclass

import numpy as np

from distillery_site.common.errors import BadInput
from distillery_site.common.statistics import Floats
from labeling.models import Article, FilterVersion, ReviewTask
from labeling.reviewing import policies as labels
from labeling.reviewing.policies import Queue, draw
from labeling.reviewing.tasks import Pick
from scoring import comparing, movers, policies
from scoring.figures import latest_benchmark
from scoring.reports import rows_of
from scoring.suspicion import surprise
from training.models import Deployment, ModelVersion, Split
from training.student import calibrate

Reason = ReviewTask.Reason
NEAR = 1.0  # points from a tier's boundary
_NORMAL = 1.645  # standard errors that hold nine in ten, as intervals do


@dataclass(frozen=True)
class Measured:
    """A student beside the oracle, [articles, dimensions] in the rubric's order; NaN where the oracle gave no score.

    `half` is half the width of the student's intervals, None where it has none.
    """

    model: ModelVersion
    version: FilterVersion
    articles: list[int]
    truth: Floats
    predicted: Floats
    half: Floats | None

    @property
    def misses(self) -> Floats:
        return np.abs(self.truth - self.predicted)

    def name(self, place: int) -> str:
        return str(self.version.dimensions[place]["name"])


def measured(version: FilterVersion, splits: tuple[str, ...] = (Split.VAL, Split.TEST)) -> Measured:
    """The student that answers for this rubric, over what its finished benchmarks predicted. Raises BadInput without one."""
    model = student(version)
    columns = [model.columns(version)[key] for key in version.keys]
    done = [run for split in splits if (run := latest_benchmark(model, split))]
    if not done:
        raise BadInput(f"{model} has not been measured on the {splits[0]} split; benchmark it on its page.")
    rows = [rows_of(run) for run in done]
    raw = np.concatenate([one.raw for one in rows])
    truth, predicted = (np.concatenate(every)[:, columns] for every in ([r.truth for r in rows], [r.predicted for r in rows]))
    known, half = model.manifest.get("intervals"), None
    if known:
        low, high = calibrate.interval(known, raw)
        half = ((high - low) / 2)[:, columns]
    return Measured(model, version, [article for one in rows for article in one.article_ids], truth, predicted, half)


def student(version: FilterVersion) -> ModelVersion:
    """The filter's champion, if this is the rubric that it learnt; else the newest that has been measured."""
    taught = ModelVersion.objects.filter(outputs__version=version).distinct()
    champion = taught.filter(deployments__filter=version.filter, deployments__alias=Deployment.Alias.CHAMPION).first()
    newest = (model for model in taught.order_by("-pk") if latest_benchmark(model, Split.TEST))
    found = champion or next(newest, None)
    if found is None:
        raise BadInput(f"No student of {version} has been measured yet; train one, or choose a policy that needs labels only.")
    return found


def of_test(version: FilterVersion, n: int) -> list[Pick]:
    """A sample of what students are measured on: with people's scores there, true quality can be told."""
    found = measured(version, (Split.TEST,))
    return draw(found.articles, n, f"Drawn at random from the {len(found.articles):,} test articles of {found.model.home}.")


def gap(version: FilterVersion, n: int) -> list[Pick]:
    """Largest difference on any one dimension first."""
    found = measured(version)
    places = np.nan_to_num(found.misses).argmax(axis=1)
    said = f"{found.model} and the oracle differ most on"
    details = [f"{said} {found.name(place)}, by {found.misses[row, place]:.1f}." for row, place in enumerate(places)]
    return _ranked(found, Reason.GAP, np.nan_to_num(found.misses).max(axis=1), details, n)


def worst(version: FilterVersion, n: int) -> list[Pick]:
    """Largest mean error on the test split first."""
    found = measured(version, (Split.TEST,))
    errors = _row_means(found.misses)
    return _ranked(found, Reason.WORST, errors, [off(found.model, error) for error in errors], n)


def off(model: ModelVersion, error: float) -> str:
    return f"{model} is off by {error:.1f} points on average."


def wide(version: FilterVersion, n: int) -> list[Pick]:
    found = measured(version)
    if found.half is None:
        raise BadInput(
            f"{found.model} gives no intervals with its scores. A student trained anew does, on enough validation articles."
        )
    widths = found.half.mean(axis=1)
    details = [f"{found.model} is sure of its scores to within {width:.1f} points on average." for width in widths]
    return _ranked(found, Reason.WIDE, widths, details, n)


def tier(version: FilterVersion, n: int) -> list[Pick]:
    """Where the student's average lies nearest to a boundary, on either side: a small error changes what becomes of it."""
    found = measured(version)
    policy = version.policies.latest("number")
    bounds = [row["min"] for row in policy.tiers if row["min"] > 0]
    if not bounds:
        raise BadInput(f"The policy of {version} has one tier only, so nothing lies near a boundary.")
    texts = _texts(found) if policy.caps else {}
    far = np.full(len(found.articles), np.inf)
    for row, (article, said) in enumerate(zip(found.articles, found.predicted, strict=True)):
        average = policies.decide(dict(zip(version.keys, said, strict=True)), policy, texts.get(article, "")).capped_average
        far[row] = np.inf if average is None else min(abs(average - bound) for bound in bounds)
    details = [f"{found.model}'s average lies {away:.2f} points from a tier's boundary." for away in far]
    return _ranked(found, Reason.TIER, np.maximum(NEAR - far, 0.0), details, n)


def mover(version: FilterVersion, n: int) -> list[Pick]:
    """What the challenger sees most differently from the champion."""
    rows = version.filter.deployments.select_related("model__dataset").filter(model__outputs__version=version).distinct()
    models = {row.alias: row.model for row in rows}
    champion, challenger = (models.get(alias) for alias in (Deployment.Alias.CHAMPION, Deployment.Alias.CHALLENGER))
    if champion is None or challenger is None:
        raise BadInput(f"{version.filter.name} has no champion and challenger to compare; promote a challenger on its page.")
    return moved(next(one for one in comparing.compare(challenger, champion) if one.version == version), n)


def moved(found: comparing.Comparison, n: int) -> list[Pick]:
    """The articles that two versions see most differently."""
    who = f"{found.first} and {found.second} differ by"
    return [
        Pick(one.article.pk, Reason.MOVER, f"{who} {one.moved:.1f} points on average.", one.moved)
        for one in movers.movers(found, n)
    ]


def suspect(version: FilterVersion, n: int) -> list[Pick]:
    """Labels least like what a student that never saw them expects, over all dimensions together; weighed in points."""
    found = measured(version)
    usual = None if found.half is None else found.half / _NORMAL
    times = surprise(found.truth - found.predicted, usual)
    said = f"as far from {found.model} as labels usually are, over all dimensions together."
    details = [f"The label lies {one:.1f} times {said}" for one in times]
    return _ranked(found, Reason.SUSPECT, np.nan_to_num(times), details, n, _row_means(found.misses))


def _ranked(found: Measured, reason: str, by: Floats, details: list[str], n: int, points: Floats | None = None) -> list[Pick]:
    """The first n, largest `by` first; `points` are their weights where they are ranked by something else."""
    weights = by if points is None else points
    order = [int(row) for row in np.argsort(-by, kind="stable")[:n] if by[row] > 0]
    return [Pick(found.articles[row], reason, details[row], float(weights[row])) for row in order]


def _row_means(values: Floats) -> Floats:
    known = ~np.isnan(values)
    means: Floats = np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return means


def _texts(found: Measured) -> dict[int, str]:
    rows = Article.objects.filter(pk__in=found.articles)
    return {article.pk: article.rendered(found.version.view) for article in rows.iterator(chunk_size=500)}


QUEUES = {
    queue.name: queue
    for queue in (
        labels.QUEUES["random"],
        Queue("test", "Random sample of the test articles", "How good the student is, in people's terms.", of_test),
        Queue("suspect", "Label looks wrong", "Unlike what a student expects that never saw it, over all dimensions.", suspect),
        Queue("gap", "Student and oracle differ", "On one dimension by much: which of them is right?", gap),
        Queue("worst", "Student's worst errors", "Missed most on average, among the test articles.", worst),
        Queue("wide", "Student is unsure", "The widest intervals.", wide),
        Queue("tier", "Near a tier's boundary", "A small error changes what becomes of the article.", tier),
        Queue("mover", "Two students differ", "Where the challenger sees things differently from the champion.", mover),
        *(queue for name, queue in labels.QUEUES.items() if name != "random"),
    )
}
