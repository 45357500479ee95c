"""The picture of agreement holds for whatever the figures are; what is unknown is left out."""

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from distillery_site.common.statistics import Interval
from labeling.comparing.agreement import Again, Against
from labeling.comparing.charts import agreement_key, agreement_svg, axis_svg, reach_of

NAN = float("nan")
number = st.one_of(st.just(NAN), st.floats(-10, 10))
intervals = st.builds(Interval, value=number, low=number, high=number, n=st.integers(0, 9))
agains = st.builds(
    Again, key=st.just("k"), name=st.just("K"), mae=intervals, within=intervals, icc=intervals, alpha=intervals, bias=st.just(())
)
againsts = st.builds(
    Against, key=st.just("k"), name=st.just("K"), bias=intervals, mae=intervals, spearman=number, icc=intervals, within=intervals
)


def interval(value: float, low: float, high: float) -> Interval:
    return Interval(value, low, high, 9)


def again(mae: Interval) -> Again:
    return Again("k", "K", mae, mae, mae, 0.9, (mae,))


def against(bias: Interval, mae: Interval) -> Against:
    return Against("k", "K", bias, mae, 0.9, mae, mae)


@given(st.one_of(st.none(), agains), st.lists(st.tuples(st.just("<b>Name</b>"), againsts), max_size=3))
def test_it_draws_whatever_there_is_inside_its_place(one: Again | None, others: list[tuple[str, Against]]):
    reach = reach_of([one] if one else [], [other for _, other in others])
    drawn = ElementTree.fromstring(agreement_svg(one, others, reach=reach, title="A & B"))
    places = [value for part in drawn.iter() for name, value in part.attrib.items() if name in ("x", "x1", "x2", "cx")]
    assert all(0 <= float(place.rstrip("%")) <= 100 for place in places)
    assert "nan" not in ElementTree.tostring(drawn, encoding="unicode")
    assert drawn.find("title").text == "A & B"


def test_the_arrow_points_to_the_stricter_or_milder_side():
    left, right = (
        agreement_svg(None, [("Gemini", against(interval(v, v, v), interval(1, 1, 1)))], reach=2, title="") for v in (-1, 1)
    )
    assert 'x2="25%"' in left and "M-1 0l8-4.5v9z" in left
    assert 'x2="75%"' in right and "M1 0l-8-4.5v9z" in right


def test_the_band_reaches_as_far_as_the_repeat_error_to_both_sides():
    drawn = agreement_svg(again(interval(0.5, 0.4, 0.6)), [], reach=1, title="")
    assert 'class="track-band" x="25%" width="50%"' in drawn
    assert len(re.findall("track-band-edge", drawn)) == 4


def test_only_several_others_are_named_in_the_picture():
    one = against(interval(1, 0, 2), interval(1, 1, 1))
    assert "agree-name" not in agreement_svg(None, [("Gemini", one)], reach=2, title="")
    assert agreement_svg(None, [("Gemini", one), ("Qwen", one)], reach=2, title="").count("agree-name") == 2


def test_the_axis_holds_every_figure_and_names_both_sides():
    assert reach_of([again(interval(0.1, 0.1, 0.1))], []) == 0.5
    assert reach_of([], [against(interval(-2.2, -3.5, -1), interval(2, 1, 3))]) == 4
    assert "← 4 stricter" in axis_svg(4) and "4 milder →" in axis_svg(4)


def test_every_sign_has_its_key():
    assert all(agreement_key(mark).startswith("<svg") for mark in ("band", "spread", "arrow"))
