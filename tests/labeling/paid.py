"""A paid run and its calls as rows, without asking anybody: what pages and figures are made of."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from distillery_site.common.runs import RunState
from labeling import services
from labeling.models import FilterVersion, LabelingItem, LabelingRun, OracleCall, OracleLabel
from labeling.prompting.prompts import prompt_for
from labeling.running.outcomes import rubric_of
from tests.labeling import world

GOOD = '{"evidence": [], "reasoning": "Because.", "scores": {"good": 7, "bad": 2}}'
EACH = Decimal("0.01")


def run(version: FilterVersion, articles: int = 4, budget: Decimal | None = Decimal(1), **fields: Any) -> LabelingRun:
    """Queued; `fields` are written over the row afterwards."""
    found = services.start_labeling(
        version=version,
        oracle=services.get_oracle(provider="anthropic"),
        articles=world.keys(world.articles(articles)),
        budget_usd=budget,
        agreed=True,
    )
    return change(found, **fields)


def change(found: LabelingRun, **fields: Any) -> LabelingRun:
    LabelingRun.objects.filter(pk=found.pk).update(**fields)
    return LabelingRun.objects.select_related("version__filter", "oracle").get(pk=found.pk)


def at_work(found: LabelingRun, **fields: Any) -> LabelingRun:
    """Its first shard held by a worker, itself running for ten minutes."""
    now = timezone.now()
    lease = {"lease_token": uuid.uuid4(), "lease_until": now + timedelta(minutes=1)}
    found.shards.filter(number=1).update(state=RunState.RUNNING, **lease)
    return change(found, state=RunState.RUNNING, started_at=now - timedelta(minutes=10), **fields)


def call(item: LabelingItem, *, state: str = "answered", ago: float = 5.0, **fields: Any) -> OracleCall:
    """One request about `item`, sent two seconds before it was settled, `ago` seconds from now."""
    settled = timezone.now() - timedelta(seconds=ago)
    version = item.run.version
    row = {
        "key": uuid.uuid4().hex,
        "request_hash": uuid.uuid4().hex,
        "text_sha256": item.article.text_sha256,
        "prompt_hash": prompt_for([rubric_of(version)]).prompt_hash,
        "reserved_usd": 2 * EACH,
        "cost_usd": EACH if state in ("answered", "failed") else 0,
        "sent_at": settled - timedelta(seconds=2),
        "settled_at": None if state == "out" else settled,
        "seconds": 2.0,
    }
    return OracleCall.objects.create(run=item.run, item=item, state=state, **{**row, **fields})


def labelled(item: LabelingItem, *, flags: tuple[str, ...] = (), **fields: Any) -> OracleLabel:
    """A call that was answered well, its label, and the item done."""
    made = call(item, input_tokens=100, cache_read_tokens=60, output_tokens=20, request_id="req_1", **fields)
    LabelingItem.objects.filter(pk=item.pk).update(state=LabelingItem.State.LABELLED)
    found = item.run
    return OracleLabel.objects.create(
        run=found,
        call=made,
        version=found.version,
        article=item.article,
        oracle=found.oracle,
        scores=[7.0, 2.0],
        reasoning="Because.",
        evidence=[{"quote": "word1x1", "found": True}],
        raw_answer=GOOD,
        flags=list(flags),
        text_sha256=made.text_sha256,
        rubric_hash=found.version.rubric_hash,
        prompt_hash=made.prompt_hash,
        request_hash=made.request_hash,
    )


def failed(item: LabelingItem, error_class: str = "invalid", message: str = "It makes no sense.", **fields: Any) -> OracleCall:
    made = call(item, error_class=error_class, error=message, **fields)
    LabelingItem.objects.filter(pk=item.pk).update(state=LabelingItem.State.FAILED, error_class=error_class, error=message)
    return made
