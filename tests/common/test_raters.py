"""Agreement beyond chance, against published tables and what must hold for all numbers."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distillery_site.common import raters
from distillery_site.common.statistics import Interval

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


def test_the_intraclass_correlations_are_those_of_shrout_and_fleiss() -> None:
    (found,) = raters.agreement([SIX_BY_FOUR], draws=50)
    assert found.icc.value == pytest.approx(0.29, abs=0.005) and found.icc.value == pytest.approx(0.2897638, abs=1e-7)
    assert found.icc_k.value == pytest.approx(0.62, abs=0.005), "ICC(2,4) of their table 4"
    assert (found.raters, found.n) == (4, 6)


def test_alpha_is_that_of_krippendorff() -> None:
    (found,) = raters.agreement([TWELVE_UNITS], draws=50)
    assert found.alpha.value == pytest.approx(0.849, abs=0.0005) and found.alpha.n == 11
    assert raters.krippendorff_alpha(TWELVE_UNITS) == found.alpha.value


def test_a_shift_between_raters_counts_as_disagreement() -> None:
    """By hand: MSR = 8, MSC = 1.5, MSE = 0, so 8 / (8 + 2/3 · 1.5) = 8/9."""
    assert raters.icc([[1, 2], [3, 4], [5, 6]]) == pytest.approx(8 / 9)


def test_distances_and_shares_count_an_article_once() -> None:
    (found,) = raters.agreement([[[1, 1, 4], [5, 5.5, NAN], [2, NAN, NAN]]], draws=50)
    assert found.apart.value == pytest.approx((2 + 0.5) / 2) and found.within.value == pytest.approx((1 / 3 + 1) / 2)
    assert (found.n, found.raters) == (2, 2.5)


@patient
@given(tables)
def test_perfect_agreement_is_one_and_order_of_raters_and_articles_makes_no_difference(table: np.ndarray) -> None:
    assume(np.ptp(table[:, 0]) > 0)
    same = np.repeat(table[:, :1], 3, axis=1)
    assert raters.icc(same) == pytest.approx(1) and raters.krippendorff_alpha(same) == pytest.approx(1)
    turned = table[::-1, ::-1]
    assert raters.icc(turned) == pytest.approx(raters.icc(table), nan_ok=True)
    assert raters.krippendorff_alpha(turned) == pytest.approx(raters.krippendorff_alpha(table), nan_ok=True)


@patient
@given(tables, st.floats(0.5, 3), st.floats(-5, 5))
def test_another_scale_for_all_raters_alike_changes_no_agreement(table: np.ndarray, slope: float, shift: float) -> None:
    assume(np.ptp(table) > 0)
    moved = slope * table + shift
    assert raters.icc(moved) == pytest.approx(raters.icc(table), abs=1e-6, nan_ok=True)
    assert raters.krippendorff_alpha(moved) == pytest.approx(raters.krippendorff_alpha(table), abs=1e-6, nan_ok=True)


@patient
@given(tables)
def test_agreement_never_passes_one(table: np.ndarray) -> None:
    found = [raters.icc(table), raters.krippendorff_alpha(table)]
    assert all(math.isnan(value) or value <= 1 + 1e-9 for value in found)


@patient
@given(tables)
def test_the_correlation_is_the_quotient_of_mean_squares(table: np.ndarray) -> None:
    """McGraw & Wong (1996), table 4, written out."""
    x = table + np.linspace(0, 7, len(table))[:, None]
    (n, k) = x.shape
    rows, columns, grand = x.mean(axis=1), x.mean(axis=0), x.mean()
    msr = k * np.sum((rows - grand) ** 2) / (n - 1)
    msc = n * np.sum((columns - grand) ** 2) / (k - 1)
    mse = np.sum((x - rows[:, None] - columns + grand) ** 2) / ((n - 1) * (k - 1))
    below = msr + (k - 1) * mse + k * (msc - mse) / n
    assume(below > 1e-6)
    assert raters.icc(x) == pytest.approx((msr - mse) / below)
    mean_of_all = (msr - mse) / (msr + (msc - mse) / n)
    assume(1 + (k - 1) * raters.icc(x) > 0.01)
    assert raters.stepped_up(Interval(raters.icc(x), NAN, NAN, n), k).value == pytest.approx(mean_of_all)


def test_raters_dealt_out_at_random_are_as_alike_as_if_all_had_scored_everything() -> None:
    rng = np.random.default_rng(0)
    full = rng.normal(0, 2, (4000, 1)) + np.array([-1, 0, 0.2, 1.2]) + rng.normal(0, 1, (4000, 4))
    dealt = np.where(rng.random(full.shape).argsort(axis=1) < 2, full, NAN)
    assert raters.icc(dealt) == pytest.approx(raters.icc(full), abs=0.02)
    assert raters.krippendorff_alpha(dealt) == pytest.approx(raters.icc(full), abs=0.03)


@patient
@given(tables)
def test_an_interval_repeats_with_its_seed_and_holds_its_value(table: np.ndarray) -> None:
    found, again = (raters.icc_interval(table, seed=3, draws=200) for _ in range(2))
    assert (found.value, found.low, found.high) == pytest.approx((again.value, again.low, again.high), nan_ok=True)
    assert math.isnan(found.low) or found.low <= found.high <= 1 + 1e-9


def test_the_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Articles vary with variance 4, readings with variance 1: the true correlation is 4 / 5, that of two together 8 / 9."""
    rng, hits = np.random.default_rng(0), np.zeros(3)
    for seed in range(150):
        (found,) = raters.agreement([rng.normal(0, 2, (80, 1)) + rng.normal(0, 1, (80, 2))], seed=seed % 2, draws=300)
        truths = ((found.icc, 0.8), (found.alpha, 0.8), (found.icc_k, 8 / 9))
        hits += [one.low <= truth <= one.high for one, truth in truths]
    assert (hits / 150 >= 0.91).all() and (hits / 150 <= 0.99).all()


def test_many_tables_at_once_are_the_same_as_one_by_one() -> None:
    table = np.where(SIX_BY_FOUR == 4, NAN, SIX_BY_FOUR)
    first, second = raters.agreement([table, table[:, ::-1]], draws=100)
    assert (first.icc.value, first.icc.low) == pytest.approx((second.icc.value, second.icc.low))
    assert raters.agreement([table], draws=100)[0] == first


@pytest.mark.parametrize("table", [np.empty((0, 2)), [[3.0, 4.0]], [[5.0, 5.0], [5.0, 5.0]], [[NAN, 1.0], [2.0, NAN]]])
def test_what_cannot_be_told_is_no_figure_and_no_warning(table: object, recwarn: pytest.WarningsRecorder) -> None:
    (found,) = raters.agreement([table], draws=50)
    assert all(math.isnan(value) for value in (found.icc.value, found.icc.low, found.icc_k.high))
    assert len(np.atleast_2d(table)) == 1 or math.isnan(found.alpha.value)
    assert not recwarn.list
