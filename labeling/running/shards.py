"""The life of a shard: one worker takes it, works it off and leaves it in a state that says how to go on.

The run's own state is what people decide and see. A shard at work looks at it with every heartbeat and every reservation;
the last shard that is through with its part closes the run.
"""

import gc
import logging
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from distillery_site.common.errors import Cancelled, LeaseLost, Permanent, Transient
from distillery_site.common.runs import FINAL, MAX_ATTEMPTS, RunState
from labeling import figures
from labeling.models import LabelingItem, LabelingRun, LabelingShard
from labeling.oracles import base, registry
from labeling.running import asking, batching, budget
from labeling.running.engage import engage
from labeling.running.rates import Gate, Open, gate_for

log = logging.getLogger(__name__)

DIRECT = LabelingRun.Mode.DIRECT
ARTICLES_A_SHARD = 2_000
MOST_SHARDS = 8
PATIENCE_SECONDS, LONGEST_PATIENCE = 30.0, 900.0


def open_shards(run: LabelingRun, articles: int) -> None:
    """As many as there may be workers on one run; a batch is handed over by one."""
    many = min(MOST_SHARDS, -(-articles // ARTICLES_A_SHARD)) if run.mode == LabelingRun.Mode.DIRECT else 1
    LabelingShard.objects.bulk_create(LabelingShard(run=run, number=number) for number in range(1, many + 1))


def work_shard(*, shard_id: int) -> None:
    """Work a shard off, if it is due and nobody else holds it; whatever happens ends in the rows."""
    shard = LabelingShard.objects.claim(shard_id)
    if shard is None:
        return _give_up_dead(shard_id)
    run = _begin(shard)
    if run is None:
        return None
    spool = asking.spool_of(shard)
    try:
        asking.recover(run, shard, spool)
        oracle = engage(run.oracle, run.version)
        gc.freeze()  # the client's thousands of classes stay for good: no collection need look at them
        work = batching.Batching if run.mode == LabelingRun.Mode.BATCH else asking.Asking
        work(shard, run, oracle, _gate(run), spool).work()
    except LeaseLost as error:
        return log.warning("%s", error)
    except (budget.Paused, Cancelled):
        _follow(shard)
    except asking.Rest as error:
        _rest(shard, str(error), error.seconds)
    except budget.OverBudget as error:
        _stop_run(shard, RunState.PAUSED, str(error))
    except base.OracleError as error:
        _provider_failed(shard, run, error)
    except Transient as error:
        _be_patient(shard, str(error), error.retry_after)
    except Permanent as error:
        _stop_run(shard, RunState.FAILED, str(error))
    else:
        _finish(shard)
    return spool.clear()


def _gate(run: LabelingRun) -> Gate:
    oracle = run.oracle
    return gate_for(oracle.provider, oracle.model) if registry.provider(oracle.provider).paid else Open()


def _begin(shard: LabelingShard) -> LabelingRun | None:
    """The run, running; None when a person stopped it in the meantime, whose wish the shard then follows."""
    now = timezone.now()
    rows = LabelingRun.objects.filter(pk=shard.run_id)
    started = {"started_at": Coalesce("started_at", now), "heartbeat_at": now}
    rows.filter(state=RunState.QUEUED).update(state=RunState.RUNNING, error="", not_before=None, **started)
    run = rows.select_related("version__filter", "oracle").get()
    stopped = run.cancel_requested and not run.batches.unsettled().exists()
    if run.state == RunState.RUNNING and not stopped:
        return run
    _follow(shard)
    return None


def _give_up_dead(shard_id: int) -> None:
    """A shard that took its workers down with it too often has failed; then so has its run."""
    shard = LabelingShard.objects.filter(pk=shard_id, state=RunState.FAILED).first()
    if shard is not None:
        with transaction.atomic():
            _close_run(_lock_run(shard), RunState.FAILED, shard.error)


def _lock_run(shard: LabelingShard) -> LabelingRun:
    return LabelingRun.objects.select_for_update(of=("self",)).select_related("version__filter").get(pk=shard.run_id)


@transaction.atomic
def _follow(shard: LabelingShard) -> None:
    """Leave the shard as the run is: paused, cancelled, failed; or queued, when a person resumed it meanwhile."""
    run = _lock_run(shard)
    if run.cancel_requested or run.state == RunState.CANCELLED:
        shard.stop_cancelled()
        if not run.shards.exclude(state__in=FINAL).exists():
            _close_run(run, RunState.CANCELLED, "")
    elif run.state == RunState.PAUSED:
        shard.pause(run.error)
    elif run.state in FINAL:
        shard.fail(run.error)
    else:
        _queue(shard, "", 0.0)


def _queue(shard: LabelingShard, why: str, seconds: float) -> None:
    """Queue the shard again after `seconds`, with its tries renewed: it waits by agreement, nothing went wrong."""
    shard.attempts = 0
    shard.put_back(why, seconds, attempts=0)


@transaction.atomic
def _rest(shard: LabelingShard, why: str, seconds: float) -> None:
    run = _lock_run(shard)
    if run.items.filter(asking.due(timezone.now()), state=LabelingItem.State.WAITING, shard=None).exists() and run.mode == DIRECT:
        why, seconds = "", min(seconds, asking.REST_SECONDS)  # something came back after this shard had looked
    _queue(shard, why, seconds)
    _show_wait(run, why, seconds)


def _show_wait(run: LabelingRun, why: str, seconds: float) -> None:
    """While no shard is at work, the run shows what they wait for."""
    if not run.shards.filter(state=RunState.RUNNING).exists():
        due = timezone.now() + timedelta(seconds=seconds)
        rows = LabelingRun.objects.filter(pk=run.pk, state=RunState.RUNNING)
        rows.update(state=RunState.QUEUED, error=why, not_before=due)


def _provider_failed(shard: LabelingShard, run: LabelingRun, error: base.OracleError) -> None:
    if error.pauses_run:
        _stop_run(shard, RunState.PAUSED, str(error))
    else:
        _be_patient(shard, str(error), error.retry_after)


def _be_patient(shard: LabelingShard, why: str, seconds: float | None) -> None:
    """Try again later, each time later; after MAX_ATTEMPTS without any progress a person has to look."""
    if shard.attempts >= MAX_ATTEMPTS:
        _stop_run(shard, RunState.PAUSED, f"Paused after {shard.attempts} tries without progress. {why}")
        return
    wait = max(seconds or 0.0, min(PATIENCE_SECONDS * 2 ** max(0, shard.attempts - 1), LONGEST_PATIENCE))
    with transaction.atomic():
        run = _lock_run(shard)
        shard.put_back(why, wait)
        _show_wait(run, why, wait)


@transaction.atomic
def _stop_run(shard: LabelingShard, state: RunState, why: str) -> None:
    """Pause or fail the whole run; the other shards see it and follow."""
    run = _lock_run(shard)
    if run.state in FINAL or run.cancel_requested:
        _follow(shard)
        return
    if state == RunState.PAUSED:
        shard.pause(why)
        run.shards.filter(state=RunState.QUEUED).update(state=RunState.PAUSED)
        LabelingRun.objects.filter(pk=run.pk).update(state=state, error=why, not_before=None)
    else:
        shard.fail(why)
        _close_run(run, state, why)


@transaction.atomic
def _finish(shard: LabelingShard) -> None:
    """This shard's part is done; the last one to say so closes the run."""
    run = _lock_run(shard)
    free = run.items.filter(Q(shard=None) | Q(shard=shard), state=LabelingItem.State.WAITING)
    if free.exists():  # given back by another shard after this one had looked
        free.update(shard=None)
        _queue(shard, "", 0.0)
        return
    shard.finish()
    if not run.shards.exclude(state__in=FINAL).exists() and run.state not in FINAL:
        _close_run(run, RunState.DONE, "")


def _close_run(run: LabelingRun, state: RunState, why: str) -> None:
    changes: dict[str, Any] = {"state": state, "error": why, "not_before": None, "finished_at": timezone.now()}
    LabelingRun.objects.filter(pk=run.pk).exclude(state__in=FINAL).update(**changes, stage=summary(run))
    if state != RunState.DONE:
        idle = run.shards.filter(state__in=(RunState.QUEUED, RunState.PAUSED))
        idle.update(state=state, finished_at=timezone.now(), error=why)


def summary(run: LabelingRun) -> str:
    counts = figures.run_counts(run)
    parts = [(counts.labelled, "labelled"), (counts.stored, "known already"), (counts.absent, "without a recording")]
    parts.append((counts.failed, "failed"))
    return ", ".join(f"{count:,} {what}" for count, what in parts if count)
