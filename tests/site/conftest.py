"""The pages that span the apps are tried with the newsroom of the scoring tests."""

from tests.scoring.conftest import dataset, model, oracle, root, uplifting  # noqa: F401
