"""Learning curves: start one, see it through in a process of its own, stop it, go on with it; each point is kept as it comes.

They share the gpu lane with the trainings, ridge ones too: a curve is a dozen trainings one after the other, and the
lane of the clock must stay free.
"""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from training import datasets
from training.models import Dataset, Kind, LearningCurve, Split
from training.running import launching
from training.running.child import Child, Event, end_orphan
from training.running.endings import judge, see_through
from training.student import artifact
from training.student import config as options
from training.student.curve import KINDS, SEEDS, SHARES, problems

CURVE = (sys.executable, "-m", "training.student.curve")
STEP_SECONDS, BEAT_SECONDS = 1.0, 1.5


@transaction.atomic
def start_curve(
    *,
    dataset: Dataset,
    kind: str = Kind.RIDGE,
    config: Mapping[str, Any] | None = None,
    shares: Sequence[float] = SHARES,
    seeds: int = SEEDS,
    actor: Any = None,
) -> LearningCurve:
    """A queued curve; the same one while the very same is under way. The door sends it (training.curves.tasks.send).

    `config` is the student's options, a preset among them. Raises BadInput with every problem.
    """
    if kind not in KINDS:
        raise BadInput(f"A learning curve is drawn with {' or '.join(KINDS)}, not with {kind!r}.")
    options.make(kind, config)
    if wrong := problems(shares, seeds, dataset.items.filter(split=Split.TRAIN).count()):
        raise BadInput(*wrong)
    Dataset.objects.select_for_update(no_key=True).get(pk=dataset.pk)  # two clicks at once start one curve
    wanted = {"dataset": dataset, "kind": kind, "config": dict(config or {}), "shares": sorted(set(shares)), "seeds": seeds}
    known = LearningCurve.objects.active().filter(**wanted).first()
    if known is not None:
        return known
    run = LearningCurve.objects.create(**wanted, created_by=actor)
    record(actor, "learning curve started", run, after={"dataset": dataset.name, "kind": kind, "seeds": seeds})
    return run


@transaction.atomic
def cancel_curve(*, run: LearningCurve, actor: Any = None) -> None:
    """Its points stay, and it can be resumed."""
    if not run.is_final:
        before = run.state
        run.request_cancel()
        after = {"state": run.state, "cancel_requested": run.cancel_requested}
        record(actor, "learning curve cancelled", run, before={"state": before}, after=after)


@transaction.atomic
def resume_curve(*, run: LearningCurve, actor: Any = None) -> bool:
    """Whether a failed or cancelled curve is queued again; then the door sends it (training.curves.tasks.send)."""
    before, resumed = run.state, run.resume()
    if resumed:
        record(actor, "learning curve resumed", run, before={"state": before}, after={"state": run.state})
    return resumed


def run_curve(*, run_id: int, student: Sequence[str] = CURVE) -> None:
    """Draw one curve to its end, unless it isn't due or another worker holds it; every ending is written on its row.

    A process ended by a signal puts the run back; the next attempt goes on after the last point.
    """
    run = LearningCurve.objects.claim(run_id)
    if run is not None:
        see_through(run, lambda: _draw(run, student))


def points_folder(run: LearningCurve) -> Path:
    """Where its points are kept until it is done: beside the students that grow, which all machines that train can see."""
    return Path(settings.MODELS_ROOT) / ".unfinished" / f"curve-{run.pk}"


def _draw(run: LearningCurve, student: Sequence[str]) -> None:
    work = Path(settings.VAR) / "work" / f"curve-{run.pk}"
    work.mkdir(parents=True, exist_ok=True)
    end_orphan(work)
    run.beat(stage="preparing")
    child = Child.start(
        [*student, *_words(run, work)], folder=work, cwd=Path(settings.BASE_DIR), env=launching.child_environment()
    )
    said = Recorder(run)
    try:
        run.beat(stage="starting the training process")
        for event in child.events(launching.TICK_SECONDS):
            said.take(event)
    finally:
        status = child.stop()
    judge(status, bool(said.fit), said.error, child.last_words(), "after the last point")
    if run.finish(stage="", fit=said.fit, progress_done=run.progress_total):
        for folder in (work, points_folder(run)):
            shutil.rmtree(folder, ignore_errors=True)


def _words(run: LearningCurve, work: Path) -> list[str]:
    """Export the data set and the options, and name everything that the process reads and writes; the test split stays here."""
    config = options.make(run.kind, run.config)
    datasets.export(run.dataset, work / "data")
    artifact.write_json(work / "config.json", options.to_json(config))
    words = ["--kind", run.kind, "--data", str(work / "data"), "--work", str(points_folder(run))]
    words += ["--config", str(work / "config.json"), "--seeds", str(run.seeds), "--shares", *map(str, run.shares)]
    if isinstance(config, options.LoraConfig | options.KernelConfig):
        words += ["--base", str(launching.base(run, config.base)), "--lease", str(launching.gpu_lease())]
    return words


@dataclass
class Recorder:
    """Listens for one curve. Every method raises LeaseLost, or Cancelled when a person asked for it."""

    run: LearningCurve
    fit: dict[str, Any] = field(default_factory=dict)
    error: Event | None = None
    _changes: dict[str, Any] = field(default_factory=dict)
    _written: float = field(default_factory=time.monotonic)

    def take(self, event: Event | None) -> None:
        """Note an event (None: nothing came), and write when it is time."""
        if event is not None and (listener := getattr(self, f"_on_{event['event']}", None)):
            listener(event)
        if time.monotonic() - self._written >= (STEP_SECONDS if self._changes else BEAT_SECONDS):
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        changes, self._changes = self._changes, {}
        self.run.beat(**changes)

    def _on_waiting(self, event: Event) -> None:
        self._changes["stage"] = "waiting for the accelerator"

    def _on_learning(self, event: Event) -> None:
        self._changes |= {
            "stage": f"training on {event['articles']:,} articles, order {event['seed'] + 1}",
            "progress_done": event["done"],
            "progress_total": event["total"],
        }

    def _on_point(self, event: Event) -> None:
        """Stored at once; one that an earlier process told already replaces itself."""
        wanted = ("share", "articles", "seed", "mae", "mae_by_output", "seconds")
        point = {key: event[key] for key in wanted}
        others = [one for one in self.run.points if (one["articles"], one["seed"]) != (point["articles"], point["seed"])]
        self._changes |= {
            "points": sorted([*others, point], key=lambda one: (one["articles"], one["seed"])),
            "progress_done": event["done"],
            "progress_total": event["total"],
            "attempts": 1,  # it got further, so its next stumble counts as the first
        }
        self._write()

    def _on_fitted(self, event: Event) -> None:
        self.fit = event["fit"]

    def _on_error(self, event: Event) -> None:
        self.error = event
