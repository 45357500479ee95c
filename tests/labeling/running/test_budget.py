"""The caps hold whoever spends: reservations, bookings and what became of lost replies."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction

from distillery_site.common.errors import LeaseLost
from labeling import services
from labeling.models import LabelingRun, LabelingShard, OracleCall, Purse
from labeling.running import budget
from labeling.running.settling import Outcome, month_of, settle
from tests.labeling import world

CENT = Decimal("0.01")
Held = tuple[LabelingRun, LabelingShard]


def claimed(count: int, cap: Decimal) -> Held:
    run = services.start_labeling(
        version=world.version(),
        oracle=services.get_oracle(provider="anthropic"),
        articles=world.keys(world.articles(count)),
        budget_usd=cap,
        agreed=True,
    )
    LabelingRun.objects.filter(pk=run.pk).update(state="running")
    return run, LabelingShard.objects.claim(run.shards.get().pk)


def calls(held: Held, *costs: Decimal, first: int = 0) -> list[OracleCall]:
    run, shard = held
    items = run.items.order_by("pk")[first : first + len(costs)]
    return [
        OracleCall(key=f"c{item.pk}", run=run, item=item, shard=shard, request_hash=f"q{item.pk}", reserved_usd=cost)
        for item, cost in zip(items, costs, strict=True)
    ]


def reserve(held: Held, *asked: OracleCall) -> list[str]:
    return [call.key for call in budget.reserve(*held, asked)[0]]


def test_two_at_once_never_reserve_more_than_the_cap(transactional_db: None):
    held = claimed(40, 25 * CENT)
    asked = calls(held, *[CENT] * 40)

    def spend(own: list[OracleCall]) -> int:
        try:
            return sum(len(reserve(held, call)) for call in own)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as both:
        done = list(both.map(spend, (asked[::2], asked[1::2])))
    held[0].refresh_from_db()
    assert sum(done) == 25 and held[0].reserved_usd == 25 * CENT


def test_of_several_calls_the_first_that_fit_are_written_down_and_the_cap_is_named(db: None):
    held = claimed(3, 2 * CENT)
    written, cap = budget.reserve(*held, calls(held, CENT, 2 * CENT, CENT))
    assert len(written) == 1 == OracleCall.objects.count() and cap is not None
    assert "The cap of $0.0200 for this run is reached: $0.0000 is paid" in cap.sentence(2 * CENT)


def test_the_filters_cap_holds_over_all_its_runs(db: None):
    held = claimed(2, 100 * CENT)
    services.set_filter_cap(filter=held[0].version.filter, budget_usd=CENT)
    written, cap = budget.reserve(*held, calls(held, CENT, CENT))
    assert len(written) == 1 and cap is not None and cap.what == "the filter tiny"


def test_the_months_cap_holds_over_everything(db: None, settings: Any):
    settings.ORACLE_MONTHLY_CAP_USD = "0.02"
    held = claimed(2, 100 * CENT)
    assert len(reserve(held, *calls(held, CENT))) == 1
    written, cap = budget.reserve(*held, calls(held, 2 * CENT, first=1))
    assert written == [] and cap is not None and cap.what == "this month"
    assert cap.out == CENT, "what is out may come back"


def test_the_same_question_is_never_out_twice(db: None):
    held = claimed(2, 100 * CENT)
    first, second = calls(held, CENT, CENT)
    second.request_hash = first.request_hash
    written, cap = budget.reserve(*held, [first, second])
    assert [call.key for call in written] == [first.key] and cap is None
    held[0].refresh_from_db()
    assert held[0].reserved_usd == CENT


def test_what_an_earlier_worker_never_settled_is_booked_as_lost(db: None):
    held = claimed(2, CENT)
    run, shard = held
    (call,) = calls(held, CENT)
    run.items.filter(pk=call.item_id).update(shard=shard)
    reserve(held, call)
    assert budget.book_lost(run, shard) == 1
    run.refresh_from_db()
    assert (run.lost_usd, run.reserved_usd, run.items.exclude(shard=None).count()) == (CENT, 0, 0)
    assert reserve(held, *calls(held, CENT, first=1)) == [], "lost money counts against the cap"


def test_a_lost_reply_that_turns_up_is_booked_out_again(db: None):
    held = claimed(1, CENT)
    run, shard = held
    (call,) = calls(held, CENT)
    reserve(held, call)
    budget.book_lost(run, shard)
    settle(run, [Outcome(call.key, "answered", cost_usd=CENT / 4)])
    settle(run, [Outcome(call.key, "answered", cost_usd=CENT / 4)])
    run.refresh_from_db()
    assert (run.lost_usd, run.cost_usd, run.reserved_usd) == (0, CENT / 4, 0)
    purse = Purse.objects.get(name=month_of(datetime.now()))
    assert (purse.lost_usd, purse.cost_usd, purse.reserved_usd) == (0, CENT / 4, 0)


def test_what_was_never_sent_is_free(db: None):
    held = claimed(1, CENT)
    (call,) = calls(held, CENT)
    reserve(held, call)
    budget.release_unsent(held[0], [call.key])
    held[0].refresh_from_db()
    assert held[0].spent_usd == 0 and OracleCall.objects.get().state == "unsent"


def test_a_call_dearer_than_its_worst_case_is_booked_in_full_and_pauses_the_run(db: None):
    held = claimed(1, CENT)
    (call,) = calls(held, CENT)
    reserve(held, call)
    settle(held[0], [Outcome(call.key, "answered", cost_usd=3 * CENT)])
    held[0].refresh_from_db()
    assert (held[0].cost_usd, held[0].budget_usd, held[0].state) == (3 * CENT, 3 * CENT, "paused")
    assert "cost more than its worst case" in held[0].error


def test_only_the_holder_of_the_shard_spends(db: None):
    held = claimed(1, CENT)
    LabelingShard.objects.update(state="queued", lease_token=None, lease_until=None)
    with pytest.raises(LeaseLost):
        reserve(held, *calls(held, CENT))


def test_nothing_is_spent_for_a_run_that_was_stopped(db: None):
    held = claimed(1, CENT)
    services.pause_labeling(run=held[0])
    with pytest.raises(budget.Paused):
        reserve(held, *calls(held, CENT))


def test_postgres_itself_refuses_to_pass_the_cap(db: None):
    run, _ = claimed(1, CENT)
    with pytest.raises(IntegrityError, match="labelingrun_within_budget"), transaction.atomic():
        LabelingRun.objects.filter(pk=run.pk).update(reserved_usd=2 * CENT)
