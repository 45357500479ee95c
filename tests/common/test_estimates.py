"""Means, differences, shares, slopes and corrected means, against tables, hand work and planted truths."""

import math

import numpy as np
import pytest

from distillery_site.common import estimates

NAN = float("nan")


@pytest.mark.parametrize(
    ("freedom", "value"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (5, 2.5706), (10, 2.2281), (30, 2.0423), (1e9, 1.95996)]
)
def test_students_quantiles_are_those_of_the_tables(freedom: float, value: float):
    assert estimates.t_quantile(freedom) == pytest.approx(value, rel=0.002)
    assert math.isnan(estimates.t_quantile(0))


def test_a_mean_has_students_interval():
    """Mean 3, standard deviation √2.5, five values: 3 ± 2.776 · 0.7071."""
    found = estimates.mean_interval([1, 2, 3, 4, 5, NAN])
    assert (found.value, found.n) == (3, 5)
    assert (found.low, found.high) == pytest.approx((3 - 1.9632, 3 + 1.9632), abs=0.003)
    alone = estimates.mean_interval([4])
    assert (alone.value, alone.n) == (4, 1) and math.isnan(alone.low)


def test_a_difference_of_means_has_welchs_interval():
    """Means 1 and 4, their variances 1 and 7/6: (13/6)² / (1/1 + (49/36)/3) = 3.23 degrees, so ± 3.06 · 1.472."""
    found = estimates.difference([0, 2], [2, 3, 4, 7])
    assert (found.value, found.n) == (-3, 6)
    assert found.high - found.value == pytest.approx(3.06 * 1.472, rel=0.005)
    assert math.isnan(estimates.difference([1], [2, 3]).low) and math.isnan(estimates.difference([], [2, 3]).value)
    assert estimates.difference([1, 1], [2, 2]).low == -1


def test_a_share_has_wilsons_interval_also_at_its_ends():
    """Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3."""
    published = ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718))
    for hits, n, low, high in published:
        found = estimates.share_interval([1] * hits + [0] * (n - hits))
        assert (found.low, found.high) == pytest.approx((low, high), abs=0.00006)
    steady = estimates.share_interval([0.5, 0.6, 0.5, 0.6])
    assert 0.4 < steady.low < 0.55 < steady.high < 0.7, "rows of several judgements vary less than single ones"


def test_a_median_lies_between_two_of_its_values():
    found = estimates.median_interval(range(1, 101))
    assert (found.value, found.low, found.high) == (50.5, 40, 61)
    assert math.isnan(estimates.median_interval([1, 2, 3]).low) and estimates.median_interval([]).n == 0


def test_a_slope_is_least_squares_with_an_interval_that_covers():
    exact = estimates.slope_interval([0, 1, 2, 3], [1, 3, 5, 7])
    assert (exact.value, exact.low, exact.high) == pytest.approx((2, 2, 2))
    assert math.isnan(estimates.slope_interval([1, 1, 1, 1], [1, 2, 3, 4]).value)
    rng, hits = np.random.default_rng(0), 0
    for _ in range(300):
        x = np.arange(60) / 100
        found = estimates.slope_interval(x, 0.5 * x + rng.normal(0, 0.5 + x, 60))
        hits += found.low <= 0.5 <= found.high
    assert 0.92 <= hits / 300 <= 0.98


def test_a_good_proxy_makes_a_few_known_rows_go_a_long_way():
    rng = np.random.default_rng(0)
    proxy = rng.gamma(2, 0.5, 2000)
    truth = proxy + 0.3 + rng.normal(0, 0.1, 2000)
    told = np.where(np.arange(2000) < 60, truth, NAN)
    found, plain = estimates.corrected_mean(proxy, told), estimates.mean_interval(told)
    assert found.low <= 1.3 <= found.high and found.weight == pytest.approx(1, abs=0.05)
    assert (found.high - found.low) < 0.4 * (plain.high - plain.low)
    assert (found.n, found.rows) == (60, 2000) and found.proxy == pytest.approx(proxy.mean())


def test_a_proxy_that_says_nothing_is_given_no_weight():
    rng = np.random.default_rng(1)
    truth = np.where(np.arange(900) < 300, rng.normal(2, 1, 900), NAN)
    found, plain = estimates.corrected_mean(rng.normal(0, 5, 900), truth), estimates.mean_interval(truth)
    assert found.weight < 0.1 and found.value == pytest.approx(plain.value, abs=0.05)
    assert found.high - found.low == pytest.approx(plain.high - plain.low, rel=0.05)


def test_the_corrected_mean_covers_a_planted_truth():
    rng, hits = np.random.default_rng(2), 0
    for _ in range(400):
        proxy = rng.gamma(2, 0.5, 500)
        truth = 0.6 * proxy + 0.5 + rng.normal(0, 0.4, 500)
        found = estimates.corrected_mean(proxy, np.where(rng.random(500) < 0.15, truth, NAN))
        hits += found.low <= 1.1 <= found.high
    assert 0.92 <= hits / 400 <= 0.98


def test_two_known_rows_are_too_few_to_correct_by():
    found = estimates.corrected_mean([1, 2, 3], [1, 2, NAN])
    assert math.isnan(found.value) and math.isnan(found.low) and (found.n, found.rows, found.proxy) == (2, 3, 2)
