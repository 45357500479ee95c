"""Errors over seeds: the choice is validation's, the test split is opened for the choice and the ridge alone."""

from types import SimpleNamespace
from typing import Any

import pytest

from training.models import Dataset, Kind, Split


@pytest.fixture
def dataset(db: None) -> Dataset:
    from tests.scoring import world
    from tests.training import world as newsroom
    from training import datasets

    version, oracle = newsroom.version(), newsroom.oracle()
    world.policy(version)
    newsroom.labelled(60, version, oracle)
    return datasets.freeze(name="news", versions=[version], oracle=oracle, fractions=(0.6, 0.2, 0.2))


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Any:
    from scripts.bench import train_platform
    from tests.scoring import world

    def measured(demo: Any, model: Any, split: str) -> Any:
        return world.measured(model, lambda i, c: 0.2, split)

    monkeypatch.setattr(train_platform, "measured", measured)
    return train_platform


def student(dataset: Dataset, root: Any, kind: str, error: float, name: str) -> Any:
    from tests.scoring import world

    made = world.model(dataset, root, name=name, kind=kind)
    world.measured(made, lambda i, c: error, Split.VAL)
    return made


def test_the_kind_with_the_least_mean_validation_error_meets_the_test(dataset: Dataset, platform: Any, tmp_path: Any) -> None:
    errors = {"ridge": [0.5], "lora": [0.1, 0.7], "stack": [0.3, 0.4]}
    students = {
        kind: [student(dataset, tmp_path, kind, one, f"{kind}-{place}") for place, one in enumerate(found)]
        for kind, found in errors.items()
    }
    found = platform.figures(SimpleNamespace(), dataset, students)
    slug = dataset.versions[0].filter.slug
    assert found["chosen"] == {slug: "stack"}
    assert found["mae"][slug] == pytest.approx(0.2)
    assert found["mae_sd"][slug] == pytest.approx(0.0707, abs=1e-4)
    assert found["mae_validation"][slug]["lora"] == pytest.approx(0.4)
    assert found["test_openings"] == 2
    assert set(found["mae_by_dimension"][slug]) == set(found["mae_sd_by_dimension"][slug]) == set(dataset.versions[0].keys)
    assert set(platform.coverage(fast=False)) == {"ridge", "stack"}  # those that met both splits


def test_a_seed_has_one_run(dataset: Dataset, platform: Any) -> None:
    demo = SimpleNamespace(plan=SimpleNamespace(lora={}))
    first, second = (platform.run_of(demo, dataset, Kind.LORA, seed, ()) for seed in (0, 1))
    assert second.config == {"seed": 1}
    assert first != second
    assert [platform.run_of(demo, dataset, Kind.LORA, seed, ()) for seed in (0, 1)] == [first, second]


def test_coverage_without_students_says_which_part_comes_first(db: None, platform: Any) -> None:
    with pytest.raises(SystemExit, match="run the part mae first"):
        platform.coverage(fast=False)
