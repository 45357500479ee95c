"""Means and their intervals by resampling, against what must hold for all numbers."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distillery_site.common import statistics as stats

NAN = float("nan")
tables = arrays(
    np.float64,
    st.tuples(st.integers(3, 12), st.integers(2, 4)),
    elements=st.integers(0, 20).map(lambda half: half / 2),
)

patient = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no finding


@patient
@given(tables)
def test_many_figures_at_once_are_the_same_as_one_by_one(table: np.ndarray) -> None:
    table = np.where(table == 3, NAN, table)
    for column, found in enumerate(stats.bootstrap_each(table, draws=100)):
        one = stats.bootstrap_mean(table[:, column], draws=100)
        assert (found.value, found.low, found.high) == pytest.approx((one.value, one.low, one.high), nan_ok=True)
        assert found.n == one.n


def test_resampled_sums_are_sums_of_as_many_rows_as_there_are() -> None:
    drawn = stats.resampled_sums(np.column_stack([np.ones(50), np.arange(50.0)]), seed=1, draws=400)
    assert (drawn[:, 0] == 50).all()
    assert drawn[:, 1].mean() / 50 == pytest.approx(24.5, abs=0.5)
