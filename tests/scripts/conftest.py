import pytest

from tests.fakes import small_students


@pytest.fixture(scope="session")
def cast() -> small_students.Cast:
    """A small data set with a tiny base."""
    return small_students.cast()
