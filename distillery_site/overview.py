"""What the overview says: where the loop of one filter stands, what comes next, and how close each champion is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet
from django.urls import reverse

from distillery_site import permissions
from distillery_site.common.runs import Run, RunQuerySet, RunState
from labeling.current import latest_policy
from labeling.figures import label_totals, prefilter_counts
from labeling.models import Article, Filter, FilterVersion, LabelingRun, Review, ReviewTask
from labeling.reviewing.access import belonging
from labeling.watching.standing import Standing
from scoring import figures
from scoring.models import Benchmark
from training.models import Dataset, Deployment, LearningCurve, ModelVersion, TrainingRun

Filters = QuerySet[Filter] | None  # a person's; None: all there are
ACTIVE = (RunState.QUEUED, RunState.RUNNING)
OF_DATASET = "dataset__filters__version__filter"
PATHS: dict[type[Run], str] = {LabelingRun: "version__filter"}  # from a run to its filters, where not by its data set
KINDS = (
    (LabelingRun, "labeling_run"),
    (TrainingRun, "training_run"),
    (LearningCurve, "learning_curve"),
    (Benchmark, "benchmark"),
)


@dataclass(frozen=True)
class Step:
    """Something to do next: its words, the route it leads to, the method and role of that route."""

    words: str
    url: str
    route: str


@dataclass(frozen=True)
class Station:
    """One stop of the loop; `state` is done, busy or idle, `step` what to do here while it is idle."""

    name: str
    number: int | str
    what: str
    url: str
    state: str
    step: Step | None = None


@dataclass(frozen=True)
class Work:
    """A run and its page; `words` say how far it is, as that page does."""

    run: Run
    url: str
    words: str = ""


@dataclass(frozen=True)
class Card:
    """A filter's champion and its distance to the oracle; (name, track) for each dimension."""

    filter: Filter
    version: FilterVersion | None
    champion: ModelVersion | None = None
    benchmark: Benchmark | None = None
    mean: figures.Track | None = None
    dimensions: tuple[tuple[str, figures.Track], ...] = ()

    @property
    def has_challenger(self) -> bool:
        return any(track.challenger is not None for _, track in self.dimensions)


def runs_now(own: Filters = None) -> list[Work]:
    """Everything queued or running of these filters, or of all, oldest first."""
    rows = [(run, route) for kind, route in KINDS for run in lasting(kind, own).filter(state__in=ACTIVE)]
    return sorted((_work(run, reverse(route, args=[run.pk])) for run, route in rows), key=lambda work: work.run.created_at)


def lasting(kind: type[Run], own: Filters = None) -> RunQuerySet:
    """The rows of a kind that leave something behind: estimates are a form's business."""
    rows = TrainingRun.objects.trainings() if kind is TrainingRun else kind.objects.all()
    return rows if own is None else belonging(rows, own, PATHS.get(kind, OF_DATASET))


def _work(run: Run, url: str) -> Work:
    return Work(run, url, Standing(run).headline if isinstance(run, LabelingRun) else run.stage)


def stations(filter_: Filter | None) -> list[Station]:
    version = filter_.latest if filter_ else None
    stops: tuple[Callable[[FilterVersion | None], Station], ...] = (
        _articles,
        _passed,
        _labelled,
        _reviewed,
        _dataset,
        _student,
        _serving,
    )
    return [stop(version) for stop in stops]


def next_step(stops: list[Station], user: Any) -> Step | None:
    """What the first idle station asks for, if this person may do it; nothing while work there is under way."""
    for stop in stops:
        if stop.state == "busy":
            return Step(f"Watch: {stop.what}", stop.url, "")
        if stop.step is not None and stop.state == "idle":
            return stop.step if permissions.allowed(user, stop.step.route, "GET") else None
    return Step("Score an article", reverse("scoring"), "scoring")


def _station(name: str, number: int | str, what: str, url: str, *, busy: bool = False, step: Step | None = None) -> Station:
    state = "busy" if busy else "done" if number and number != "–" else "idle"
    return Station(name, number, what, url, state, step)


def _step(words: str, route: str, *args: Any) -> Step:
    return Step(words, reverse(route, args=args), route)


def _articles(version: FilterVersion | None) -> Station:
    found = Article.objects.aggregate(n=Count("pk"), sources=Count("source", distinct=True))
    sources = f"from {found['sources']} source{'s' if found['sources'] != 1 else ''}" if found["n"] else "none yet"
    return _station("Articles", found["n"], sources, reverse("articles"), step=_step("Import articles", "article_import"))


def _passed(version: FilterVersion | None) -> Station:
    policy = latest_policy(version)
    if version is None or policy is None:
        return _station("Passed", 0, "no filter yet", reverse("filters"), step=_step("Import a filter", "filters"))
    counts = prefilter_counts(policy)
    what = f"{sum(counts.dropped.values()):,} dropped" if counts.judged else "not prefiltered yet"
    if counts.judged and counts.unseen:
        what += f", {counts.unseen:,} not judged yet"
    step = _step("Run the prefilter", "filter", version.filter.slug)
    return _station("Passed", counts.passed, what, f"{reverse('articles')}?verdict=passed", step=step)


def _labelled(version: FilterVersion | None) -> Station:
    run = LabelingRun.objects.filter(version=version, state__in=ACTIVE).first()
    step = _step("Start a labelling run", "labeling_new")
    if version is None:
        return _station("Labelled", 0, "none yet", reverse("labeling_runs"), step=step)
    totals = label_totals(version)
    if run is not None:
        url = reverse("labeling_run", args=[run.pk])
        return _station("Labelled", totals.articles, "an oracle is reading", url, busy=True)
    paused = LabelingRun.objects.filter(version=version, state=RunState.PAUSED).newest().first()
    if paused is not None:
        look = _step("See why labelling is paused", "labeling_run", paused.pk)
        return _station("Labelled", totals.articles, "a run is paused", look.url, step=look)
    what = f"for ${totals.cost_usd:,.2f}" if totals.articles else "none yet"
    return _station("Labelled", totals.articles, what, reverse("labeling_runs"), step=step)


def _reviewed(version: FilterVersion | None) -> Station:
    """Never the next step before a student serves: the loop turns without people, only worse."""
    done = Review.objects.filter(task__version__filter__versions=version).count()
    tasks = ReviewTask.objects.filter(version__filter__versions=version)
    waiting, overdue = tasks.open().count(), tasks.overdue().count()
    what = f"{waiting:,} waiting" if waiting else "none waiting"
    return _station("Reviewed", done, f"{what}, {overdue:,} overdue" if overdue else what, reverse("reviews"))


def _dataset(version: FilterVersion | None) -> Station:
    found = Dataset.objects.filter(filters__version=version).order_by("-pk").first()
    if found is None:
        step = _step("Freeze a data set", "dataset_new")
        return _station("In the data set", 0, "none frozen yet", reverse("datasets"), step=step)
    return _station("In the data set", found.items.count(), found.name, reverse("dataset", args=[found.name]))


def _student(version: FilterVersion | None) -> Station:
    trainings = TrainingRun.objects.trainings().filter(dataset__filters__version=version, state__in=ACTIVE)
    run = trainings.order_by("-state", "pk").first()
    found = ModelVersion.objects.filter(outputs__version=version).distinct()
    newest = found.order_by("-pk").first()
    if run is not None:
        url = reverse("training_run", args=[run.pk])
        return _station("Students", found.count(), f"{run.model_name} is learning", url, busy=True)
    what, step = f"newest: {newest}" if newest else "none trained yet", _step("Train a student", "training_new")
    return _station("Students", found.count(), what, reverse("models"), step=step)


def _serving(version: FilterVersion | None) -> Station:
    rows = Deployment.objects.filter(filter=version.filter if version else None, alias=Deployment.Alias.CHAMPION)
    champion = rows.select_related("model", "filter").first()
    if champion is None:
        return _station("Serving", "–", "no champion yet", reverse("models"), step=_step("Promote a student", "models"))
    model, test = champion.model, figures.latest_benchmark(champion.model)
    url = reverse("model", args=[model.name, model.number])
    if test is None:
        return _station("Serving", 1, f"{model}, not measured yet", url)
    mae = test.report["filters"][champion.filter.slug]["mae"]
    return _station("Serving", f"{mae:.2f}", f"points off: {model}", url)


def cards(own: Filters = None) -> list[Card]:
    """Filters with a measured champion first."""
    found = []
    for filter_ in Filter.objects.all() if own is None else own:
        models = {row.alias: row.model for row in filter_.deployments.select_related("model__dataset")}
        found.append(_card(filter_, models.get(Deployment.Alias.CHAMPION), models.get(Deployment.Alias.CHALLENGER)))
    return sorted(found, key=lambda card: card.mean is None)


def _card(filter_: Filter, champion: ModelVersion | None, challenger: ModelVersion | None) -> Card:
    test = figures.latest_benchmark(champion) if champion else None
    if champion is None or test is None:
        return Card(filter_, filter_.latest, champion)
    version = filter_.versions.get(number=test.report["filters"][filter_.slug]["version"])
    other = figures.latest_benchmark(challenger) if challenger else None
    other = other if other and other.dataset_fingerprint == test.dataset_fingerprint else None
    names = {dimension["key"]: dimension["name"] for dimension in version.dimensions}
    tracks = tuple((names[track.label], track) for track in figures.tracks(test, version, other))
    return Card(filter_, version, champion, test, figures.mean_track(test, filter_, other), tracks)
