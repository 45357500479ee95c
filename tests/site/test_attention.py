"""What the overview says of labelling: runs that stopped, that nobody takes, and caps that are nearly reached."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from distillery_site import overview
from distillery_site.attention import concerns
from distillery_site.common.runs import RunState
from labeling import services
from labeling.models import FilterVersion, LabelingRun, Purse
from labeling.running.settling import month_of, purse_of
from labeling.watching.standing import Standing
from tests.labeling import paid, world

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(db: None) -> FilterVersion:
    return world.version()


def sentences() -> list[str]:
    return [concern.sentence for concern in concerns()]


def waits_since(run: LabelingRun, **ago: float) -> None:
    run.shards.update(created_at=timezone.now() - timedelta(**ago))


def held(run: LabelingRun, **left: float) -> None:
    """Its shard held by a worker whose lease ends then."""
    lease = timezone.now() + timedelta(**left)
    run.shards.update(state=RunState.RUNNING, lease_token=uuid.uuid4(), lease_until=lease)
    paid.change(run, state=RunState.RUNNING)


@pytest.mark.parametrize(
    "why",
    [
        "The cap of $1.0000 for this run is reached: $0.9990 is paid, lost or out. Raise the cap and resume.",
        "ANTHROPIC_API_KEY is not accepted. Set the right key and resume the run.",
    ],
)
def test_a_paused_run_says_why(version: FilterVersion, why: str):
    run = paid.run(version, state=RunState.PAUSED, error=why)
    assert sentences()[0] == f"Labelling run {run.pk} paused: {why}"


def test_a_run_that_no_worker_takes_is_told_after_a_while(version: FilterVersion):
    run = paid.run(version)
    assert not [said for said in sentences() if "no worker" in said]
    waits_since(run, minutes=5)
    assert f"Labelling run {run.pk} waits and no worker takes it; python manage.py up starts them." in sentences()


def test_reviews_that_are_overdue_are_grave(version: FilterVersion):
    first, second = world.articles(2)
    version.review_tasks.create(article=first, reason="random")
    assert [one.grave for one in concerns() if "waits for a person" in one.sentence] == [False]
    version.review_tasks.create(article=second, reason="random", due_at=timezone.now() - timedelta(days=1))
    (found,) = (one for one in concerns() if "wait for a person" in one.sentence)
    assert found.grave and found.sentence.endswith("by Tiny; 1 should have been scored by now.")


def test_a_run_that_waits_its_time_is_nobodys_fault(version: FilterVersion):
    run = paid.run(version)
    waits_since(run, minutes=5)
    run.shards.update(not_before=timezone.now() + timedelta(minutes=5))
    assert not [said for said in sentences() if "no worker" in said]


@pytest.mark.parametrize(("left", "told"), [(30, False), (-10, False), (-120, True)])
def test_a_run_whose_worker_died_is_told_when_nobody_takes_it_up(version: FilterVersion, left: float, told: bool):
    held(paid.run(version), seconds=left)
    assert bool([said for said in sentences() if "no worker" in said]) is told


@pytest.mark.parametrize(("spent", "told"), [("35.90", False), ("36.00", True)])
def test_the_months_cap_is_told_when_it_is_nearly_reached(version: FilterVersion, settings: Any, spent: str, told: bool):
    settings.ORACLE_MONTHLY_CAP_USD = "45"
    Purse.objects.create(name=month_of(timezone.now()), cost_usd=Decimal(spent))
    sentence = "$36.00 of the $45.00 for this month's labelling is spent or out; runs pause when all of it is."
    assert (sentence in sentences()) is told


def test_a_filters_cap_is_told_when_it_is_nearly_reached(version: FilterVersion):
    services.set_filter_cap(filter=version.filter, budget_usd=Decimal(10))
    Purse.objects.create(name=purse_of(LabelingRun(version=version)), cost_usd=Decimal(7), lost_usd=Decimal(2))
    assert "$9.00 of the $10.00 for labelling by Tiny is spent or out; runs pause when all of it is." in sentences()


def test_a_cap_that_cannot_be_read_is_told(version: FilterVersion, settings: Any):
    settings.ORACLE_MONTHLY_CAP_USD = "plenty"
    assert "ORACLE_MONTHLY_CAP_USD must be an amount in dollars, not 'plenty'." in sentences()


def test_what_runs_now_is_told_as_on_its_page(version: FilterVersion):
    run = paid.at_work(paid.run(version), progress_done=1)
    [work] = overview.runs_now()
    assert work.words == Standing(run).headline and work.words.startswith("1 of 4")


def test_the_loop_stops_at_a_paused_run(version: FilterVersion, client: Client, django_user_model: Any):
    run = paid.run(version, state=RunState.PAUSED, error="The cap is reached.")
    client.force_login(django_user_model.objects.create_superuser("lead"))
    stop = next(stop for stop in overview.stations(version.filter) if stop.name == "Labelled")
    assert (stop.what, stop.url, stop.state) == ("a run is paused", f"/labels/{run.pk}/", "idle")
    assert client.get("/").status_code == 200
