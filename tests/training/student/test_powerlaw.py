"""The law of a learning curve, on curves whose law is known."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillery_site.common.errors import BadInput
from training.student import powerlaw
from training.student.powerlaw import Curve, fit, measured, value

SIZES = (284, 567, 1134, 2269, 2836)
SHARES = np.array(SIZES) / SIZES[-1]


def hardness(rng, rows):
    return rng.gamma(1.0, 1.0, size=(rows, 1))


def world(law, seed=0, *, sizes=SIZES, rows=355, seeds=3, mixing=0.15, seed_sd=0.005):
    """{size: errors of each seed} of students that follow `law`: some articles are harder, and every student has its luck."""
    rng = np.random.default_rng(seed)
    hard = hardness(rng, rows)
    found = {}
    for size in sizes:
        level = float(value(law, size / sizes[-1]))
        luck = rng.normal(0, seed_sd, seeds) if size < sizes[-1] else np.zeros(1)
        spread = (np.exp(rng.normal(0, mixing, (rows, 2)) - mixing**2 / 2) for _ in luck)
        found[size] = [level * hard * one + shift for one, shift in zip(spread, luck, strict=True)]
    return found


def curve(law, seed=0, **how) -> Curve:
    return Curve.of(measured(world(law, seed, **how), draws=200), 355)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1), st.floats(0.02, 1), st.floats(0.05, 2))
def test_it_recovers_a_law_without_noise(a, b, c):
    truth = value((a, b, c), SHARES)
    law = fit(SHARES, truth[None, :], np.ones(5))[0]
    assert value(law, SHARES) == pytest.approx(truth, abs=0.001 * truth.max())
    assert value(law, 2.0) == pytest.approx(value((a, b, c), 2.0), abs=0.001 * truth.max())
    if c > 0.2:
        assert abs(law[0] - a) < 0.05 and abs(law[1] - b) < 0.05 and abs(law[2] / c - 1) < 0.2


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 10), min_size=5, max_size=5))
def test_whatever_was_measured_the_law_keeps_its_bounds_and_never_rises(errors):
    a, b, c = fit(SHARES, np.array([errors]), np.ones(5))[0]
    assert a >= 0 and b >= 0 and 0 < c <= 2
    assert (np.diff(value((a, b, c), np.array([0.1, 0.5, 1.0, 2.0, 4.0]))) <= 1e-12).all()


def test_a_size_that_weighs_nothing_does_not_bend_the_law():
    law = (0.2, 0.1, 0.5)
    bent = value(law, SHARES)
    bent[0] += 1.0
    found = fit(SHARES, bent[None, :], np.array([1e-9, 1, 1, 1, 1]))[0]
    assert value(found, 2.0) == pytest.approx(float(value(law, 2.0)), abs=0.005)


@pytest.mark.parametrize("law", [(0.25, 0.12, 0.5), (0.0, 0.4, 0.2), (0.3, 0.05, 1.0)])
def test_its_interval_covers_the_truth_about_as_often_as_it_says(law):
    inside, now, then = [], float(value(law, 1.0)), float(value(law, 2.0))
    for seed in range(25):
        found = curve(law, seed)
        foretold, hard = found.forecast(found.labels), hardness(np.random.default_rng(seed), 355).mean()
        inside += [foretold.then.low <= then * hard <= foretold.then.high]  # on these very rows
        inside += [abs(foretold.then.value - then) < foretold.margin + foretold.level]  # on all that they stand for
        inside += [foretold.gain.low <= now - then <= foretold.gain.high]
    assert np.mean(inside) >= 0.86  # of 75, for a 95 % interval


def test_the_law_lies_within_its_own_resamples():
    law = (0.25, 0.12, 0.5)
    found = curve(law)
    for true, drawn in zip(law, found.laws.T, strict=True):
        assert drawn.min() <= true <= drawn.max()


def test_what_is_sure_on_these_rows_is_told_apart_from_how_far_they_stand_for_others():
    foretold = curve((0.25, 0.12, 0.5)).forecast(1000)
    assert foretold.margin < foretold.level / 2
    assert foretold.labels == 3836
    assert foretold.now - foretold.gain.value == pytest.approx(foretold.then.value)


def test_the_band_widens_with_the_distance():
    found = curve((0.25, 0.12, 0.5))
    near, far = (powerlaw.half(found.band(share)) for share in (1.0, 4.0))
    assert 0 < near < far


def test_it_foretells_its_own_last_point_from_the_others():
    tested = curve((0.25, 0.12, 0.5)).back_test
    assert tested.sizes == SIZES[:-1]
    assert tested.found == pytest.approx(tested.foretold, abs=0.03)
    assert tested.held


def test_a_curve_that_broke_off_fails_its_back_test():
    law = (0.0, 0.4, 0.6)
    errors = world(law, mixing=0.02, seed_sd=0)
    errors[2836] = [errors[2269][0]]
    assert not Curve.of(measured(errors, draws=200), 355).back_test.held


def test_seeds_that_disagree_widen_the_band():
    sure, unsure = (curve((0.25, 0.12, 0.5), seed_sd=sd).forecast(2000).gain for sd in (0.0, 0.03))
    assert unsure.high - unsure.low > sure.high - sure.low


def test_it_foretells_nothing_where_more_labels_did_not_help():
    flat = curve((0.4, 0.0, 1.0), seed=3)
    assert not flat.falls
    assert "more labels would not help what this student can learn" in flat.refusal(500)
    with pytest.raises(BadInput, match="From 1,134 to 2,836 labels the error fell by"):
        flat.forecast(500)


def test_few_validation_rows_are_not_taken_for_a_flat_curve():
    found = curve((0.4, 0.02, 0.5), rows=12, mixing=0.6)
    assert not found.falls
    assert found.refusal(500).endswith("can't tell that from nothing, so what more would give isn't known.")


def test_it_foretells_nothing_beyond_four_times_the_labels():
    found = curve((0.25, 0.12, 0.5))
    assert found.refusal(3 * 2836) == ""
    assert "Ask for 8,508 more at most" in found.refusal(3 * 2836 + 1)
    assert found.refusal(0) == "Ask for one more label or several."


def test_it_needs_four_sizes():
    with pytest.raises(BadInput, match="A curve takes 4 sizes or more; 3 were measured."):
        curve((0.25, 0.12, 0.5), sizes=SIZES[2:])
    assert curve((0.25, 0.12, 0.5), sizes=SIZES[1:]).back_test is None


def test_it_comes_back_from_json_as_it_was():
    found = curve((0.25, 0.12, 0.5))
    told = json.loads(json.dumps(found.to_json()))
    back = Curve.from_json(told)
    assert back.to_json() == told
    assert back.forecast(500).then.value == pytest.approx(found.forecast(500).then.value, abs=1e-4)
    assert powerlaw.Curve.from_json(told).falls == found.falls
