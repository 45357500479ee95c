"""A training process' events become rows: at most one write a second, and a heartbeat while nothing comes."""

import math
import time
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from training.models import TrainingEpoch, TrainingRun
from training.running.child import Event

STEP_SECONDS = 1.0
BEAT_SECONDS = 1.5
CURVE_POINTS = 600


@dataclass
class Recorder:
    """Listens for one run. Every method raises LeaseLost, or Cancelled when a person asked for it."""

    run: TrainingRun
    done: Event | None = None
    foretold: Event = field(default_factory=dict)
    error: Event | None = None
    _changes: dict[str, Any] = field(default_factory=dict)
    _written: float = field(default_factory=time.monotonic)

    def take(self, event: Event | None) -> None:
        """Note an event (None: nothing came), and write when it is time."""
        if event is not None:
            listener = getattr(self, f"_on_{event['event']}", None)
            if listener:
                listener(event)
        waited = time.monotonic() - self._written
        if waited >= (STEP_SECONDS if self._changes else BEAT_SECONDS):
            self.write()

    @property
    def is_complete(self) -> bool:
        """Whether the process said all that it was started for."""
        return bool(self.foretold) if self.run.is_estimate else self.done is not None

    def write(self) -> None:
        self._written = time.monotonic()
        changes, self._changes = self._changes, {}
        self.run.beat(**changes)

    def _on_note(self, event: Event) -> None:
        if event["text"] not in self.run.notes:  # a resumed process says the same again
            self._changes["notes"] = self.run.notes = [*self.run.notes, event["text"]]

    def _on_step(self, event: Event) -> None:
        step, steps = event["step"], event["steps"]
        curve = [point for point in self.run.loss_curve if point[0] < step]
        self.run.loss_curve = thinned([*curve, [step, event["loss"]]])
        speed = event.get("tokens_per_s")
        self._changes |= {
            "step": step,
            "steps": steps,
            "progress_done": step,
            "progress_total": steps,
            "epoch_now": event["epoch"],
            "eta_s": event.get("eta_s"),
            "loss_curve": self.run.loss_curve,
            "stage": f"training, {speed:,.0f} tokens a second" if speed else "training",
        }

    def _on_epoch(self, event: Event) -> None:
        values = {key: event.get(key) for key in ("train_mae", "val_mae_by_output", "seconds")}
        values["val_mae"] = math.nan if event["val_mae"] is None else event["val_mae"]  # a run that diverged
        with transaction.atomic():
            self.run.hold()
            _, is_new = TrainingEpoch.objects.update_or_create(run=self.run, number=event["number"], defaults=values)
        if is_new:  # the run got further than ever before, so its next stumble counts as the first
            self._changes["attempts"] = 1
        self.write()

    def _on_done(self, event: Event) -> None:
        self.done = event
        with transaction.atomic():
            self.run.hold()
            self.run.epochs.filter(chosen=True).update(chosen=False)
            self.run.epochs.filter(number=event["chosen_epoch"]).update(chosen=True)

    def _on_estimate(self, event: Event) -> None:
        """Memory, time and tokens as the first steps foretell them; a resumed process doesn't overwrite what the first said."""
        self.foretold = {key: value for key, value in event.items() if key != "event"}
        if self.run.is_estimate or not self.run.estimate:
            self._changes["estimate"] = self.run.estimate = self.foretold

    def _on_error(self, event: Event) -> None:
        self.error = event


def thinned(curve: list[list[float]]) -> list[list[float]]:
    """At most CURVE_POINTS points: over that, every second one goes, but never the last."""
    return [*curve[:-1:2], curve[-1]] if len(curve) > CURVE_POINTS else curve
