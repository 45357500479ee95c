"""Every figure against what it must be, on numbers that hypothesis makes up."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from training.student import metrics

score = st.floats(0, 10, allow_nan=False, width=32)
vectors = st.integers(2, 40).flatmap(lambda n: st.tuples(*[arrays.arrays(np.float64, n, elements=score)] * 2))
gappy = st.integers(1, 30).flatmap(
    lambda n: st.tuples(*[arrays.arrays(np.float64, n, elements=score | st.just(float("nan")))] * 2)
)


@given(vectors)
def test_it_orders_the_errors_as_theory_does(pair: tuple) -> None:
    y, p = pair
    assert abs(metrics.bias(y, p)) <= metrics.mae(y, p) + 1e-9
    assert metrics.mae(y, p) <= metrics.rmse(y, p) + 1e-9
    assert metrics.mae(y, p) == pytest.approx(metrics.mae(p, y))
    assert metrics.mae(y, y) == 0


@given(gappy)
def test_a_null_on_either_side_is_left_out(pair: tuple) -> None:
    y, p = pair
    known = ~np.isnan(y) & ~np.isnan(p)
    assert metrics.count(y, p) == known.sum()
    expected = np.abs(y - p)[known].mean() if known.any() else float("nan")
    assert metrics.mae(y, p) == pytest.approx(expected, nan_ok=True)


@given(vectors)
def test_correlations_agree_with_scipy(pair: tuple) -> None:
    y, p = np.round(pair[0], 1), np.round(pair[1], 1)
    if np.ptp(y) == 0 or np.ptp(p) == 0:
        assert math.isnan(metrics.pearson(y, p)) and math.isnan(metrics.spearman(y, p))
        return
    assert metrics.pearson(y, p) == pytest.approx(stats.pearsonr(y, p).statistic, abs=1e-7)
    assert metrics.spearman(y, p) == pytest.approx(stats.spearmanr(y, p).statistic, abs=1e-7)
    assert metrics.spearman(y, p) == pytest.approx(metrics.spearman(y**3, p), abs=1e-9)  # only the order counts


@given(arrays.arrays(np.float64, st.integers(1, 40), elements=score), score)
def test_no_constant_beats_the_best_constant(y: np.ndarray, other: float) -> None:
    assert metrics.mae(y, metrics.best_constant(y)) <= metrics.mae(y, other) + 1e-9


@given(arrays.arrays(np.float64, st.integers(1, 30), elements=st.floats(-20, 20)))
def test_clipping_says_how_much_lay_outside(raw: np.ndarray) -> None:
    clipped, outside = metrics.clip(raw)
    assert clipped.min() >= 0 and clipped.max() <= 10
    assert outside == pytest.approx(np.mean((raw < 0) | (raw > 10)))


@given(vectors)
def test_every_row_lies_in_one_band(pair: tuple) -> None:
    y, p = pair
    found = metrics.bands(y, p)
    assert sum(band.n for band in found) == len(y)
    total = sum(band.mae * band.n for band in found if band.n)
    assert total / len(y) == pytest.approx(metrics.mae(y, p))


@settings(max_examples=25)
@given(arrays.arrays(np.float64, st.tuples(st.integers(2, 20), st.integers(1, 3)), elements=score))
def test_an_interval_holds_its_estimate_and_repeats_with_its_seed(errors: np.ndarray) -> None:
    found = metrics.bootstrap_mae(errors, seed=3, draws=400)
    assert errors.mean(axis=1).min() - 1e-9 <= found.low <= found.high <= errors.mean(axis=1).max() + 1e-9
    assert found == metrics.bootstrap_mae(errors, seed=3, draws=400)
    assert found.value == pytest.approx(errors.mean()) and found.n == len(errors)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        found = metrics.bootstrap_mae(rng.exponential(1.0, 80), seed=seed, draws=300)
        hits += found.low <= 1.0 <= found.high
    assert 0.88 <= hits / 200 <= 0.98


def test_a_paired_difference_is_narrower_than_two_intervals_apart() -> None:
    rng = np.random.default_rng(1)
    hard = rng.exponential(1.0, 300)  # what makes an article hard is shared
    a, b = hard + rng.normal(0, 0.05, 300), hard + 0.05 + rng.normal(0, 0.05, 300)
    difference = metrics.bootstrap_difference(a, b)
    assert difference.high < 0
    assert difference.high - difference.low < 0.2 * (metrics.bootstrap_mae(a).high - metrics.bootstrap_mae(a).low)


def test_skill_is_one_for_no_error_and_zero_for_the_constant() -> None:
    errors = np.array([1.0, 2.0, 3.0])
    assert metrics.skill(0.0, 2.0) == 1 and metrics.skill(2.0, 2.0) == 0
    assert math.isnan(metrics.skill(0.0, 0.0))
    same = metrics.bootstrap_skill(errors, errors)
    assert (same.value, same.low, same.high) == pytest.approx((0, 0, 0), abs=1e-12)


def test_the_mae_of_a_filter_is_the_mean_of_its_dimensions() -> None:
    errors = np.array([[1.0, np.nan, np.nan], [3.0, 4.0, np.nan]])
    assert metrics.mean_of_columns(errors) == pytest.approx((2.0 + 4.0) / 2)
    assert math.isnan(metrics.mean_of_columns(np.full((2, 2), np.nan)))


def test_nothing_known_gives_no_figure_and_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    empty = metrics.bootstrap_mae(np.empty((0, 2)))
    unknown = metrics.bootstrap_mae(np.full(4, np.nan))
    figures = [empty.value, empty.low, unknown.value, metrics.rmse([], []), metrics.bias([], []), metrics.best_constant([])]
    assert all(math.isnan(figure) for figure in figures)
    assert not recwarn.list
