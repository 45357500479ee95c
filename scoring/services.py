"""What the site asks of students: benchmarks, and scores for articles."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from django.conf import settings
from django.db import transaction

from distillery_site.common.errors import BadInput, Cancelled, LeaseLost, Permanent
from distillery_site.common.models import record
from labeling.models import Article, Filter, FilterVersion, Policy, ReviewTask
from labeling.reviewing.tasks import Pick
from labeling.services import send_list
from scoring import languages, policies, reports
from scoring.engine.base import Engine, EngineError, Overloaded, Score
from scoring.engine.client import EngineClient
from scoring.figures import worst_articles
from scoring.models import Benchmark, Prediction
from scoring.queues import off
from training.datasets import texts
from training.models import Dataset, Deployment, ModelVersion, Split
from training.services import model_for
from training.student import calibrate

Intervals: TypeAlias = dict[str, tuple[float, float]] | None
CHUNK = 16  # texts between two heartbeats; the largest student needs about a second for each


class NoModel(Permanent):
    """Nothing serves this filter under this alias."""


@dataclass(frozen=True)
class Scored:
    """One article's answer: raw scores, scores clipped to 0–10, and what the policy made of them.

    `intervals` is where the oracle's own score lies, low to high, as often as `interval_level` says; None where the version
    has no intervals. `warnings` are sentences about what the student was not taught.
    """

    article: Article
    model: ModelVersion
    version: FilterVersion
    policy: Policy
    raw: dict[str, float]
    scores: dict[str, float]
    verdict: policies.Verdict
    intervals: Intervals = None
    warnings: list[str] = field(default_factory=list)

    @property
    def interval_level(self) -> float | None:
        return self.model.manifest["intervals"]["level"] if self.intervals is not None else None

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command hand it out; scores to four decimals."""
        return {
            "id": self.article.external_id,
            "scores": {key: round(score, 4) for key, score in self.scores.items()},
            "raw": {key: round(score, 4) for key, score in self.raw.items()},
            "intervals": self.intervals and {key: [round(end, 4) for end in ends] for key, ends in self.intervals.items()},
            "weighted_average": _rounded(self.verdict.average),
            "capped_average": _rounded(self.verdict.capped_average),
            "tier": self.verdict.tier,
            "applied": [asdict(rule) for rule in self.verdict.applied],
            "warnings": self.warnings,
        }


def _rounded(average: float | None) -> float | None:
    return None if average is None else round(average, 4)


def engine() -> EngineClient:
    """This process's connection to the scoring process."""
    return _client(settings.ENGINE_URL, settings.ENGINE_TOKEN, settings.ENGINE_TIMEOUT, os.getpid())


@lru_cache(maxsize=1)
def _client(url: str, token: str, timeout: float, _process: int) -> EngineClient:
    return EngineClient(url, token, timeout)


@transaction.atomic
def start_benchmark(
    *, model: ModelVersion, split: str = Split.TEST, dataset: Dataset | None = None, actor: Any = None
) -> Benchmark:
    """The benchmark of a version on a split of its own data set (or another), queued unless it is there already.

    A version that learned elsewhere is measured on the newest data set that has labels for all its outputs. One that
    failed or was cancelled is queued again; what it predicted stays.
    """
    if split not in (Split.VAL, Split.TEST):
        raise BadInput(f"A benchmark runs on val or test, not on {split!r}: the student has seen the rest.")
    dataset = dataset or model.home
    if dataset is None:
        names = " and ".join(str(version) for version in model.versions)
        raise BadInput(f"{model} learned elsewhere, and no data set here has labels of {names} to measure it on; freeze one.")
    reports.columns_in(model, dataset)
    hashes = {"manifest_sha256": model.manifest_sha256, "dataset_fingerprint": dataset.fingerprint}
    benchmark, created = Benchmark.objects.get_or_create(
        model=model, dataset=dataset, split=split, defaults={**hashes, "created_by": actor}
    )
    if created:
        record(actor, "benchmark started", benchmark, after={"model": str(model), "dataset": dataset.name, "split": split})
    else:
        resume_benchmark(run=benchmark, actor=actor)
    return benchmark


@transaction.atomic
def cancel_benchmark(*, run: Benchmark, actor: Any = None) -> None:
    """What it has predicted stays."""
    if not run.is_final:
        before = run.state
        run.request_cancel()
        after = {"state": run.state, "cancel_requested": run.cancel_requested}
        record(actor, "benchmark cancelled", run, before={"state": before}, after=after)


@transaction.atomic
def resume_benchmark(*, run: Benchmark, actor: Any = None) -> bool:
    """Whether a paused, failed or cancelled benchmark is queued again; then the door sends its task."""
    before, resumed = run.state, run.resume()
    if resumed:
        record(actor, "benchmark resumed", run, before={"state": before}, after={"state": run.state})
    return resumed


def run_benchmark(*, run_id: int, through: Engine | None = None) -> None:
    """Predict what is missing, then compute the report. A scoring process that is down only delays it."""
    run = Benchmark.objects.claim(run_id)
    if run is None:
        return
    try:
        seconds = _predict(run, through or engine())
        run.beat(stage="computing the figures")
        run.finish(stage="", report=reports.build(run), seconds_per_article=seconds)
    except Cancelled:
        run.stop_cancelled()
    except LeaseLost:
        return  # another worker goes on; nothing that was stored is lost
    except EngineError as error:
        _put_back(run, error)
    except Permanent as error:
        run.fail(str(error))


def _put_back(run: Benchmark, error: EngineError) -> None:
    if error.permanent:
        run.fail(str(error))
    else:
        wait = error.retry_after if isinstance(error, Overloaded) else 0
        run.put_back(str(error), seconds=max(wait, 5 * 3 ** (run.attempts - 1)))


def _predict(run: Benchmark, through: Engine) -> float | None:
    """Store a prediction for every article that has none; seconds an article, or None when all were known."""
    reports.columns_in(run.model, run.dataset)
    run.beat(stage="reading the articles")
    everything = texts(run.dataset, run.split)
    known = set(run.predictions.values_list("article_id", flat=True))
    left = [(article, text) for article, text in everything if article not in known]
    run.beat(stage="loading the student", progress_done=len(known), progress_total=len(everything))
    if left:
        _ask(run.model, through, [left[0][1]])  # loads it, so that the seconds below are those of scoring
    run.beat(stage="scoring")
    computed, seconds = 0, 0.0
    for start in range(0, len(left), CHUNK):
        chunk = left[start : start + CHUNK]
        answer = _ask(run.model, through, [text for _, text in chunk])
        rows = zip(chunk, answer.raw.tolist(), strict=True)
        Prediction.objects.bulk_create(
            (Prediction(benchmark=run, article_id=article, raw=raw) for (article, _), raw in rows), ignore_conflicts=True
        )
        computed, seconds = computed + len(chunk) - answer.cached, seconds + answer.seconds
        run.beat(progress_done=len(known) + start + len(chunk))
    return seconds / computed if computed else None


def _ask(model: ModelVersion, through: Engine, articles: list[str]) -> Score:
    """Raw scores in the order of the version's outputs; raises Permanent when its columns mean something else."""
    answer = through.score(model=model.ref, manifest_sha256=model.manifest_sha256, texts=articles)
    told = [(output["filter"], output["version"], output["dimension"]) for output in answer.outputs]
    outputs = model.outputs.select_related("version__filter")
    if told != [(output.version.filter.slug, output.version.number, output.dimension) for output in outputs]:
        raise Permanent(f"The outputs of {model} on disk are not those that were registered.")
    return answer


def serving(filter_: Filter, alias: str = Deployment.Alias.CHAMPION) -> ModelVersion:
    """The version behind an alias. Raises NoModel."""
    try:
        return model_for(filter_, alias)
    except Permanent as error:
        raise NoModel(str(error)) from error


def score_articles(
    *,
    filter: Filter,
    articles: Sequence[Article],
    alias: str = Deployment.Alias.CHAMPION,  # noqa: A002
    model: ModelVersion | None = None,
    through: Engine | None = None,
) -> list[Scored]:
    """Score articles, stored or not, as their version's view shows them. Raises NoModel, BadInput or EngineError."""
    model = model or serving(filter, alias)
    version = _version_of(model, filter)
    policy = version.policies.latest("number")
    shown = [article.rendered(version.view) for article in articles]
    if empty := [place for place, text in enumerate(shown, 1) if not text]:
        raise BadInput(*(f"Article {place} is empty." for place in empty))
    if not shown:
        return []
    raw = _ask(model, through or engine(), shown).raw
    columns = model.columns(version)
    inside = _intervals(model, raw, columns)
    return [
        _scored(article, text, {key: float(row[column]) for key, column in columns.items()}, ends, model, policy)
        for article, text, row, ends in zip(articles, shown, raw, inside, strict=True)
    ]


def _version_of(model: ModelVersion, filter_: Filter) -> FilterVersion:
    version = filter_.versions.filter(pk__in=model.outputs.values("version")).order_by("-number").first()
    if version is None:
        raise NoModel(f"{model} does not answer for the filter {filter_.slug}.")
    return version


def _intervals(model: ModelVersion, raw: np.ndarray, columns: dict[str, int]) -> list[Intervals]:
    """For each article {dimension: (low, high)}, or None."""
    known = model.manifest.get("intervals")
    if not known:
        return [None] * len(raw)
    low, high = calibrate.interval(known, raw)
    return [
        {key: (float(lows[column]), float(highs[column])) for key, column in columns.items()}
        for lows, highs in zip(low, high, strict=True)
    ]


def _scored(article: Article, text: str, raw: dict[str, float], inside: Intervals, model: ModelVersion, policy: Policy) -> Scored:
    scores = {key: policies.clip(score) for key, score in raw.items()}
    verdict = policies.decide(scores, policy, text)
    warnings = languages.warnings(text, article.language, model.manifest.get("languages") or {})
    return Scored(article, model, policy.version, policy, raw, scores, verdict, inside, warnings)


def push_worst(*, benchmark: Benchmark, limit: int = 10, actor: Any = None) -> list[ReviewTask]:
    """Ask people about the articles that a student missed most, a task for each filter and article; reviewed ones stay out."""
    tasks = []
    for version in benchmark.dataset.versions:
        worst = worst_articles(benchmark, limit, version.filter.slug)
        picks = [Pick(one.article.pk, ReviewTask.Reason.WORST, off(benchmark.model, one.error), one.error) for one in worst]
        tasks += send_list(version=version, picks=picks, actor=actor, what=f"worst errors of {benchmark.model}").tasks
    return tasks
