"""A run's money as its page shows it: what is spent, what it will come to, and which cap binds."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from distillery_site.common.runs import RunState
from labeling import services
from labeling.figures import run_counts
from labeling.models import FilterVersion, LabelingItem, LabelingRun, Purse
from labeling.running.settling import month_of, purse_of
from labeling.watching.money import Money, money_of
from labeling.watching.standing import Standing
from tests.labeling import paid, world

pytestmark = pytest.mark.django_db


def money(run: LabelingRun) -> Money:
    return money_of(run, run_counts(run))


def half_done(version: FilterVersion, **fields: Any) -> LabelingRun:
    """Two of four articles labelled, for ten cents each."""
    run = paid.run(version)
    done = run.items.order_by("pk")[:2]
    LabelingItem.objects.filter(pk__in=[item.pk for item in done]).update(state="labelled")
    return paid.change(run, cost_usd=Decimal("0.2"), progress_done=2, **fields)


def spend(name: str, amount: str) -> None:
    Purse.objects.update_or_create(name=name, defaults={"cost_usd": Decimal(amount)})


def test_it_projects_what_is_paid_onto_what_waits(version: FilterVersion):
    found = money(half_done(version, lost_usd=Decimal("0.05")))
    assert found.projected == Decimal("0.45"), "0.20 paid, 0.05 lost, two more at 0.10"
    assert (found.most, found.reach) == (1, None)


def test_before_the_first_answer_the_plan_is_what_is_known(version: FilterVersion):
    assert money(paid.run(version, plan={"usd": 0.33})).projected == Decimal("0.33")
    assert money(paid.run(version)).projected is None


def test_a_run_that_is_over_comes_to_what_it_cost(version: FilterVersion):
    found = money(half_done(version, state=RunState.DONE, lost_usd=Decimal("0.05")))
    assert (found.projected, found.in_the_end, len(found.caps)) == (None, Decimal("0.25"), 1)


def test_it_says_how_far_the_cap_reaches(version: FilterVersion):
    run = half_done(version, budget_usd=Decimal("0.31"))
    assert money(run).reach == 1 and Standing(run).reach == 3


@pytest.mark.parametrize(
    ("run_cap", "filter_cap", "month_cap", "what", "most"),
    [
        ("0.9", "", "", "this run", "0.9"),
        ("0.9", "5.5", "", "the filter tiny", "0.7"),
        ("0.9", "5.5", "10.1", "this month", "0.3"),
        ("0.9", "", "2", "this month", "0.2"),
    ],
)
def test_the_tightest_cap_binds(
    version: FilterVersion, settings: Any, run_cap: str, filter_cap: str, month_cap: str, what: str, most: str
):
    run = half_done(version, budget_usd=Decimal(run_cap))
    settings.ORACLE_MONTHLY_CAP_USD = month_cap
    services.set_filter_cap(filter=version.filter, budget_usd=Decimal(filter_cap) if filter_cap else None)
    spend(purse_of(run), "5")
    spend(month_of(timezone.now()), "10")
    found = money(paid.change(run))
    assert found.tight is not None and found.tight.what == what and found.most == Decimal(most)


def test_a_months_cap_that_cannot_be_read_leaves_the_runs_own(version: FilterVersion, settings: Any):
    settings.ORACLE_MONTHLY_CAP_USD = "plenty"
    assert [cap.what for cap in money(half_done(version)).caps] == ["this run"]


def test_the_stretches_of_the_bar_fill_it(version: FilterVersion):
    found = money(half_done(version, lost_usd=Decimal("0.05"), reserved_usd=Decimal("0.1")))
    assert {part.name: part.percent for part in found.parts} == {
        "paid": "20.00",
        "lost": "5.00",
        "reserved": "10.00",
        "to-come": "10.00",
    }
    assert found.mark == "100.00"


def test_a_bar_that_would_pass_the_cap_marks_it(version: FilterVersion):
    found = money(half_done(version, budget_usd=Decimal("0.3")))
    assert found.mark == "75.00" and sum(float(part.percent) for part in found.parts) == 100


def test_a_recorded_oracle_is_free(version: FilterVersion):
    articles = world.keys(world.articles(1))
    run = services.start_labeling(version=version, oracle=services.get_oracle(provider="recorded"), articles=articles)
    assert money(run).is_free and money(run).most is None and money(run).mark == ""
