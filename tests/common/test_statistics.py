"""Agreement and its intervals, against published tables and what must hold for all numbers."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distillery_site.common import statistics as stats

NAN = float("nan")
# Shrout & Fleiss (1979), "Intraclass correlations: uses in assessing rater reliability", table 2: six targets, four judges.
SIX_BY_FOUR = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
# Krippendorff (2011), "Computing Krippendorff's alpha-reliability": twelve units, four observers, values missing.
TWELVE_UNITS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T

tables = arrays(
    np.float64,
    st.tuples(st.integers(3, 12), st.integers(2, 4)),
    elements=st.integers(0, 20).map(lambda half: half / 2),
)

patient = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no finding


def test_the_intraclass_correlation_is_that_of_shrout_and_fleiss() -> None:
    assert stats.icc(SIX_BY_FOUR) == pytest.approx(0.29, abs=0.005)
    assert stats.icc(SIX_BY_FOUR) == pytest.approx(0.2897638, abs=1e-7)


def test_alpha_is_that_of_krippendorff() -> None:
    assert stats.krippendorff_alpha(TWELVE_UNITS) == pytest.approx(0.849, abs=0.0005)


def test_a_shift_between_raters_counts_as_disagreement() -> None:
    """By hand: MSR = 8, MSC = 1.5, MSE = 0, so 8 / (8 + 2/3 · 1.5) = 8/9; a correlation would be 1."""
    assert stats.icc([[1, 2], [3, 4], [5, 6]]) == pytest.approx(8 / 9)
    assert stats.pearson([1, 3, 5], [2, 4, 6]) == pytest.approx(1)


def test_articles_that_somebody_did_not_score_do_not_count_for_the_correlation() -> None:
    assert stats.icc([*SIX_BY_FOUR, [10, NAN, 0, 0]]) == pytest.approx(stats.icc(SIX_BY_FOUR))
    assert stats.icc_interval([*SIX_BY_FOUR, [10, NAN, 0, 0]]).n == 6


@patient
@given(tables)
def test_perfect_agreement_is_one_and_order_of_raters_and_articles_makes_no_difference(table: np.ndarray) -> None:
    assume(np.ptp(table[:, 0]) > 0)
    same = np.repeat(table[:, :1], 3, axis=1)
    assert stats.icc(same) == pytest.approx(1) and stats.krippendorff_alpha(same) == pytest.approx(1)
    turned = table[::-1, ::-1]
    assert stats.icc(turned) == pytest.approx(stats.icc(table), nan_ok=True)
    assert stats.krippendorff_alpha(turned) == pytest.approx(stats.krippendorff_alpha(table), nan_ok=True)


@patient
@given(tables, st.floats(0.5, 3), st.floats(-5, 5))
def test_another_scale_for_all_raters_alike_changes_no_agreement(table: np.ndarray, slope: float, shift: float) -> None:
    assume(np.ptp(table) > 0)
    moved = slope * table + shift
    assert stats.icc(moved) == pytest.approx(stats.icc(table), abs=1e-6, nan_ok=True)
    assert stats.krippendorff_alpha(moved) == pytest.approx(stats.krippendorff_alpha(table), abs=1e-6, nan_ok=True)


@patient
@given(tables)
def test_agreement_never_passes_one(table: np.ndarray) -> None:
    found = [stats.icc(table), stats.krippendorff_alpha(table)]
    assert all(math.isnan(value) or value <= 1 + 1e-9 for value in found)


def test_the_correlation_is_that_of_an_analysis_of_variance_done_the_long_way() -> None:
    x = np.random.default_rng(5).normal(5, 2, (40, 3)) + np.arange(3)
    n, k = x.shape
    rows, raters, grand = x.mean(axis=1), x.mean(axis=0), x.mean()
    msr = k * np.sum((rows - grand) ** 2) / (n - 1)
    msc = n * np.sum((raters - grand) ** 2) / (k - 1)
    mse = np.sum((x - rows[:, None] - raters + grand) ** 2) / ((n - 1) * (k - 1))
    assert stats.icc(x) == pytest.approx((msr - mse) / (msr + (k - 1) * mse + k * (msc - mse) / n))


@patient
@given(tables)
def test_an_interval_repeats_with_its_seed(table: np.ndarray) -> None:
    found = stats.icc_interval(table, seed=3, draws=200)
    again = stats.icc_interval(table, seed=3, draws=200)
    assert (found.value, found.low, found.high) == pytest.approx((again.value, again.low, again.high), nan_ok=True)
    assert math.isnan(found.low) or found.low <= found.high <= 1 + 1e-9


def test_the_correlations_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Articles vary with variance 4, readings with variance 1: the true correlation is 4 / 5."""
    rng, hits = np.random.default_rng(0), 0
    for seed in range(150):
        scores = rng.normal(0, 2, (120, 1)) + rng.normal(0, 1, (120, 2))
        found = stats.icc_interval(scores, seed=seed, draws=300)
        hits += found.low <= 0.8 <= found.high
    assert 0.88 <= hits / 150 <= 0.99


@patient
@given(tables)
def test_many_figures_at_once_are_the_same_as_one_by_one(table: np.ndarray) -> None:
    table = np.where(table == 3, NAN, table)
    for column, found in enumerate(stats.bootstrap_each(table, draws=100)):
        one = stats.bootstrap_mean(table[:, column], draws=100)
        assert (found.value, found.low, found.high) == pytest.approx((one.value, one.low, one.high), nan_ok=True)
        assert found.n == one.n
    first, second = stats.icc_intervals([table, table[:, ::-1]], draws=100)
    assert (first.value, first.low) == pytest.approx((second.value, second.low), nan_ok=True)


def test_resampled_sums_are_sums_of_as_many_rows_as_there_are() -> None:
    drawn = stats.resampled_sums(np.column_stack([np.ones(50), np.arange(50.0)]), seed=1, draws=400)
    assert (drawn[:, 0] == 50).all()
    assert drawn[:, 1].mean() / 50 == pytest.approx(24.5, abs=0.5)


@pytest.mark.parametrize("table", [np.empty((0, 2)), [[3.0, 4.0]], [[5.0, 5.0], [5.0, 5.0]], [[NAN, 1.0], [2.0, NAN]]])
def test_what_cannot_be_told_is_no_figure_and_no_warning(table: object, recwarn: pytest.WarningsRecorder) -> None:
    found = stats.icc_interval(table, draws=50)
    assert all(math.isnan(value) for value in (found.value, found.low, found.high))
    assert len(np.atleast_2d(table)) == 1 or math.isnan(stats.krippendorff_alpha(table))
    assert not recwarn.list
