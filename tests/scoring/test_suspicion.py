"""Labels that don't fit, over all dimensions at once: found where they were planted."""

import numpy as np
import pytest

from scoring.suspicion import surprise

N, DIMENSIONS, PLANTED = 600, 6, 30


def misses(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors that go together, [n, dimensions], as large again on the last dimension, and which rows are planted ones:

    there two dimensions err against each other, by no more than the errors of others are large.
    """
    draw = np.random.default_rng(seed)
    together = draw.normal(size=(N, 1)) + 0.4 * draw.normal(size=(N, DIMENSIONS))
    planted = draw.permutation(N) < PLANTED
    against = np.where(draw.random(N) < 0.5, 1.5, -1.5)
    together[planted, 0] += against[planted]
    together[planted, 1] -= against[planted]
    return together * [1, 1, 1, 1, 1, 2], planted


def found(by: np.ndarray, planted: np.ndarray) -> float:
    """The share of the planted rows among as many first ones."""
    return float(planted[np.argsort(-by)[:PLANTED]].mean())


def test_it_finds_labels_that_err_unlike_the_others():
    every = [misses(seed) for seed in range(5)]
    assert np.mean([found(surprise(rows), planted) for rows, planted in every]) > 0.85
    assert np.mean([found(np.abs(rows).mean(axis=1), planted) for rows, planted in every]) < 0.1


def test_a_usual_row_lies_about_one_away():
    rows, planted = misses(0)
    assert 0.95 < np.median(surprise(rows)[~planted]) < 1.05


def test_what_nobody_scored_is_left_out():
    rows, planted = misses(1)
    rows[::7, 3] = np.nan
    rows[5] = np.nan
    times = surprise(rows)
    assert np.isnan(times).sum() == 1 and np.isnan(times[5])
    planted[5] = False
    assert found(np.nan_to_num(times), planted) > 0.8


def test_a_student_without_errors_surprises_nobody():
    assert (surprise(np.zeros((20, 3))) == 0).all()


def test_the_usual_error_of_each_score_is_what_counts():
    rows = np.random.default_rng(2).normal(size=(200, 2))
    usual = np.ones_like(rows)
    rows[0], usual[0] = (6.0, -6.0), (6.0, 6.0)
    rows[1] = (4.0, -4.0)
    times = surprise(rows, usual)
    assert times[1] == times.max() and times[0] < 2


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_a_dimension_that_never_varies_does_no_harm(value: float):
    rows, planted = misses(3)
    rows[:, 2] = value
    rows[:, 4] = np.nan
    assert found(surprise(rows), planted) > 0.8
