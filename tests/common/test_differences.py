"""Whether a paired difference is more than noise, and Holm's correction for looking more than once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery_site.common import statistics as stats

NAN = float("nan")


def test_holm_is_the_worked_example() -> None:
    """Four tests by hand: .005 · 4, .01 · 3, .03 · 2, and .04 · 1, which may not fall below the one before it."""
    assert stats.holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_one_and_leaves_a_single_test_alone() -> None:
    assert stats.holm([0.6, 0.7, 0.9]).tolist() == [1.0, 1.0, 1.0]
    assert stats.holm([0.04]).tolist() == [0.04]
    assert stats.holm([]).tolist() == []


def test_holm_does_not_count_what_was_not_tested() -> None:
    adjusted = stats.holm([0.02, NAN, 0.03])
    assert np.isnan(adjusted[1])
    assert adjusted[[0, 2]].tolist() == pytest.approx([0.04, 0.04])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_lies_between_no_correction_and_bonferroni(p: list[float]) -> None:
    adjusted, order = stats.holm(p), np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
    assert (adjusted >= p).all() and (adjusted <= np.minimum(1, np.array(p) * len(p)) + 1e-12).all()


def test_a_difference_on_every_row_alike_is_as_sure_as_the_draws_allow() -> None:
    found = stats.bootstrap_change(np.full((30, 1), -0.5))
    assert (found.value, found.low, found.high, found.n) == (-0.5, -0.5, -0.5, 30)
    assert found.p == pytest.approx(2 / 2001)


def test_no_difference_at_all_is_no_finding() -> None:
    assert stats.bootstrap_change(np.zeros((30, 2))).p == 1.0


def test_nothing_known_has_no_p_value() -> None:
    [empty, full] = stats.bootstrap_changes(np.array([[NAN, 1.0], [NAN, 2.0]]))
    assert np.isnan(empty.p) and empty.n == 0
    assert full.n == 2 and full.p < 0.05


def test_the_p_value_and_the_interval_say_the_same() -> None:
    rng = np.random.default_rng(1)
    for shift in (0.0, 0.1, 0.2, 0.4):
        [found] = stats.bootstrap_changes(rng.normal(shift, 1, size=(100, 1)))
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0), found


def test_pure_noise_is_called_a_finding_about_as_often_as_promised() -> None:
    """Ten dimensions without any difference, 200 times: one of them passes in about one family of twenty, not of two."""
    rng = np.random.default_rng(3)
    families = [stats.bootstrap_changes(rng.normal(size=(60, 10)), draws=500) for _ in range(200)]
    raw = np.array([[found.p for found in family] for family in families])
    wrong = np.mean([stats.holm(p).min() < 0.05 for p in raw])
    assert wrong <= 0.12 < np.mean(raw.min(axis=1) < 0.05)
