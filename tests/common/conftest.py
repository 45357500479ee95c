from typing import Any

import pytest


@pytest.fixture
def run(db: None) -> Any:
    """Any kind of run would do; this one needs the fewest rows around it."""
    from training.models import Dataset, TrainingRun  # conftest files load before Django does

    dataset = Dataset.objects.create(name="news", recipe={}, view={}, fingerprint="f" * 64)
    return TrainingRun.objects.create(dataset=dataset, kind="ridge", model_name="news-ridge")
