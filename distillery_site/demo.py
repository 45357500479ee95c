"""The demo: a real distillation of real news, step by step, through the same services as every other run.

Each step first looks whether its work is there, so an interrupted demo goes on and a second one changes nothing.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model

from distillery_site.common.errors import Permanent
from distillery_site.common.models import ApiKey, hash_key
from distillery_site.common.runs import Run, RunState
from distillery_site.demo_report import curl_line
from labeling import services as labeling
from labeling.demo import articles as news
from labeling.demo import oracle as recorded
from labeling.models import Article, FilterVersion, LabelingRun, Oracle, Policy, ReviewTask
from labeling.rubrics.packages import load_package
from labeling.tasks import send
from scoring import services as scoring
from scoring.queues import QUEUES
from scoring.tasks import benchmark
from training import datasets
from training import services as training
from training.models import Dataset, Kind, ModelVersion, Split
from training.tasks import train

PACKAGES = Path(recorded.__file__).parent
LABELLED = ("investment_risk", "uplifting")
RUBRIC_ONLY = ("sustainability_tech_innovation",)
ASKED = (  # policies of the review queue, the reasons that their tasks have, and how many articles
    ("test", ReviewTask.Reason.RANDOM, 20),
    ("readings", ReviewTask.Reason.READINGS, 10),
    ("worst", ReviewTask.Reason.WORST, 10),
    ("suspect", ReviewTask.Reason.SUSPECT, 10),
)
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Plan:
    """What the demo does; `fast` is the same way with fewer articles and one epoch."""

    dataset: str = "news"
    articles: int | None = None
    kernel: dict[str, Any] = field(default_factory=dict)
    lora: dict[str, Any] = field(default_factory=dict)
    seed: int = 1

    @classmethod
    def fast(cls) -> "Plan":
        short = {"max_tokens": 128, "max_lost_share": 0.8}
        return cls(dataset="news-fast", articles=600, kernel=short, lora={**short, "epochs": 1, "train_sample": 64})

    def options(self, kind: Kind) -> dict[str, Any]:
        return {Kind.KERNEL: self.kernel, Kind.LORA: self.lora}.get(kind, {})


@dataclass
class Demo:
    """State of one run of the demo: what was made, and how long each stage took."""

    plan: Plan
    url: str
    say: Callable[[str], None]
    watch: Callable[[Run], None]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 1)

    def run(self) -> Dataset:
        versions = self.bring_in()
        self.label(versions)
        dataset = self.freeze(versions)
        ridge = self.student(dataset, Kind.RIDGE)
        self.serve_best(dataset, [ridge])
        self.say(curl_line(self.url, api_key()))
        kernel = self.student(dataset, Kind.KERNEL)
        self.serve_best(dataset, [ridge, kernel])
        lora, stack = self.student(dataset, Kind.LORA), self.student(dataset, Kind.STACK)
        self.serve_best(dataset, [ridge, kernel, lora, stack])
        self.ask_people(dataset)
        return dataset

    def bring_in(self) -> list[FilterVersion]:
        with self.stage("import"):
            self.say("Importing the filters and 3,824 news articles of winter 2016/17.")
            versions = [labeling.import_package(package=load_package(PACKAGES / name)) for name in (*LABELLED, *RUBRIC_ONLY)]
            if Article.objects.filter(source=news.SOURCE).count() < news.ROWS - news.WITHOUT_TEXT:
                labeling.import_articles(source=news.SOURCE, rows=news.rows(cache=settings.VAR / "cache"))
        with self.stage("prefilter"):
            for version in versions:
                self.prefilter(version.policies.latest("number"))
        return versions[: len(LABELLED)]

    def prefilter(self, policy: Policy) -> None:
        if policy.verdicts.count() < Article.objects.count():
            labeling.run_prefilter(policy=policy)

    def label(self, versions: list[FilterVersion]) -> None:
        oracle = recorded.oracle()
        with self.stage("label"):
            self.say("Replaying the oracle's recorded judgements.")
            again = Article.objects.filter(source=news.SOURCE, external_id__in=recorded.reread_ids())
            runs = []
            for version in versions:
                policy = version.policies.latest("number")
                passed = labeling.sample_articles(policy=policy, size=self.plan.articles, seed=self.plan.seed)
                runs += [self.labeling_run(version, oracle, 1, passed)]
                runs += [self.labeling_run(version, oracle, 2, list(again.values_list("pk", flat=True)))]
            self.wait_for(runs)

    def labeling_run(self, version: FilterVersion, oracle: Oracle, reading: int, articles: list[int]) -> LabelingRun:
        """The run over these articles: the one that is there, or a new one when some have not been asked for."""
        known = LabelingRun.objects.filter(version=version, oracle=oracle, reading=reading)
        asked = set(known.values_list("items__article", flat=True))
        if asked.issuperset(articles):
            run = known.newest()[0]
            revive(run)
        else:
            run = labeling.start_labeling(version=version, oracle=oracle, articles=articles, reading=reading)
        send(run)
        return run

    def freeze(self, versions: list[FilterVersion]) -> Dataset:
        with self.stage("freeze"):
            dataset = Dataset.objects.filter(name=self.plan.dataset).first()
            if dataset is None:
                self.say("Freezing the data set: near-duplicates clustered, split 80/10/10 by cluster.")
                plan = self.plan
                dataset = datasets.freeze(
                    name=plan.dataset, versions=versions, oracle=recorded.oracle(), size=plan.articles, seed=plan.seed
                )
        return dataset

    def student(self, dataset: Dataset, kind: Kind) -> ModelVersion:
        """The trained and benchmarked student of this kind, from whatever stage it is in."""
        with self.stage(kind):
            run = dataset.training_runs.trainings().filter(kind=kind).newest().first()
            if run is None:
                preset = "minilm-demo" if kind == Kind.LORA else ""
                run = training.start_training(dataset=dataset, kind=kind, preset=preset, config=self.plan.options(kind))
            revive(run)
            if not run.is_final:
                self.say(f"Training {run.model_name}.")
                train.delay(run.pk)
            self.wait_for([run])
        with self.stage(f"benchmark {kind}"):
            measured = [scoring.start_benchmark(model=run.result, split=split) for split in (Split.VAL, Split.TEST)]
            for row in measured:
                revive(row)
                benchmark.delay(row.pk)
            self.wait_for(measured)
        return run.result

    def serve_best(self, dataset: Dataset, models: list[ModelVersion]) -> None:
        """The champion of each filter is the version with the least validation error; test has no say."""
        for version in dataset.versions:
            best = min(models, key=lambda model: validation_mae(model, version.filter.slug))
            if best.deployments.filter(filter=version.filter, alias="champion").exists():
                continue
            training.promote(model=best, filter=version.filter)
            self.say(f"{best} now answers for {version.filter.name}.")

    def ask_people(self, dataset: Dataset) -> None:
        """Fill the review queue: a sample that statistics can trust, and real disagreements, of the oracle with itself and with
        the student that serves."""
        with self.stage("review queue"):
            for version in dataset.versions:
                for name, reason, limit in ASKED:
                    if not version.review_tasks.filter(reason=reason).exists():
                        labeling.fill_queue(version=version, queue=QUEUES[name], limit=limit)

    def wait_for(self, runs: list[Any]) -> None:
        """Show the runs until each has ended; one that did not succeed ends the demo with its own sentence."""
        for run in runs:
            while not run.is_final and run.state != RunState.PAUSED:
                self.watch(run)
                time.sleep(POLL_SECONDS)
                run.refresh_from_db()
            self.watch(run)
            if run.state != RunState.DONE:
                raise Permanent(f"{run} {run.state}: {run.error}")


def revive(run: Run) -> None:
    """Queue a run again that an earlier demo left failed, paused or cancelled."""
    if run.state in (RunState.PAUSED, RunState.FAILED, RunState.CANCELLED):
        run.resume()


def validation_mae(model: ModelVersion, slug: str) -> float:
    return model.benchmarks.get(split=Split.VAL).report["filters"][slug]["mae"]


def api_key() -> str:
    """The demo's own key, kept in a file that only its owner reads, so that the printed curl line always works."""
    path = settings.VAR / "demo_api_key"
    admin = get_user_model().objects.filter(is_superuser=True).earliest("pk")
    if path.exists() and ApiKey.objects.usable().filter(digest=hash_key(path.read_text())).exists():
        return path.read_text()
    _, secret = ApiKey.objects.issue(user=admin, name="demo")
    path.touch(mode=0o600)
    path.write_text(secret)
    return secret
