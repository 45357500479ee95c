"""Labelling runs as people know them: start one, pause it, cancel it, go on with it, ask what failed again."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from distillery_site.common.runs import RunState
from labeling.models import Filter, FilterVersion, LabelingItem, LabelingRun, LabelingShard, Oracle
from labeling.oracles import registry
from labeling.oracles.prices import Prices
from labeling.planning.departures import departure
from labeling.running import shards
from labeling.running.budget import dollars

BATCH = 1000
EXTERNAL = "external"


@transaction.atomic
def start_labeling(
    *,
    version: FilterVersion,
    oracle: Oracle,
    articles: Sequence[int],
    also: Sequence[FilterVersion] = (),
    reading: int = 1,
    mode: str = LabelingRun.Mode.DIRECT,
    kind: str = LabelingRun.Kind.FULL,
    budget_usd: Decimal | None = None,
    sampling: dict[str, Any] | None = None,
    weights: Mapping[int, float] | None = None,
    enriched: Collection[int] = (),
    plan: dict[str, Any] | None = None,
    agreed: bool = False,
    actor: Any = None,
) -> LabelingRun:
    """A queued run over these articles (primary keys), by `version` and, in the same prompt, by `also`.

    A paid oracle needs a cap in USD and somebody who agreed that the articles leave this machine. `weights` are one over
    the chance that an article was drawn, `enriched` those drawn as likely positives. Raises BadInput with every problem.
    """
    _check_start(version, oracle, articles, also, mode, budget_usd, agreed)
    each = list(dict.fromkeys(articles))
    run = LabelingRun.objects.create(
        version=version,
        oracle=oracle,
        reading=reading,
        mode=mode,
        kind=kind,
        budget_usd=budget_usd,
        sampling=sampling or {},
        plan=plan or {},
        agreed=_agreement(oracle, [version, *also], (plan or {}).get("ask", len(each)), actor) if agreed else {},
        created_by=actor,
        progress_total=len(each),
    )
    run.also.set(also)
    _add_items(run, each, weights or {}, set(enriched))
    shards.open_shards(run, len(each))
    after = {"version": str(version), "oracle": str(oracle), "articles": len(each), "budget_usd": str(budget_usd), "mode": mode}
    record(actor, "labelling started", run, after=after)
    return run


def _check_start(
    version: FilterVersion,
    oracle: Oracle,
    articles: Sequence[int],
    also: Sequence[FilterVersion],
    mode: str,
    budget_usd: Decimal | None,
    agreed: bool,
) -> None:
    if oracle.provider == EXTERNAL:
        raise BadInput(f"{oracle} was asked elsewhere; it can't be asked from here.")
    problems = []
    if not articles:
        problems.append("There is no article to label.")
    problems += [
        f"{other} shows its readers another part of an article than {version}; ask them one by one."
        for other in also
        if other.view != version.view
    ]
    if len({each.filter_id for each in (version, *also)}) <= len(also):
        problems.append("A filter is named twice; a joint prompt takes one version of each.")
    known = registry.provider(oracle.provider)
    if mode == LabelingRun.Mode.BATCH and not known.paid:
        problems.append(f"{oracle} takes no batches; choose the direct mode.")
    if known.paid:
        problems += _money_problems(oracle, budget_usd)
        if not agreed:
            leaving = departure(oracle, (version, *also), len(set(articles)))
            problems.append(f"{leaving.sentence} Say that you agree (--agree, or the box on the page).")
    if problems:
        raise BadInput(*problems)


def _money_problems(oracle: Oracle, budget_usd: Decimal | None) -> Iterator[str]:
    try:
        Prices.of(oracle.provider, oracle.model, settings.ORACLE_PRICES)  # refuse now what could never be reserved
    except BadInput as error:
        yield str(error)
    if not budget_usd or budget_usd <= 0:
        yield f"{oracle} costs money: give a cap in USD."


def _agreement(oracle: Oracle, versions: Sequence[FilterVersion], articles: int, actor: Any) -> dict[str, Any]:
    """Who agreed to what, in the words that they were shown."""
    by = getattr(actor, "username", "") or "a command"
    return {"by": by, "at": timezone.now().isoformat(), "sentence": departure(oracle, versions, articles).sentence}


def _add_items(run: LabelingRun, articles: Sequence[int], weights: Mapping[int, float], enriched: set[int]) -> None:
    drawn = LabelingItem.Drawn
    items = (
        LabelingItem(
            run=run,
            article_id=pk,
            weight=weights.get(pk, 1.0),
            drawn=drawn.ENRICHED if pk in enriched else drawn.RANDOM,
        )
        for pk in articles
    )
    while batch := list(islice(items, BATCH)):
        LabelingItem.objects.bulk_create(batch)


def run_labeling(*, run_id: int) -> None:
    """Work off every shard of a run that is due, in this process; whatever happens ends in the rows.

    The run ends done, cancelled, failed, paused (at a cap, or until a person acts) or back in the queue (the provider asks
    for patience). Answers that are there stay, whatever the end.
    """
    due = LabelingShard.objects.due().filter(run=run_id).order_by("pk")
    for shard in due.values_list("pk", flat=True):
        shards.work_shard(shard_id=shard)


def work_shard(*, shard_id: int) -> None:
    shards.work_shard(shard_id=shard_id)


@transaction.atomic
def pause_labeling(*, run: LabelingRun, actor: Any = None) -> None:
    """Nothing new is asked; questions that are out are still settled: they are paid for. Batches stay with the provider."""
    row = _locked(run)
    if row.state not in (RunState.QUEUED, RunState.RUNNING) or row.cancel_requested:
        raise BadInput(f"{row} is {row.state}; only a queued or running run can be paused.")
    record(actor, "labelling paused", row, before={"state": row.state}, after={"state": RunState.PAUSED})
    row.shards.filter(state=RunState.QUEUED).update(state=RunState.PAUSED)
    changes = {"state": RunState.PAUSED, "error": "Paused by a person.", "not_before": None}
    LabelingRun.objects.filter(pk=row.pk).update(**changes)
    run.refresh_from_db()


@transaction.atomic
def cancel_labeling(*, run: LabelingRun, actor: Any = None) -> None:
    """Questions that are out are still settled: they are paid for."""
    before = run.state
    run.request_cancel()
    after = {"state": run.state, "cancel_requested": run.cancel_requested}
    record(actor, "labelling cancelled", run, before={"state": before}, after=after)


@transaction.atomic
def resume_labeling(*, run: LabelingRun, budget_usd: Decimal | None = None, actor: Any = None) -> None:
    """Queue a paused, failed or cancelled run again, under a new cap where one is given; the door sends the task."""
    row = _locked(run)
    if row.state not in (RunState.PAUSED, RunState.FAILED, RunState.CANCELLED):
        raise BadInput(f"{row} is {row.state}; only a paused, failed or cancelled run can be resumed.")
    if budget_usd is not None:
        if budget_usd <= row.spent_usd:
            raise BadInput(f"The cap must be above the {dollars(row.spent_usd)} that is spent.")
        record(actor, "cap changed", row, before={"budget_usd": str(row.budget_usd)}, after={"budget_usd": str(budget_usd)})
        LabelingRun.objects.filter(pk=row.pk).update(budget_usd=budget_usd)
    run.resume()
    record(actor, "labelling resumed", row, before={"state": row.state}, after={"state": run.state})


@transaction.atomic
def retry_failed(*, run: LabelingRun, error_class: str = "", actor: Any = None) -> int:
    """Let failed articles (of one class, or all) wait again and queue the run; returns how many. The door sends the task."""
    row = _locked(run)
    if row.state in (RunState.QUEUED, RunState.RUNNING):
        raise BadInput(f"{row} is {row.state}; wait until it has ended, then ask its failed articles again.")
    failed = row.items.filter(state=LabelingItem.State.FAILED)
    failed = failed.filter(error_class=error_class) if error_class else failed
    fresh = {"attempts": 0, "room": 0, "repair": False, "not_before": None, "error_class": "", "error": ""}
    count = failed.update(state=LabelingItem.State.WAITING, **fresh)
    if not count:
        raise BadInput(f"{row} has no failed articles{f' of class {error_class}' if error_class else ''}.")
    record(actor, "failed articles asked again", row, after={"articles": count, "class": error_class or "all"})
    LabelingRun.objects.filter(pk=row.pk).update(progress_done=F("progress_done") - count)
    run.resume()
    return count


def _locked(run: LabelingRun) -> LabelingRun:
    return LabelingRun.objects.select_for_update(of=("self",)).select_related("version__filter").get(pk=run.pk)


@transaction.atomic
def set_filter_cap(*, filter: Filter, budget_usd: Decimal | None, actor: Any = None) -> None:  # noqa: A002 (the domain's word)
    """Cap what all labelling of this filter may cost together; None lifts it. Runs that are out settle all the same."""
    if budget_usd is not None and budget_usd <= 0:
        raise BadInput("The cap must be above $0; leave it empty for none.")
    row = Filter.objects.select_for_update().get(pk=filter.pk)
    before, row.budget_usd = row.budget_usd, budget_usd
    row.save(update_fields=["budget_usd"])
    told = [None if cap is None else str(cap) for cap in (before, budget_usd)]
    record(actor, "filter's cap changed", row, before={"budget_usd": told[0]}, after={"budget_usd": told[1]})
