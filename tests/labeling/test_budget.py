"""The cap holds whoever spends: reservations, bookings and what became of lost replies."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import IntegrityError, connections, transaction

from distillery_site.common.errors import LeaseLost
from labeling import budget, services
from labeling.models import LabelingRun
from tests.labeling import world

CENT = Decimal("0.01")


def claimed(count: int, cap: Decimal) -> LabelingRun:
    run = services.start_labeling(
        version=world.version(),
        oracle=services.get_oracle(provider="anthropic"),
        articles=world.keys(world.articles(count)),
        budget_usd=cap,
    )
    return LabelingRun.objects.claim(run.pk)


def test_two_at_once_never_reserve_more_than_the_cap(transactional_db: None):
    run = claimed(40, 25 * CENT)
    items = list(run.items.order_by("pk").values_list("pk", flat=True))

    def reserve(own: list[int]) -> int:
        try:
            return sum(len(budget.reserve(run, {item: CENT})) for item in own)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as both:
        held = list(both.map(reserve, (items[::2], items[1::2])))
    run.refresh_from_db()
    assert sum(held) == 25 and run.reserved_usd == 25 * CENT


def test_of_several_asks_the_first_that_fit_are_held(db: None):
    run = claimed(3, 2 * CENT)
    first, second, third = run.items.order_by("pk").values_list("pk", flat=True)
    assert budget.reserve(run, {first: CENT, second: 2 * CENT, third: CENT}) == {first, third}


def test_what_an_earlier_worker_never_settled_is_booked_as_lost(db: None):
    run = claimed(2, CENT)
    item = run.items.earliest("pk")
    budget.reserve(run, {item.pk: CENT})
    assert budget.book_lost_replies(run) == CENT
    run.refresh_from_db()
    item.refresh_from_db()
    assert (run.lost_usd, run.reserved_usd, item.reserved_usd, item.state) == (CENT, 0, None, "waiting")
    assert budget.reserve(run, {item.pk: CENT}) == set(), "lost money counts against the cap"


def test_a_call_dearer_than_its_worst_case_is_booked_in_full_and_stops_the_run(db: None):
    run = claimed(1, CENT)
    item = run.items.get()
    budget.reserve(run, {item.pk: CENT})
    run.refresh_from_db()
    said = budget.charge(run, reserved=CENT, cost=3 * CENT, lost=budget.ZERO)
    run.save(update_fields=budget.MONEY)
    assert "cost more than its worst case: $0.0300 is spent or out, the cap was $0.0100" in said
    assert (run.cost_usd, run.budget_usd) == (3 * CENT, 3 * CENT)


def test_only_the_holder_of_the_run_spends(db: None):
    run = claimed(1, CENT)
    LabelingRun.objects.filter(pk=run.pk).update(state="queued", lease_token=None, lease_until=None)
    with pytest.raises(LeaseLost):
        budget.reserve(run, {run.items.get().pk: CENT})


def test_postgres_itself_refuses_to_pass_the_cap(db: None):
    run = claimed(1, CENT)
    with pytest.raises(IntegrityError, match="labelingrun_within_budget"), transaction.atomic():
        LabelingRun.objects.filter(pk=run.pk).update(reserved_usd=2 * CENT)
