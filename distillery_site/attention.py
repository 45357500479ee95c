"""What needs a person, as sentences, the most useful first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from distillery_site.common.runs import Run, RunState
from distillery_site.health import engine_answers
from distillery_site.overview import KINDS, OF_DATASET, Filters, lasting
from labeling.current import latest_policy
from labeling.figures import prefilter_counts
from labeling.models import Filter, LabelingRun, LabelingShard, ReviewTask
from labeling.reviewing.access import belonging
from labeling.watching import spending
from scoring.figures import latest_benchmark
from training.models import Dataset, Deployment, ModelVersion

PATIENCE = timedelta(seconds=30)
NEARLY = 0.8  # of a cap


@dataclass(frozen=True)
class Concern:
    """A sentence and the page where something can be done about it."""

    sentence: str
    url: str
    grave: bool = False


def concerns(own: Filters = None) -> list[Concern]:
    """Of a person's filters, or of all."""
    kinds = (_stopped, _stuck, _capped, _unanswered, _leaks, _better, _unmeasured, _unseen, _reviews)
    filters = Filter.objects.all() if own is None else own
    return [concern for kind in kinds for concern in kind(filters)]


def _stopped(own: QuerySet[Filter]) -> Iterator[Concern]:
    """Paused runs wait for a person; failed ones count until a newer run of the kind is done."""
    for kind, route in KINDS:
        rows = lasting(kind, own)
        last_done = rows.filter(state=RunState.DONE).order_by("-pk").values_list("pk", flat=True).first() or 0
        paused, failed = rows.filter(state=RunState.PAUSED), rows.filter(state=RunState.FAILED, pk__gt=last_done)
        for run in [*paused.newest()[:3], *failed.newest()[:3]]:
            yield Concern(f"{_named(run)} {run.get_state_display()}: {run.error}", reverse(route, args=[run.pk]), grave=True)


def _named(run: Run) -> str:
    name = str(run)
    return name[0].upper() + name[1:]


def _stuck(own: QuerySet[Filter]) -> Iterator[Concern]:
    """Work that could be taken, while nobody works on anything of its kind; a labelling run is taken shard by shard."""
    now = timezone.now()
    for kind, route in KINDS:
        rows = LabelingShard.objects if kind is LabelingRun else kind.objects
        late = Q(state=RunState.QUEUED, created_at__lt=now - PATIENCE) | Q(state=RunState.RUNNING, lease_until__lt=now - PATIENCE)
        path = "run__version__filter" if kind is LabelingRun else OF_DATASET
        busy = rows.filter(state=RunState.RUNNING, lease_until__gte=now).exists()
        if not busy and (row := belonging(rows.due().filter(late), own, path).order_by("pk").first()):
            run = row.run if isinstance(row, LabelingShard) else row
            sentence = f"{_named(run)} waits and no worker takes it; python manage.py up starts them."
            yield Concern(sentence, reverse(route, args=[run.pk]), grave=True)


def _capped(own: QuerySet[Filter]) -> Iterator[Concern]:
    """Caps that several runs share, when most of them is spent."""
    month = spending.this_month()
    if month.problem:
        yield Concern(month.problem, reverse("oracles"), grave=True)
    if (month.share or 0) >= NEARLY:
        yield Concern(_cap_sentence(month, "this month's labelling"), reverse("oracles"), grave=True)
    for filter_ in own.exclude(budget_usd=None):
        found = spending.of_filter(filter_)
        if (found.share or 0) >= NEARLY:
            yield Concern(_cap_sentence(found, f"labelling by {filter_.name}"), reverse("filter", args=[filter_.slug]))


def _cap_sentence(found: spending.Spending, what: str) -> str:
    return f"${found.spent:,.2f} of the ${found.cap:,.2f} for {what} is spent or out; runs pause when all of it is."


def _unanswered(_: QuerySet[Filter]) -> Iterator[Concern]:
    if Deployment.objects.exists() and not engine_answers():
        yield Concern("The scoring process does not answer; python manage.py up starts it.", reverse("scoring"), grave=True)


def _leaks(own: QuerySet[Filter]) -> Iterator[Concern]:
    for dataset in belonging(Dataset.objects.filter(leakage__gt=0), own, "filters__version__filter"):
        sentence = f"{dataset.leakage} clusters of near-duplicates lie in more than one split of {dataset}: its figures flatter."
        yield Concern(sentence, reverse("dataset", args=[dataset.name]), grave=True)


def _champions(own: QuerySet[Filter]) -> QuerySet[Deployment]:
    return Deployment.objects.filter(alias=Deployment.Alias.CHAMPION, filter__in=own)


def _better(own: QuerySet[Filter]) -> Iterator[Concern]:
    """A student that beats champions on validation, which is what recipes are chosen by; one sentence for all their filters."""
    found: dict[tuple[ModelVersion, ModelVersion], list[str]] = {}
    for row in _champions(own).filter(model__val_mae__gt=0).select_related("filter", "model"):
        rivals = ModelVersion.objects.serving(row.filter).filter(dataset=row.model.dataset_id, val_mae__lt=row.model.val_mae)
        if best := min(rivals, key=lambda rival: rival.val_mae, default=None):
            found.setdefault((best, row.model), []).append(row.filter.name)
    for (best, champion), names in found.items():
        sentence = (
            f"On validation {best} misses the oracle by {best.val_mae:.3f} points; {champion}, "
            f"the champion of {' and '.join(names)}, by {champion.val_mae:.3f}. Promote it?"
        )
        yield Concern(sentence, reverse("model", args=[best.name, best.number]))


def _unmeasured(own: QuerySet[Filter]) -> Iterator[Concern]:
    for row in _champions(own).select_related("filter", "model"):
        if latest_benchmark(row.model) is None:
            sentence = f"{row.model} answers for {row.filter.name}, but nobody has measured it on the test split."
            yield Concern(sentence, reverse("model", args=[row.model.name, row.model.number]))


def _unseen(own: QuerySet[Filter]) -> Iterator[Concern]:
    for filter_ in own:
        policy = latest_policy(filter_.latest)
        counts = prefilter_counts(policy) if policy else None
        if counts and counts.judged and counts.unseen:
            sentence = f"{counts.unseen:,} articles came in since the prefilter of {filter_.name} ran."
            yield Concern(sentence, reverse("filter", args=[filter_.slug]))


def _reviews(own: QuerySet[Filter]) -> Iterator[Concern]:
    """Overdue ones first: somebody counts on them."""
    tasks = ReviewTask.objects.open().filter(version__filter__in=own).values_list("version__filter__name")
    late = Count("pk", filter=Q(due_at__lt=timezone.now()))
    for name, number, overdue in tasks.annotate(n=Count("pk"), late=late).order_by("-late", "-n"):
        who = "1 article waits" if number == 1 else f"{number:,} articles wait"
        due = f"; {overdue:,} should have been scored by now" if overdue else ""
        yield Concern(f"{who} for a person's scores by {name}{due}.", reverse("reviews"), grave=bool(overdue))
