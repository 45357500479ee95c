"""Long work is a row: who holds it, how far it is, what it cost and why it stopped.

A Celery message only says "look at run N". A worker owns a run after one conditional UPDATE hit one row,
keeps it with a heartbeat, and loses it when its lease runs out; `redispatch` sends such runs round again.
"""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from distillery_site.common.errors import Cancelled, LeaseLost

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 5


class Money(models.DecimalField):
    """USD, exact to a ten-thousandth of a millionth: what one token of the cheapest model costs."""

    def __init__(self, **options: Any):
        super().__init__(**{"max_digits": 20, "decimal_places": 10, **options})


class RunState(models.TextChoices):
    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    PAUSED = "paused", "paused"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"


FINAL = (RunState.DONE, RunState.FAILED, RunState.CANCELLED)


class RunQuerySet(models.QuerySet):
    def due(self) -> Self:
        """Queued and its time has come, or running under a lease that ran out."""
        now = timezone.now()
        waiting = Q(state=RunState.QUEUED) & (Q(not_before=None) | Q(not_before__lte=now))
        return self.filter(waiting | Q(state=RunState.RUNNING, lease_until__lt=now))

    def active(self) -> Self:
        return self.exclude(state__in=FINAL)

    def newest(self) -> Self:
        return self.order_by("-pk")

    def claim(self, pk: int, lease: timedelta = LEASE) -> Any | None:
        """The run, owned by the caller, or None when it isn't due or someone else was first.

        One that took its workers down with it MAX_ATTEMPTS times fails here, so it can't do so for ever.
        """
        token = uuid.uuid4()
        now = timezone.now()
        won = (
            self.due()
            .filter(pk=pk)
            .update(
                state=RunState.RUNNING,
                lease_token=token,
                lease_until=now + lease,
                heartbeat_at=now,
                attempts=F("attempts") + 1,
                not_before=None,
                error="",
                started_at=Coalesce("started_at", now),
            )
        )
        run: Any = self.get(pk=pk) if won == 1 else None
        if run is not None and run.attempts > MAX_ATTEMPTS:
            run.fail(f"Gave up after {MAX_ATTEMPTS} attempts; each ended without a word, as when a machine runs out of memory.")
            return None
        return run


class Run(models.Model):
    """Abstract base of every long piece of work."""

    state = models.CharField(max_length=10, choices=RunState, default=RunState.QUEUED)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    cancel_requested = models.BooleanField(default=False)
    stage = models.CharField(max_length=200, blank=True)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    cost_usd = Money(default=0)
    error = models.TextField(blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                name="%(class)s_running_has_lease",
                condition=~Q(state="running") | Q(lease_token__isnull=False, lease_until__isnull=False),
            ),
            models.CheckConstraint(name="%(class)s_state_known", condition=Q(state__in=RunState.values)),
        ]
        indexes = [
            # RunQuerySet.due, every few seconds over a table of mostly finished runs
            models.Index(
                name="%(class)s_due", fields=["state", "not_before"], condition=~Q(state__in=("done", "failed", "cancelled"))
            ),
        ]

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def progress_share(self) -> float:
        """0–1; an unknown total is 0."""
        return min(1.0, self.progress_done / self.progress_total) if self.progress_total else 0.0

    @property
    def seconds(self) -> float | None:
        """Wall-clock seconds since the start, up to the end where there is one."""
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()

    @property
    def eta_seconds(self) -> float | None:
        if self.state != RunState.RUNNING or not self.progress_done or self.seconds is None:
            return None
        return self.seconds / self.progress_done * (self.progress_total - self.progress_done)

    def _owned(self) -> models.QuerySet:
        return type(self).objects.filter(pk=self.pk, state=RunState.RUNNING, lease_token=self.lease_token)

    def beat(self, lease: timedelta = LEASE, **fields: Any) -> None:
        """Keep the lease and store progress. Raises LeaseLost, or Cancelled when a person asked for it."""
        now = timezone.now()
        if self._owned().update(lease_until=now + lease, heartbeat_at=now, **fields) != 1:
            raise LeaseLost(f"{self} is no longer held by this worker.")
        for name, value in fields.items():
            setattr(self, name, value)
        if type(self).objects.filter(pk=self.pk, cancel_requested=True).exists():
            raise Cancelled(f"{self} was cancelled.")

    def hold(self) -> None:
        """Lock the row until the transaction ends, so that what is written with it is its owner's. Raises LeaseLost."""
        if self._owned().select_for_update().first() is None:
            raise LeaseLost(f"{self} is no longer held by this worker.")

    def _leave(self, state: RunState, **fields: Any) -> bool:
        changes = {"state": state, "lease_token": None, "lease_until": None, **fields}
        if self._owned().update(**changes) != 1:
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        return True

    def finish(self, **fields: Any) -> bool:
        return self._leave(RunState.DONE, finished_at=timezone.now(), **fields)

    def fail(self, message: str, **fields: Any) -> bool:
        return self._leave(RunState.FAILED, finished_at=timezone.now(), error=message, **fields)

    def pause(self, message: str, **fields: Any) -> bool:
        return self._leave(RunState.PAUSED, error=message, **fields)

    def stop_cancelled(self) -> bool:
        return self._leave(RunState.CANCELLED, finished_at=timezone.now())

    def put_back(self, message: str, seconds: float, **fields: Any) -> bool:
        """Queue the run again after `seconds`; after MAX_ATTEMPTS starts it fails with the message instead."""
        if self.attempts >= MAX_ATTEMPTS:
            return self.fail(f"Gave up after {self.attempts} attempts. {message}", **fields)
        due = timezone.now() + timedelta(seconds=seconds)
        return self._leave(RunState.QUEUED, not_before=due, error=message, **fields)

    def request_cancel(self) -> None:
        """Cancel at once what nobody holds; ask the holder of a running one."""
        rows = type(self).objects.filter(pk=self.pk)
        # In this order a run that changes hands between the two statements is caught by one of them.
        rows.exclude(state__in=FINAL).update(cancel_requested=True)
        waiting = rows.filter(state__in=(RunState.QUEUED, RunState.PAUSED))
        waiting.update(state=RunState.CANCELLED, finished_at=timezone.now())
        self.refresh_from_db()

    def resume(self) -> bool:
        """Queue a paused, failed or cancelled run again; what it finished stays."""
        rows = type(self).objects.filter(pk=self.pk, state__in=(RunState.PAUSED, RunState.FAILED, RunState.CANCELLED))
        fresh = {"cancel_requested": False, "attempts": 0, "error": "", "finished_at": None, "not_before": None}
        resumed = rows.update(state=RunState.QUEUED, **fresh)
        self.refresh_from_db()
        return resumed == 1


def redispatch(model: type[Run], send: Callable[[int], Any], limit: int = 50) -> int:
    """Send every due run of `model` round again; returns how many. Harmless when a message is still under way."""
    due = list(model.objects.due().order_by("pk").values_list("pk", flat=True)[:limit])
    for pk in due:
        send(pk)
    return len(due)
