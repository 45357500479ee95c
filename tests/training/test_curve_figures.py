"""What a curve says in a sentence, and its picture."""

from dataclasses import replace

import numpy as np
import pytest

from distillery_site.common.statistics import Interval
from training.curves.charts import curve_svg
from training.curves.figures import Panel
from training.curves.price import Price
from training.student.powerlaw import Curve, measured

SIZES = (284, 567, 1134, 2269, 2836)
REPEAT = Interval(0.2, 0.17, 0.23, 96)


def panel(law=(0.3, 0.1, 0.5), **changes) -> Panel:
    a, b, c = law
    rows = np.linspace(0.9, 1.1, 50)[:, None]
    errors = {size: [rows * (a + b * (size / 2836) ** -c) for _ in range(3)] for size in SIZES}
    curve = Curve.of(measured(errors, draws=50), 355)
    seeds = [(size, float(one.mean())) for size, each in errors.items() for one in each]
    return replace(Panel("news", "News", curve, seeds, 0.7, REPEAT, more=500), **changes)


def test_it_says_gain_and_price_in_one_sentence():
    found = panel(price=Price(0.0008, "as 9 paid labels came to $0.01"))
    assert found.answer == "500 more labels: MAE 0.400 → 0.392 ± 0.000, about $0.40."
    assert found.gain.startswith("That is 0.008 points less (0.008 to 0.008) on the same 355 articles;")


def test_it_never_invents_a_price():
    assert panel().answer.endswith("± 0.000, price unknown: no paid labels yet.")


def test_a_gain_that_nobody_would_notice_is_called_that():
    assert panel(law=(0.4, 0.003, 0.5)).gain.startswith("That is less than a thousandth of a point")


def test_it_tells_how_well_it_foretold_its_own_last_point():
    assert panel().back_test == (
        "From 80 % of the labels it foretold 0.400 ± 0.000, found 0.400: off by 0.000, within what chance explains."
    )


def test_it_gives_the_reason_where_it_foretells_nothing():
    far = panel(more=9000)
    assert far.answer == far.refusal and "Ask for 8,508 more at most" in far.answer
    assert (far.forecast, far.gain) == (None, "")


def test_its_picture_reaches_as_far_as_was_asked():
    assert panel(more=500).reach == 2 * 2836
    assert panel(more=8000).reach == 10836
    assert panel(law=(0.4, 0.0, 0.5)).reach == 2836


@pytest.mark.parametrize("more", [1, 500, 8508, 9000])
def test_the_picture_says_in_its_title_what_it_shows(more):
    svg = curve_svg(panel(more=more))
    assert svg.startswith("<svg") and "Validation MAE of News by training labels: 284: 0." in svg
    assert svg.count("curve-seed") == 15 and svg.count("epoch-val") == 5
    assert "2,836 now" in svg and "best constant 0.700" in svg and "asked twice: 0.200" in svg


def test_a_flat_curve_has_no_dashes_and_no_floor_is_drawn_where_none_is_known():
    svg = curve_svg(panel(law=(0.4, 0.0, 0.5), repeat=None))
    assert "curve-ahead" not in svg and "track-band" not in svg
