"""A labelling run through a provider's batch service: half the price, and nothing is handed over or stored twice."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from distillery_site.common.errors import BadInput
from labeling import figures, services
from labeling.models import FilterVersion, LabelingBatch, LabelingRun, LabelingShard, OracleCall, OracleLabel
from labeling.oracles.base import BatchLimits
from labeling.running import batching
from tests.fakes.vendor import KEY, FakeVendor
from tests.labeling import world
from tests.labeling.running.test_asking import check_books

pytestmark = pytest.mark.django_db
PLENTY = Decimal(1)


@pytest.fixture(autouse=True)
def server(settings: Any) -> Iterator[FakeVendor]:
    with FakeVendor() as running:
        settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = running.url, KEY
        yield running


def start(version: FilterVersion, count: int = 4, budget: Decimal = PLENTY, **how: Any) -> LabelingRun:
    oracle = services.get_oracle(provider="anthropic")
    articles = world.keys(world.articles(count))
    return services.start_labeling(
        version=version, oracle=oracle, articles=articles, mode="batch", budget_usd=budget, agreed=True, **how
    )


def go(run: LabelingRun, rounds: int = 1) -> figures.RunCounts:
    """So many rounds, whatever the rows would have to wait for."""
    for _ in range(rounds):
        LabelingShard.objects.filter(run=run).update(not_before=None)
        run.items.update(not_before=None)
        services.run_labeling(run_id=run.pk)
    run.refresh_from_db()
    return figures.run_counts(run)


def test_it_hands_over_rests_and_stores_what_comes_back(version: FilterVersion, server: FakeVendor):
    run = start(version, 20)
    assert go(run).waiting == 20
    batch = run.batches.get()
    assert (run.state, batch.state, batch.requests) == ("queued", "submitted", 20) and run.not_before > timezone.now()
    assert run.reserved_usd > 0 and run.cost_usd == 0
    assert go(run, 3).labelled == 20
    batch.refresh_from_db()
    assert (run.state, batch.state, batch.answered) == ("done", "stored", 20)
    check_books(run)


def test_a_batch_costs_half(version: FilterVersion, server: FakeVendor):
    run = start(version, 1)
    go(run, 4)
    batched = OracleLabel.objects.get()
    again = services.start_labeling(
        version=version,
        oracle=batched.oracle,
        articles=[batched.article_id],
        reading=2,
        budget_usd=PLENTY,
        agreed=True,
    )
    services.run_labeling(run_id=again.pk)
    direct = OracleLabel.objects.get(reading=2)
    tokens = (batched.input_tokens, batched.output_tokens)
    assert tokens == (direct.input_tokens, direct.output_tokens) and batched.cost_usd * 2 == direct.cost_usd


def test_articles_that_do_not_fit_go_into_further_batches(
    version: FilterVersion, server: FakeVendor, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("labeling.oracles.anthropic.AnthropicOracle.batch_limits", BatchLimits(requests=8))
    run = start(version, 20)
    go(run)
    assert sorted(run.batches.values_list("requests", flat=True)) == [4, 8, 8]
    assert go(run, 4).labelled == 20


def test_a_batch_without_a_reply_is_found_again_and_not_handed_over_twice(version: FilterVersion, server: FakeVendor):
    server.fault("lost_submit")
    run = start(version, 5)
    go(run)
    assert run.batches.get().state == "submitting" and run.state == "queued"
    assert go(run, 5).labelled == 5
    assert len(server.ledger) == 5 and run.batches.count() == 1
    check_books(run)


def test_a_batch_that_never_arrived_is_handed_over_again(
    version: FilterVersion, server: FakeVendor, monkeypatch: pytest.MonkeyPatch
):
    run = start(version, 5)
    monkeypatch.setattr("labeling.oracles.anthropic.AnthropicOracle.submit", _dies)
    with pytest.raises(RuntimeError):
        go(run)
    monkeypatch.undo()
    LabelingShard.objects.filter(run=run).update(lease_until=timezone.now() - timedelta(seconds=1))
    go(run)
    assert run.batches.get().state == "submitting", "the provider's list may be late"
    run.batches.update(submitted_at=timezone.now() - timedelta(seconds=batching.FIND_SECONDS + 1))
    go(run, 5)
    assert sorted(run.batches.values_list("state", flat=True)) == ["lost", "stored"]
    assert figures.run_counts(run).labelled == 5 == len(server.ledger)
    check_books(run)


async def _dies(*_: Any) -> str:
    raise RuntimeError("The worker's machine was switched off.")


def test_what_expired_or_went_wrong_is_asked_again(version: FilterVersion, server: FakeVendor):
    server.fault("429", marker="word1x")
    server.fault("expired", marker="word2x")
    server.fault("out_of_range", marker="word3x")
    run = start(version, 6)
    assert go(run, 10).labelled == 6
    assert OracleCall.objects.filter(repair=True).count() == 1
    check_books(run)


def test_a_cancelled_batch_is_called_back_and_its_answers_are_kept(version: FilterVersion, server: FakeVendor):
    run = start(version, 5)
    go(run)
    services.cancel_labeling(run=run)
    go(run, 4)
    assert run.state == "cancelled" and run.reserved_usd == 0
    assert LabelingBatch.objects.get().state == "stored"
    check_books(run)


def test_a_cap_hands_over_what_it_can_pay_for(version: FilterVersion, server: FakeVendor):
    run = start(version, 30, Decimal("0.01"))
    go(run, 6)
    counts = figures.run_counts(run)
    assert 0 < counts.labelled <= 30 and run.cost_usd <= run.budget_usd
    assert run.state == "done" or "The cap of $0.0100 for this run is reached" in run.error


def test_a_free_oracle_takes_no_batches(version: FilterVersion):
    oracle = services.get_oracle(provider="recorded")
    with pytest.raises(BadInput, match="takes no batches"):
        services.start_labeling(version=version, oracle=oracle, articles=world.keys(world.articles(1)), mode="batch")
