"""The five steps to a filter of one's own, as its page shows them: rubric, articles, pilot, labels, training."""

from dataclasses import dataclass, replace
from typing import Any

from django.urls import reverse

from distillery_site import permissions
from distillery_site.common.runs import RunState
from labeling.current import latest_policy
from labeling.figures import label_totals, prefilter_counts
from labeling.models import Article, Filter, FilterVersion, LabelingItem, LabelingRun, OracleLabel
from training.models import Dataset, ModelVersion, TrainingRun

ACTIVE = (RunState.QUEUED, RunState.RUNNING)
ANSWERED = (LabelingItem.State.LABELLED, LabelingItem.State.STORED)
PILOT = LabelingRun.Kind.PILOT


@dataclass(frozen=True)
class Step:
    """`state` is done, busy, idle (waits its turn), next, or skipped. `url` leads to what is there, `todo` to what to do.

    route: whom the permission table asks before the to-do is offered.
    """

    name: str
    number: str
    what: str
    state: str
    url: str
    words: str
    todo: str
    route: str
    commands: tuple[str, ...]


def steps(filter_: Filter, user: Any) -> list[Step]:
    """In order; the first that is still to do is `next`, if nothing before it is under way and this person may do it."""
    version = filter_.latest
    found = [_rubric(filter_, version)]
    if version is not None:
        found += [step(version) for step in (_articles, _pilot, _labels, _training)]
    for place, step in enumerate(found):
        if step.state == "busy":
            break
        if step.state == "idle":
            may = permissions.allowed(user, step.route, "GET")
            found[place] = replace(step, state="next" if may else "idle")
            break
    return found


def _rubric(filter_: Filter, version: FilterVersion | None) -> Step:
    slug, edit = filter_.slug, reverse("filter_edit", args=[filter_.slug])
    number, what = (f"v{version.number}", _many(len(version.keys), "dimension")) if version else ("0", "not written yet")
    state, commands = "done" if version else "idle", (f"python manage.py import_filter {slug}/",)
    return Step("Rubric", number, what, state, "#rubric" if version else edit, "Write the rubric", edit, "filter_edit", commands)


def _articles(version: FilterVersion) -> Step:
    slug, policy = version.filter.slug, latest_policy(version)
    known = Article.objects.count()
    commands = ("python manage.py import_articles articles.jsonl --source mine", f"python manage.py prefilter {slug}")
    passed = f"{reverse('articles')}?verdict=passed"
    counts = prefilter_counts(policy) if policy else None
    if not known or counts is None:
        to_do = (reverse("articles"), "Import articles", reverse("article_import"), "article_import")
        return Step("Articles", "0", "none imported yet", "idle", *to_do, commands)
    if not counts.passed:
        what = f"{known:,} imported, none passed" if counts.judged else f"{known:,} imported, not prefiltered yet"
        return Step("Articles", "0", what, "idle", "#prefilter", "Go to the prefilter", "#prefilter", "filter", commands)
    what = f"passed, {_many(counts.unseen, 'waits', 'wait')} for the prefilter" if counts.unseen else f"of {known:,} passed"
    return Step("Articles", f"{counts.passed:,}", what, "done", passed, "", passed, "articles", commands)


def _pilot(version: FilterVersion) -> Step:
    slug, new = version.filter.slug, reverse("labeling_new")
    runs = version.labeling_runs.filter(kind=PILOT)
    answered = LabelingItem.objects.filter(run__in=runs, state__in=ANSWERED).values("article").distinct().count()
    commands = (f"python manage.py label {slug} --provider anthropic --pilot --budget 1 --agree",)
    if (run := runs.order_by("-pk").first()) is not None and (answered or run.state != RunState.CANCELLED):
        return _of_run("Pilot", answered, "articles show how it judges", run, commands)
    skipped = OracleLabel.objects.filter(version=version).exists()
    what = "left out: there are labels" if skipped else "80 articles show what all would bring"
    return Step("Pilot", "–", what, "skipped" if skipped else "idle", new, "Try a pilot", new, "labeling_new", commands)


def _labels(version: FilterVersion) -> Step:
    slug, totals = version.filter.slug, label_totals(version)
    pilot = version.labeling_runs.filter(kind=PILOT).order_by("-pk").first()
    new = f"{reverse('labeling_new')}?run={pilot.pk}" if pilot else reverse("labeling_new")
    commands = (f"python manage.py label {slug} --provider anthropic --batch --budget 5 --agree",)
    beyond = totals.articles if OracleLabel.objects.filter(version=version).exclude(run__kind=PILOT).exists() else 0
    cost = f"articles for ${totals.cost_usd:,.2f}"
    run = version.labeling_runs.exclude(kind=PILOT).exclude(state=RunState.CANCELLED).order_by("-pk").first()
    if run is not None and (beyond or run.state != RunState.DONE):
        return _of_run("Labels", totals.articles, cost, run, commands)
    what, state = cost if totals.articles else "none yet", "done" if beyond else "idle"
    url, number = reverse("labeling_runs"), f"{totals.articles:,}"
    return Step("Labels", number, what, state, url, "Label the rest" if pilot else "Label", new, "labeling_new", commands)


def _of_run(name: str, number: int, what: str, run: LabelingRun, commands: tuple[str, ...]) -> Step:
    """A step whose newest run says where it stands; one that waits for a person is what to look at next."""
    url = reverse("labeling_run", args=[run.pk])
    stuck = run.state == RunState.PAUSED or not number
    state = "busy" if run.state in ACTIVE else "idle" if stuck else "done"
    told = {"busy": "an oracle is reading", "idle": f"run {run.pk} is {run.state}", "done": what}[state]
    return Step(name, f"{number:,}", told, state, url, f"Look at run {run.pk}", url, "labeling_run", commands)


def _training(version: FilterVersion) -> Step:
    slug = version.filter.slug
    commands = (f"python manage.py freeze first --filter {slug}", "python manage.py train first --student ridge")
    students = ModelVersion.objects.filter(outputs__version=version).distinct()
    run = TrainingRun.objects.trainings().filter(dataset__filters__version=version, state__in=ACTIVE).first()
    if run is not None:
        url, what = reverse("training_run", args=[run.pk]), f"{run.model_name} is learning"
        return Step("Student", f"{students.count():,}", what, "busy", url, "", url, "training_run", commands)
    newest = students.order_by("-pk").first()
    if newest is not None:
        url = reverse("model", args=[newest.name, newest.number])
        return Step("Student", f"{students.count():,}", f"newest: {newest}", "done", url, "", url, "model", commands)
    frozen = Dataset.objects.filter(filters__version=version).exists()
    route, words = ("training_new", "Train a student") if frozen else ("dataset_new", "Freeze a data set")
    what = "a data set is frozen" if frozen else "none trained yet"
    return Step("Student", "0", what, "idle", reverse("training_runs"), words, reverse(route), route, commands)


def _many(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
