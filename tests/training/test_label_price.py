"""What one more label costs: from what was paid, or from a plan; and nothing where neither is known."""

from collections.abc import Iterator
from typing import Any

import pytest

from distillery_site.common.errors import BadInput
from distillery_site.common.runs import RunState
from labeling.models import LabelingItem, LabelingRun, Oracle
from tests.fakes.vendor import KEY, FakeVendor
from training.curves.price import choices, paid_so_far, planned


def paid_run(version: Any, oracle: Any, stories: Any, usd: str, *, lost: str = "0", also: Any = None) -> LabelingRun:
    run = LabelingRun.objects.create(version=version, oracle=oracle, cost_usd=usd, lost_usd=lost, state=RunState.DONE)
    if also is not None:
        run.also.add(also)
    states = [LabelingItem.State.LABELLED] * (len(stories) - 1) + [LabelingItem.State.STORED]
    LabelingItem.objects.bulk_create(
        LabelingItem(run=run, article=story, state=state) for story, state in zip(stories, states, strict=True)
    )
    return run


def test_recorded_labels_have_no_price(dataset, uplifting, oracle, stories):
    assert paid_so_far(dataset) is None
    paid_run(uplifting, oracle, stories, "0")
    assert paid_so_far(dataset) is None


def test_a_label_costs_what_its_runs_paid_and_lost_for_those_they_stored(dataset, uplifting, oracle, stories):
    paid_run(uplifting, oracle, stories[:11], "0.18", lost="0.02")
    paid_run(uplifting, oracle, stories[20:31], "0.20")
    price = paid_so_far(dataset)
    assert price.usd == pytest.approx(0.4 / 20)
    assert price.of(500) == pytest.approx(10.0)
    assert price.told == "as 20 paid labels came to $0.40"


def test_what_another_oracle_cost_says_nothing(dataset, uplifting, stories):
    other = Oracle.objects.create(name="Dear", provider="anthropic", model="dear", identity="dear")
    paid_run(uplifting, other, stories, "9")
    assert paid_so_far(dataset) is None


def test_a_joint_prompt_is_shared_among_its_filters(dataset, uplifting, oracle, stories):
    from tests.training import world

    paid_run(uplifting, oracle, stories[:11], "0.20", also=world.version("gloom"))
    assert paid_so_far(dataset).usd == pytest.approx(0.01)


@pytest.fixture
def vendor(settings: Any) -> Iterator[FakeVendor]:
    with FakeVendor() as server:
        settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = server.url, KEY
        settings.OPENAI_API_KEY = settings.GEMINI_API_KEY = ""
        yield server


def test_a_plan_tells_the_price_of_an_oracle_that_was_not_asked_yet(dataset, vendor):
    ((key, name),) = choices()
    price = planned(dataset, key)
    assert 0 < price.usd < 0.1
    assert price.told == f"as planned for {name} on 20 articles, tokens counted by anthropic on 20 articles"
    assert not vendor.ledger


def test_an_oracle_that_is_stored_is_named_once(dataset, vendor):
    usual = next(name for _, name in choices())
    stored = Oracle.objects.create(name="Ours", provider="anthropic", model=usual, params={"max_tokens": 900}, identity="ours")
    assert list(choices()) == [(str(stored.pk), "Ours")]
    assert planned(dataset, str(stored.pk)).usd > 0


def test_without_a_key_nobody_can_be_asked(dataset, settings):
    settings.ANTHROPIC_API_KEY = settings.OPENAI_API_KEY = settings.GEMINI_API_KEY = ""
    assert list(choices()) == []
    with pytest.raises(BadInput, match="can't be asked from here"):
        planned(dataset, "anthropic")
