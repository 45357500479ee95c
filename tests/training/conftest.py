from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def oracle(db: None) -> Any:
    from tests.training import world  # conftest files load before Django does

    return world.oracle()


@pytest.fixture
def uplifting(db: None) -> Any:
    from tests.training import world

    return world.version()


@pytest.fixture
def stories(uplifting: Any, oracle: Any) -> Any:
    """Forty labelled articles."""
    from tests.training import world

    return world.labelled(40, uplifting, oracle)


@pytest.fixture
def dataset(uplifting: Any, oracle: Any, stories: Any) -> Any:
    from training import datasets

    return datasets.freeze(name="news", versions=[uplifting], oracle=oracle)


@pytest.fixture
def folders(settings: Any, tmp_path: Path) -> Path:
    """Work, models and bases in a folder of this test's own."""
    settings.VAR, settings.MODELS_ROOT, settings.BASES_ROOT = tmp_path, tmp_path / "models", tmp_path / "bases"
    return tmp_path
