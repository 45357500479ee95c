"""What a run does or waits for, how fast it is, and the line that tells it in a terminal."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from distillery_site.common.runs import RunState
from labeling.models import FilterVersion, LabelingBatch, LabelingRun
from labeling.running.rates import gate_for
from labeling.watching.standing import Standing
from tests.labeling import paid, world

pytestmark = pytest.mark.django_db


def words(run: LabelingRun) -> str:
    return Standing(run).doing.words


def batches(run: LabelingRun, *states: str) -> None:
    for number, state in enumerate(states):
        LabelingBatch.objects.create(run=run, marker=f"m{run.pk}-{number}", provider_id=f"b{number}", state=state, requests=1)


def test_it_says_how_many_work_and_what_is_out(version: FilterVersion):
    run = paid.at_work(paid.run(version))
    paid.call(run.items.first(), state="out")
    assert words(run) == "One worker is asking; 1 call is out."


def test_it_says_what_a_run_waits_for_and_until_when(version: FilterVersion):
    soon = timezone.now() + timedelta(minutes=5)
    run = paid.run(version, not_before=soon, error="The provider's rate limit asks for patience.")
    assert Standing(run).doing.words == "The provider's rate limit asks for patience."
    assert Standing(run).doing.until == soon


def test_a_queued_run_waits_for_a_worker(version: FilterVersion):
    run = paid.run(version)
    assert (Standing(run).doing.words, Standing(run).doing.since) == ("Waits for a worker", run.created_at)


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        (["stored", "submitted", "lost"], "Batch 2 of 2 is with the provider"),
        (["stored", "submitted", "submitting", "building"], "Batches 2 to 4 are with the provider"),
        (["stored", "stored"], "Waits for a worker"),
    ],
)
def test_it_says_which_batches_are_with_the_provider(version: FilterVersion, states: list[str], sentence: str):
    run = paid.run(version, mode="batch")
    batches(run, *states)
    assert words(run) == sentence


def test_a_stopped_run_says_what_becomes_of_the_calls_that_are_out(version: FilterVersion):
    run = paid.at_work(paid.run(version), reserved_usd=2 * paid.EACH)
    paid.call(run.items.first(), state="out")
    sentence = "1 call is out and is still settled, for at most $0.0200."
    assert sentence in words(paid.change(run, state=RunState.PAUSED))
    assert words(paid.change(run, state=RunState.RUNNING, cancel_requested=True)) == f"Stopping. {sentence}"


def test_a_paused_run_leaves_its_batches_with_the_provider(version: FilterVersion):
    run = paid.run(version, mode="batch", state=RunState.PAUSED)
    batches(run, "submitted")
    paid.call(run.items.first(), state="out")
    assert "One answer stays with the provider and is fetched then." in words(run)
    assert not Standing(run).is_live


def test_the_rate_is_that_of_the_last_minute(version: FilterVersion, settings: Any):
    settings.ORACLE_LIMITS = ["anthropic/claude-haiku-5-5=4000/0/0"]
    run = paid.at_work(paid.run(version, 40))
    items = list(run.items.order_by("pk"))
    paid.labelled(items[0], ago=300)
    for item in items[1:11]:
        paid.labelled(item, ago=18)  # sent 20 s ago
    paid.call(items[11], state="failed", error_class="rate", ago=3)
    pace = Standing(run).pace
    assert pace.a_minute == pytest.approx(33, abs=1) and pace.allowed == 4000
    assert pace.eta_seconds == pytest.approx(29 * 2, abs=2), "29 wait, ten take 20 s"


def test_a_limit_that_nobody_told_is_the_one_found_out_so_far(version: FilterVersion, settings: Any):
    world.forget_rates()
    run = paid.at_work(paid.run(version))
    assert Standing(run).pace.allowed is None
    gate_for("anthropic", "claude-haiku-5-5").take(1, 0.0, 0.0)
    assert Standing(run).pace.allowed == pytest.approx(300, rel=0.05)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert Standing(run).pace.allowed is None, "while Valkey is away the page still opens"


def test_nothing_in_the_last_minute_is_no_pace(version: FilterVersion):
    run = paid.at_work(paid.run(version))
    paid.labelled(run.items.first(), ago=100)
    assert (Standing(run).pace.a_minute, Standing(run).pace.eta_seconds) == (0, None)


def test_batches_are_timed_by_the_whole_run(version: FilterVersion):
    run = paid.at_work(paid.run(version), mode="batch", progress_done=1)
    paid.labelled(run.items.first())
    pace = Standing(run).pace
    assert pace.a_minute is None and pace.eta_seconds == pytest.approx(1800, rel=0.01)


def test_a_run_at_rest_has_no_pace(version: FilterVersion):
    assert Standing(paid.run(version, state=RunState.PAUSED)).pace.eta_seconds is None


def test_it_sums_tokens_and_tells_the_share_from_the_cache(version: FilterVersion):
    run = paid.run(version)
    for item in run.items.all():
        paid.labelled(item)
    usage = Standing(run).usage
    assert (usage.input, usage.cached, usage.output, usage.seconds) == (400, 240, 80, 2.0)
    assert usage.cached_share == pytest.approx(0.6)


def test_it_counts_calls_that_gave_no_label_by_what_came_of_them(version: FilterVersion):
    run = paid.run(version)
    first, second, third, fourth = run.items.order_by("pk")
    paid.call(first, error_class="invalid")
    paid.labelled(first, repair=True)
    paid.call(second, state="lost")
    paid.call(third, state="failed", error_class="rate", cost_usd=0)
    paid.call(fourth, state="out")
    found = {(one.state, one.error_class): (one.count, one.cost_usd) for one in Standing(run).stumbles}
    assert found == {
        ("answered", "invalid"): (1, paid.EACH),
        ("lost", ""): (1, 2 * paid.EACH),
        ("failed", "rate"): (1, 0),
    }


def test_the_headline_tells_all_of_it_in_a_line(version: FilterVersion, settings: Any):
    settings.ORACLE_LIMITS = ["anthropic/claude-haiku-5-5=4000/0/0"]
    run = paid.at_work(paid.run(version, 30), progress_done=10, cost_usd=10 * paid.EACH)
    for item in run.items.order_by("pk")[:10]:
        paid.labelled(item, ago=28)
    assert Standing(run).headline == "10 of 30 · 20/min of 4,000 · 1 min to go · $0.1000 of $1.00"


def test_the_headline_of_a_wait_says_until_when(version: FilterVersion):
    soon = timezone.now() + timedelta(minutes=5)
    run = paid.run(version, not_before=soon, error="The provider asks for patience.")
    assert f"The provider asks for patience. (until {timezone.localtime(soon):%H:%M:%S})" in Standing(run).headline


def test_the_plan_stands_beside_what_it_became(version: FilterVersion):
    plan = {"usd": 0.8, "ask": 4, "tokens_in": 480, "tokens_out": 100, "seconds": 12.0}
    run = paid.run(version, plan=plan, cost_usd=2 * paid.EACH, progress_done=2)
    for item in run.items.order_by("pk")[:2]:
        paid.labelled(item)
    rows = {row.what: (row.planned, row.became) for row in Standing(run).estimates}
    assert rows["USD an article"] == (pytest.approx(0.2), pytest.approx(0.01))
    assert rows["Tokens in, an article"] == (120, 100) and rows["USD in all"] == (0.8, pytest.approx(0.04))
    assert Standing(paid.change(run, plan={})).estimates == []
