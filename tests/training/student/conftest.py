import pytest

from tests.fakes import small_students


@pytest.fixture(scope="session")
def cast() -> small_students.Cast:
    """A ridge, a lora and a stack of one small data set."""
    return small_students.cast()
