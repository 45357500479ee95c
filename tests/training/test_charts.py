"""Learning curves and label distributions as pictures."""

import re
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from training.charts import EpochPoint, epochs_svg, histogram, loss_svg, spark_svg

numbers = st.floats(0, 1e6) | st.just(float("nan"))


def coordinates(svg: str) -> list[float]:
    found = re.findall(r'points="([^"]+)"', svg)
    return [float(value) for points in found for value in re.split("[ ,]", points)]


def test_it_ends_a_running_run_s_loss_where_it_is_now():
    points = re.search(r'points="([^"]+)"', loss_svg([(0, 2.0), (50, 1.0)], steps=100))[1]
    assert points == "0,0 50,50"


def test_it_says_the_last_loss_in_words():
    title = ET.fromstring(loss_svg([(0, 2.0), (50, 1.0)], steps=100)).findtext("title")
    assert title == "Training loss: loss 1.000 at step 50 of 100"


def test_it_says_when_there_is_nothing_yet():
    assert "no step yet" in loss_svg([], steps=0)
    assert "no epoch yet" in epochs_svg([])


def test_it_rings_the_chosen_epoch():
    svg = epochs_svg([EpochPoint(1, 0.5, 0.6), EpochPoint(2, 0.4, 0.3, chosen=True)], epochs_planned=4)
    assert svg.count("epoch-chosen") == 1
    assert "2: 0.400 (chosen)" in svg


def test_it_zooms_in_on_errors_that_lie_close_together():
    svg = epochs_svg([EpochPoint(1, 0.52), EpochPoint(2, 0.44)])
    assert re.findall(r"<text[^>]*>([\d.]+)</text>", svg) == ["0.44", "0.48", "0.52"]


@given(st.lists(st.tuples(st.integers(0, 5000), numbers), max_size=30), st.integers(0, 4000))
def test_it_keeps_the_loss_inside_the_plot(points: list[tuple[float, float]], steps: int):
    assert all(0 <= value <= 100 for value in coordinates(loss_svg(points, steps=steps)))


@given(st.lists(st.tuples(numbers, st.none() | numbers), max_size=8))
def test_it_keeps_epochs_inside_the_plot(errors: list[tuple[float, float | None]]):
    epochs = [EpochPoint(number, val, train) for number, (val, train) in enumerate(errors, 1)]
    svg = epochs_svg(epochs)
    assert all(0 <= value <= 100 for value in coordinates(svg))
    assert "nan" not in re.sub("<title>.*?</title>", "", svg)


@given(st.lists(st.none() | st.floats(-3, 14) | st.just(float("nan"))))
def test_it_counts_every_known_score_once(scores: list[float | None]):
    assert sum(histogram(scores)) == sum(score is not None and score == score for score in scores)


def test_it_draws_a_bar_for_every_bin_that_holds_something():
    svg = spark_svg("credit_market_stress", [900, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2])
    assert svg.count("spark-bar") == 3
    assert "100 % are 0, 2 of 903 at 5 or more" in svg


def test_it_escapes_the_label():
    assert "<b>" not in spark_svg("<b>", [1])
