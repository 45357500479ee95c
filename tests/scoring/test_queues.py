"""Queues that need a student: what it makes of articles that it never learnt."""

from typing import Any

import pytest

from distillery_site.common.errors import BadInput
from labeling.models import FilterVersion, ReviewTask
from labeling.reviewing.policies import drawn, in_draw_order
from labeling.services import fill_queue
from scoring.queues import QUEUES
from tests.scoring import world
from training.models import Dataset, DatasetItem, ModelVersion
from training.services import promote


@pytest.fixture
def student(model: ModelVersion) -> ModelVersion:
    """Measured on both splits: off by a tenth for each article's place, and by 3 more on evidence of the fifth test article."""
    world.measured(model, lambda i, c: i / 10, split="val")
    world.measured(model, lambda i, c: i / 10 + 3 * (i == 4 and c == 1))
    return model


def items(dataset: Dataset, split: str) -> list[DatasetItem]:
    return list(dataset.items.filter(split=split).order_by("pk"))


def filled(version: FilterVersion, name: str, limit: int = 2) -> list[ReviewTask]:
    return fill_queue(version=version, queue=QUEUES[name], limit=limit).tasks


def articles(tasks: list[ReviewTask]) -> list[int]:
    return [task.article_id for task in tasks]


@pytest.mark.parametrize("name", ["test", "gap", "worst", "wide", "tier", "suspect"])
def test_without_a_measured_student_they_say_so(uplifting: FilterVersion, name: str):
    with pytest.raises(BadInput, match="No student of uplifting v1 has been measured"):
        filled(uplifting, name)


def test_the_largest_gap_is_on_one_dimension(uplifting: FilterVersion, dataset: Dataset, student: ModelVersion):
    first = filled(uplifting, "gap")[0]
    assert first.article_id == items(dataset, "test")[4].article_id
    assert first.priority == pytest.approx(3.4)
    assert first.detail == "news-ridge v1 and the oracle differ most on Evidence, by 3.4."


def test_the_worst_errors_are_means_over_the_test_split(uplifting: FilterVersion, dataset: Dataset, student: ModelVersion):
    there = items(dataset, "test")
    assert articles(filled(uplifting, "worst")) == [there[4].article_id, there[-1].article_id]
    assert ReviewTask.objects.in_order()[0].detail == "news-ridge v1 is off by 1.9 points on average."


def test_the_sample_of_test_articles_is_drawn_from_them(uplifting: FilterVersion, dataset: Dataset, student: ModelVersion):
    there = [item.article_id for item in items(dataset, "test")]
    assert articles(filled(uplifting, "test", 5)) == in_draw_order(there)[:5]
    assert drawn(uplifting, there) == set(in_draw_order(there)[:5])


def test_a_student_without_intervals_is_never_unsure(uplifting: FilterVersion, student: ModelVersion):
    with pytest.raises(BadInput, match="gives no intervals"):
        filled(uplifting, "wide")


def test_the_widest_intervals_come_first(uplifting: FilterVersion, dataset: Dataset, root: Any):
    one = {"edges": [0.0, 2.0, 10.0], "half_width": [0.2, 1.5]}
    sure = world.model(dataset, root, manifest={"intervals": {"level": 0.9, "outputs": [one, one]}})
    world.measured(sure, lambda i, c: 0.0)
    first = filled(uplifting, "wide")[0]
    truth = {item.article_id: item.targets for item in items(dataset, "test")}
    assert first.priority == pytest.approx(max(sum(half_width(score) for score in told) / 2 for told in truth.values()))
    assert first.detail == f"news-ridge v1 is sure of its scores to within {first.priority:.1f} points on average."


def half_width(score: float) -> float:
    half = 0.2 if score < 2 else 1.5
    return (min(score + half, 10) - max(score - half, 0)) / 2


def test_a_tiers_boundary_is_near_on_both_sides(uplifting: FilterVersion, student: ModelVersion):
    world.policy(uplifting, gatekeepers=[], caps=[])
    nearest = filled(uplifting, "tier", 3)
    assert [task.priority for task in nearest] == sorted((task.priority for task in nearest), reverse=True)
    assert nearest[0].detail == f"news-ridge v1's average lies {1 - nearest[0].priority:.2f} points from a tier's boundary."


def test_a_policy_with_one_tier_has_no_boundary(uplifting: FilterVersion, student: ModelVersion):
    world.policy(uplifting, tiers=[{"name": "all", "min": 0.0}])
    with pytest.raises(BadInput, match="has one tier only"):
        filled(uplifting, "tier")


def test_the_challengers_movers_need_a_challenger(uplifting: FilterVersion, dataset: Dataset, student: ModelVersion, root: Any):
    promote(model=student, filter=uplifting.filter)
    with pytest.raises(BadInput, match="no champion and challenger"):
        filled(uplifting, "mover")
    other = world.model(dataset, root, name="other")
    world.measured(other, lambda i, c: i / 10 + 2 * (i == 3))
    promote(model=other, filter=uplifting.filter, alias="challenger")
    (first,) = filled(uplifting, "mover", 1)
    assert first.article_id in {items(dataset, "test")[place].article_id for place in (3, 4)}


def test_what_looks_wrong_over_all_dimensions_is_looked_at(uplifting: FilterVersion, dataset: Dataset, student: ModelVersion):
    first = filled(uplifting, "suspect")[0]
    assert first.article_id == items(dataset, "test")[4].article_id
    assert "as far from news-ridge v1 as labels usually are" in first.detail


def test_the_champion_speaks_where_it_learnt_this_rubric(
    uplifting: FilterVersion, dataset: Dataset, student: ModelVersion, root: Any
):
    world.measured(world.model(dataset, root, name="newer"), lambda i, c: 0.0)
    assert filled(uplifting, "worst") == []
    promote(model=student, filter=uplifting.filter)
    assert len(filled(uplifting, "worst")) == 2
