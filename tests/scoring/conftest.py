from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def root(settings: Any, tmp_path: Path) -> Path:
    """The models' folder of this test."""
    settings.MODELS_ROOT = tmp_path / "models"
    return settings.MODELS_ROOT


@pytest.fixture
def oracle(db: None) -> Any:
    from tests.training import world as newsroom  # conftest files load before Django does

    return newsroom.oracle()


@pytest.fixture
def uplifting(db: None) -> Any:
    from tests.scoring import world
    from tests.training import world as newsroom

    version = newsroom.version()
    world.policy(version)
    return version


@pytest.fixture
def dataset(uplifting: Any, oracle: Any) -> Any:
    """Eighty articles, ten of them test; the oracle read the first five twice, half a point apart."""
    from tests.training import world as newsroom
    from training import datasets

    stories = newsroom.labelled(80, uplifting, oracle)
    for story in stories[:5]:
        once = story.labels.get()
        newsroom.label(story, uplifting, oracle, [score - 0.5 if score else 0.5 for score in once.scores], reading=2)
    return datasets.freeze(name="news", versions=[uplifting], oracle=oracle, fractions=(0.6, 0.2, 0.2))


@pytest.fixture
def model(dataset: Any, root: Path) -> Any:
    from tests.scoring import world

    return world.model(dataset, root)


@pytest.fixture
def engine(dataset: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The engine that services, views and tasks talk to, in this process."""
    from scoring import services
    from tests.scoring import world

    local = world.engine(root, dataset)
    monkeypatch.setattr(services, "engine", lambda: local)
    yield local
    local.close()


@pytest.fixture
def champion(model: Any, engine: Any, uplifting: Any) -> Any:
    """The model, promoted and scoreable."""
    from training.services import promote

    promote(model=model, filter=uplifting.filter)
    return model
