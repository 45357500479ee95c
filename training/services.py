"""Start a training, see it through in a process of its own, and choose which student answers."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.text import slugify

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from distillery_site.common.runs import RunState
from training.freezing.soundness import insist_on_something_to_learn
from training.models import Dataset, Kind, ModelVersion, TrainingRun
from training.promoting import model_for as model_for
from training.promoting import promote as promote
from training.promoting import rollback as rollback
from training.registry import nursery, register, was_moved
from training.running.child import Child, end_orphan
from training.running.endings import judge, see_through
from training.running.launching import STUDENT, TICK_SECONDS, arguments, child_environment, command
from training.running.progress import Recorder
from training.student import artifact
from training.student import config as options
from training.student.bases import store


@transaction.atomic
def start_training(
    *,
    dataset: Dataset,
    kind: str,
    name: str | None = None,
    preset: str = "",
    config: Mapping[str, Any] | None = None,
    parents: Sequence[ModelVersion] = (),
    actor: Any = None,
) -> TrainingRun:
    """A queued run; the same one while the very same is under way. The door sends it (training.tasks.send).

    A lora or a kernel is never alone: without a ridge of the same data set one is queued first. A stack takes the newest
    student of each kind of its data set unless told otherwise. Raises BadInput with every problem of the options.
    """
    wanted = _wanted(dataset, kind, name, preset, config)
    if kind in (Kind.LORA, Kind.KERNEL):
        _queue_ridge(dataset, actor)
    members = _members(dataset, kind, parents)
    for run in TrainingRun.objects.trainings().active().filter(**wanted):
        if set(run.parents.all()) == set(members):
            return run
    run = TrainingRun.objects.create(**wanted, created_by=actor)
    run.parents.set(members)
    record(actor, "training started", run, after={"dataset": dataset.name, "kind": kind, "model_name": run.model_name})
    return run


@transaction.atomic
def start_estimate(
    *,
    dataset: Dataset,
    kind: str,
    name: str | None = None,
    preset: str = "",
    config: Mapping[str, Any] | None = None,
    parents: Sequence[ModelVersion] = (),
    actor: Any = None,
) -> TrainingRun:
    """A queued look ahead at a training: memory, time and tokens from its first steps; no student comes of it.

    The one under way, or the one made before of the same data set and options by the same code. Raises BadInput for
    kinds that take seconds, and wherever start_training would.
    """
    wanted = {**_wanted(dataset, kind, name, preset, config), "purpose": TrainingRun.Purpose.ESTIMATE}
    if kind != Kind.LORA or parents:
        raise BadInput(f"A {kind} learns in seconds, so there is nothing to estimate; start it.")
    same = TrainingRun.objects.filter(**wanted)
    made = same.filter(state=RunState.DONE, estimate__code_version=artifact.code_version())
    known = same.active().first() or made.newest().first()
    if known is not None:
        return known
    run = TrainingRun.objects.create(**wanted, created_by=actor)
    record(actor, "estimate started", run, after={"dataset": dataset.name, "kind": kind, "model_name": run.model_name})
    return run


def _wanted(dataset: Dataset, kind: str, name: str | None, preset: str, config: Mapping[str, Any] | None) -> dict[str, Any]:
    """The columns that say what is to learn from what, checked; the data set stays locked, so that two clicks start one run."""
    made = options.to_json(options.make(kind, {"preset": preset, **(config or {})}))
    store.named(made.get("base", "none"))  # a name, never a path
    usual = options.to_json(options.make(kind, {"preset": preset}))
    own = {option: made[option] for option in config or {} if made[option] != usual[option]}
    name = name or f"{dataset.name}-{kind}"
    if slugify(name) != name.lower():
        raise BadInput(f"{name!r} can't name a model; use letters, digits, hyphens and underscores.")
    Dataset.objects.select_for_update(no_key=True).get(pk=dataset.pk)
    insist_on_something_to_learn(dataset)
    return {"dataset": dataset, "kind": kind, "preset": preset, "config": own, "model_name": name}


@transaction.atomic
def cancel_training(*, run: TrainingRun, actor: Any = None) -> None:
    """What it has learnt stays: it can be resumed from its last checkpoint."""
    if not run.is_final:
        before = run.state
        run.request_cancel()
        after = {"state": run.state, "cancel_requested": run.cancel_requested}
        record(actor, "training cancelled", run, before={"state": before}, after=after)


@transaction.atomic
def resume_training(*, run: TrainingRun, actor: Any = None) -> bool:
    """Whether a paused, failed or cancelled run is queued again; then the door sends it (training.tasks.send)."""
    before, resumed = run.state, run.resume()
    if resumed:
        record(actor, "training resumed", run, before={"state": before}, after={"state": run.state})
    return resumed


def _queue_ridge(dataset: Dataset, actor: Any) -> None:
    trained = dataset.model_versions.filter(kind=Kind.RIDGE).exists()
    if not trained and not dataset.training_runs.trainings().active().filter(kind=Kind.RIDGE).exists():
        start_training(dataset=dataset, kind=Kind.RIDGE, actor=actor)


def queued_ridges(run: TrainingRun) -> list[TrainingRun]:
    """Ridge runs of the same data set that wait: a door sends them before `run`, unless that only looks ahead."""
    if run.is_estimate:
        return []
    return list(run.dataset.training_runs.due().filter(kind=Kind.RIDGE).exclude(pk=run.pk).order_by("pk"))


def _members(dataset: Dataset, kind: str, parents: Sequence[ModelVersion]) -> list[ModelVersion]:
    """A stack's parents, complete and of this data set; nothing for other kinds."""
    if kind != Kind.STACK:
        if parents:
            raise BadInput(f"Only a stack is made of other students; a {kind} has no parents.")
        return []
    if not parents:
        return _newest_of_each(dataset)
    strangers = [str(parent) for parent in parents if parent.dataset_id != dataset.pk]
    if strangers:
        raise BadInput(f"{' and '.join(strangers)} did not learn from {dataset}, so they can't be stacked for it.")
    if len({parent.pk for parent in parents}) < 2:
        raise BadInput("A stack needs two students or more.")
    return list(parents)


def _newest_of_each(dataset: Dataset) -> list[ModelVersion]:
    newest = dataset.model_versions.exclude(kind=Kind.STACK).order_by("kind", "-pk").distinct("kind")
    found = sorted(newest, key=lambda model: model.pk)
    if len(found) < 2:
        there = f"only {found[0]}" if found else "none yet"
        raise BadInput(f"A stack needs two students or more of the data set {dataset}, and there is {there}: train them first.")
    return found


def run_training(*, run_id: int, student: Sequence[str] = STUDENT) -> None:
    """Train one run to its end, unless it isn't due or another worker holds it; every ending is written on its row.

    `student` is the command whose `fit`, or `estimate`, does the work. A process ended by a signal puts the run back,
    and the next attempt goes on from its last checkpoint.
    """
    run = TrainingRun.objects.claim(run_id)
    if run is not None:
        see_through(run, lambda: _train(run, student))


def _train(run: TrainingRun, student: Sequence[str]) -> None:
    work = Path(settings.VAR) / "work" / f"run-{run.pk}"
    work.mkdir(parents=True, exist_ok=True)
    end_orphan(work)
    run.beat(stage="preparing")
    if run.is_estimate:
        _look_ahead(run, work, student)
    else:
        _learn(run, work, student)
    shutil.rmtree(work, ignore_errors=True)


def _look_ahead(run: TrainingRun, work: Path, student: Sequence[str]) -> None:
    recorder = _listen(run, work, command(student, "estimate", run, arguments(run, work, work / "student")))
    run.finish(stage="", child_pid=None, eta_s=None, estimate=recorder.foretold, progress_done=run.progress_total)


def _learn(run: TrainingRun, work: Path, student: Sequence[str]) -> None:
    if not was_moved(run):
        if not nursery(run).exists():  # nothing to go on from, so nothing of an earlier attempt counts
            run.epochs.all().delete()
            run.beat(loss_curve=[], estimate={})
        _listen(run, work, command(student, "fit", run, arguments(run, work, nursery(run))))
    run.beat(stage="registering")
    with transaction.atomic():
        run.hold()
        register(run=run, out_dir=nursery(run))
        run.finish(stage="", child_pid=None, eta_s=None, progress_done=run.progress_total)


def _listen(run: TrainingRun, work: Path, words: Sequence[str]) -> Recorder:
    """See a process through, writing down what it says; gives what it said last, or raises what went wrong."""
    child = Child.start(words, folder=work, cwd=Path(settings.BASE_DIR), env=child_environment())
    recorder = Recorder(run)
    try:
        run.beat(stage="starting the training process", child_pid=child.process.pid)
        for event in child.events(TICK_SECONDS):
            recorder.take(event)
    finally:
        status = child.stop()
    recorder.write()
    judge(status, recorder.is_complete, recorder.error, child.last_words(), "from its last checkpoint")
    return recorder
