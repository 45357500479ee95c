"""The command that does in a terminal what a run's page shows."""

from typing import Any

import pytest

from distillery_site.common.runs import RunState
from labeling import services
from labeling.models import FilterVersion, LabelingRun, Oracle
from labeling.planning.terminal import label_command
from labeling.running.budget import Cap
from tests.labeling import paid, world

pytestmark = pytest.mark.django_db


def run(version: FilterVersion, oracle: Oracle, **fields: Any) -> LabelingRun:
    found = services.start_labeling(
        version=version, oracle=oracle, articles=world.keys(world.articles(3)), budget_usd=paid.EACH * 500, agreed=True
    )
    return paid.change(found, **fields)


def test_it_names_what_differs_from_the_usual(version: FilterVersion):
    usual = run(version, services.get_oracle(provider="anthropic"))
    assert label_command(usual) == "python manage.py label tiny@1 --provider anthropic --size 3 --budget 5.00"
    other = services.get_oracle(provider="anthropic", model="claude-sonnet-5-5", params={"effort": "high"})
    assert "--model claude-sonnet-5-5 --param effort=high" in label_command(run(version, other))


def test_it_names_how_articles_were_drawn(version: FilterVersion):
    oracle = services.get_oracle(provider="anthropic")
    everything = run(version, oracle, sampling={"how": "all", "size": 3, "pool": 3, "seed": 0}, mode="batch")
    assert label_command(everything) == "python manage.py label tiny@1 --provider anthropic --batch --budget 5.00"
    drawn = run(version, oracle, sampling={"how": "random", "size": 3, "pool": 9, "seed": 7}, kind="pilot", reading=2)
    assert "--pilot --size 3 --seed 7 --reading 2 --budget 5.00" in label_command(drawn)
    enriched = run(version, oracle, sampling={"how": "enriched", "pilot": 4, "seed": 0}, kind="enriched")
    assert "--enrich 4 --size 3" in label_command(enriched)


def test_it_names_the_other_rubrics_of_a_joint_prompt(version: FilterVersion):
    joint = run(version, services.get_oracle(provider="anthropic"))
    joint.also.add(world.version(slug="other", name="Other"))
    assert "--also other@1" in label_command(joint)


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.FAILED, RunState.CANCELLED])
def test_one_that_stopped_goes_on(version: FilterVersion, state: RunState):
    stopped = run(version, services.get_oracle(provider="anthropic"), state=state)
    assert label_command(stopped) == f"python manage.py label tiny@1 --resume {stopped.pk}"


def test_one_that_reached_its_cap_needs_a_new_one(version: FilterVersion):
    cap = Cap("this run", paid.EACH, paid.EACH, paid.EACH * 0)
    stopped = run(version, services.get_oracle(provider="anthropic"), state=RunState.PAUSED, error=cap.sentence(paid.EACH))
    assert label_command(stopped) == f"python manage.py label tiny@1 --resume {stopped.pk} --budget USD"
