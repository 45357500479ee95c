"""Intervals hold the oracle's score as often as they promise, on rows that made no part of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import small_students
from training.student import artifact, calibrate
from training.student.calibrate import conformal_quantile, coverage, interval, intervals, mean_coverage, merged_edges


def world(n: int, zeros: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Zero-inflated truth [n, 2], and predictions whose error grows with the score; the second output has nulls."""
    rng = np.random.default_rng(seed)
    truth = np.where(rng.random((n, 2)) < zeros, 0.0, np.round(2 * rng.uniform(0, 10, (n, 2))) / 2)
    predicted = 0.8 * truth + (0.2 + 0.2 * truth) * np.abs(rng.normal(size=truth.shape))
    truth[rng.random(n) < 0.2, 1] = np.nan
    return truth, predicted


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([0.8, 0.9, 0.95]))
@settings(max_examples=12, deadline=None)
def test_the_promise_is_kept_on_average_over_splits(seed: int, zeros: float, level: float) -> None:
    truth, predicted = world(600, zeros, seed)
    found = mean_coverage(truth, predicted, level, splits=20, seed=seed)
    assert found.shape == (20, 2)
    assert np.abs(found.mean(axis=0) - level).max() < 0.035


def test_at_nine_of_ten_the_mean_lies_between_88_and_92() -> None:
    truth, predicted = world(700, 0.6, 1)
    assert 0.88 <= mean_coverage(truth, predicted, splits=60).mean() <= 0.92


def test_ties_alone_cover_too_much_and_broken_ones_do_not() -> None:
    """Whole scores and a student that answers in whole scores: most errors are 0, 1 or 2."""
    truth, predicted = world(800, 0.6, 2)
    truth, predicted = np.round(truth), np.round(predicted)
    shown, broken = (mean_coverage(truth, predicted, splits=40, break_ties=ties).mean() for ties in (False, True))
    assert shown > 0.915 > broken > 0.88


def test_it_covers_within_each_band_and_not_only_on_the_whole() -> None:
    (truth, predicted), (fresh, said) = world(2000, 0.3, 3), world(4000, 0.3, 4)
    known = intervals(truth[:, :1], predicted[:, :1])
    low, high = interval(known, said[:, :1])
    inside = (low <= fresh[:, :1]) & (fresh[:, :1] <= high)
    for below, above in zip(known["outputs"][0]["edges"], known["outputs"][0]["edges"][1:], strict=False):
        band = (said[:, :1] >= below) & (said[:, :1] < above)
        assert inside[band].mean() > 0.83
    widths = known["outputs"][0]["half_width"]
    assert widths[0] < widths[-1]


def test_the_quantile_is_the_papers() -> None:
    errors = np.arange(1.0, 100.0)  # 99 errors: ⌈100 · 0.9⌉ = 90th smallest
    assert conformal_quantile(errors, 0.9) == 90.0
    assert conformal_quantile(errors[:9], 0.9) == 9.0
    assert conformal_quantile(errors[:8], 0.9) == calibrate.TOP  # eight rows can't promise nine of ten
    assert conformal_quantile(errors[:0], 0.9) == calibrate.TOP


@given(st.lists(st.floats(0, 10) | st.sampled_from([0.0, 0.1, 0.5]), max_size=300))
@settings(deadline=None)
def test_bands_join_until_each_has_enough_rows(scores: list[float]) -> None:
    edges = merged_edges(np.array(scores))
    assert edges[0] == 0.0 and edges[-1] == 10.0 and edges == sorted(set(edges))
    counts = np.histogram(scores, edges)[0]
    assert len(counts) == 1 or counts.min() >= calibrate.ENOUGH_IN_A_BAND / 2


@pytest.mark.parametrize("rest", [np.linspace(0, 0.3, 300), np.zeros(300)], ids=["near 0", "exactly 0"])
def test_a_few_high_scores_are_not_lost_among_hundreds_of_zeros(rest: np.ndarray) -> None:
    """Where the student says 0 the oracle nearly always does too; where it says more, it may be far off."""
    high = np.linspace(0.6, 6, 30)
    truth = np.concatenate([np.zeros(300), high + np.tile([-0.6, 2.0, 3.0], 10)])[:, None]
    known = intervals(truth, np.concatenate([rest, high])[:, None])
    low, high_end = interval(known, np.array([[0.0], [3.0]]))
    assert high_end[0, 0] - low[0, 0] < 0.5 and high_end[1, 0] - low[1, 0] > 3


def test_intervals_stay_on_the_scale_and_hold_the_score() -> None:
    truth, predicted = world(300, 0.5, 5)
    scores = np.array([[-3.0, 12.0], [0.2, 9.9], [5.0, 5.0]])
    low, high = interval(intervals(truth, predicted), scores)
    clipped = scores.clip(0, 10)
    assert (low >= 0).all() and (high <= 10).all() and (low <= clipped).all() and (clipped <= high).all()


def test_an_output_without_labels_may_be_anything() -> None:
    known = intervals(np.full((50, 1), np.nan), np.ones((50, 1)))
    assert known["outputs"] == [{"edges": [0.0, 10.0], "half_width": [10.0], "n": [0]}]
    low, high = interval(known, np.array([[4.0]]))
    assert (low[0, 0], high[0, 0]) == (0.0, 10.0)


def test_coverage_counts_rows_with_a_label_and_ends_as_inside() -> None:
    known = {"level": 0.9, "outputs": [{"edges": [0.0, 10.0], "half_width": [1.1], "n": [50]}]}
    (found,) = coverage(known, np.array([[3.1], [3.2], [np.nan], [0.9]]), np.full((4, 1), 2.0))
    assert found == {"level": 0.9, "share": pytest.approx(2 / 3), "n": 3, "mean_width": pytest.approx(2.2)}
    assert coverage(known, np.full((2, 1), np.nan), np.ones((2, 1)))[0]["share"] is None


@pytest.mark.parametrize("kind", ["ridge", "lora", "stack"])
def test_every_kind_of_student_has_them(kind: str, cast: small_students.Cast) -> None:
    manifest, _ = artifact.read_manifest(cast.of(kind))
    known = manifest["intervals"]
    assert (known["level"], known["source"], known["n"]) == (0.9, "validation", 32)
    assert [sum(one["n"]) for one in known["outputs"]] == [32, 26, 32]
    assert [one["kind"] for one in manifest["calibration"]["outputs"]] == ["none"] * 3
