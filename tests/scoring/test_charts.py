"""The track and its companions, drawn from any figures without a lie or a NaN."""

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.charts import bands_svg, key_svg, scatter_svg, score_svg, track_svg
from scoring.figures import Track
from training.student.metrics import Band

errors = st.floats(0, 20) | st.just(float("nan"))
maybe = st.none() | errors
tracks = st.builds(
    Track,
    label=st.text(max_size=30).filter(str.isprintable),
    n=st.integers(0, 4000),
    few=st.booleans(),
    constant=st.floats(0, 10),
    mae=st.floats(0, 20),
    low=maybe,
    high=maybe,
    travelled=st.floats(-3, 1),
    repeat=maybe,
    repeat_low=maybe,
    repeat_high=maybe,
    ridge=maybe,
    challenger=maybe,
    n_ge_5=st.none() | st.integers(0, 4000),
)
evidence = Track(
    label="evidence_quality",
    n=377,
    few=False,
    constant=0.97,
    mae=0.55,
    low=0.51,
    high=0.60,
    travelled=0.43,
    repeat=0.39,
    repeat_low=0.31,
    repeat_high=0.48,
    ridge=0.62,
    challenger=0.58,
    n_ge_5=300,
)


def percents(svg: str) -> list[float]:
    """Every horizontal position and width in percent."""
    return [float(found) for found in re.findall(r'(?:x|x1|x2|cx|width)="([-\d.]+)%"', svg)]


def place(svg: str, class_: str) -> float:
    """Where the diamond of a class sits, in percent."""
    found = re.search(rf'<svg x="([\d.]+)%"[^>]*><path d="[^"]+" class="{class_}"', svg)
    assert found, f"{class_} isn't drawn"
    return float(found[1])


def test_it_places_the_student_between_the_oracle_and_the_constant():
    assert place(track_svg(evidence), "track-champion") == pytest.approx(100 * 0.55 / 0.97, abs=0.01)


def test_it_draws_the_band_from_half_the_repeat_error_to_all_of_it():
    box = re.search(r'<rect class="track-band" x="([\d.]+)%" width="([\d.]+)%"', track_svg(evidence))
    assert [float(box[1]), float(box[2])] == pytest.approx([100 * 0.195 / 0.97, 100 * 0.195 / 0.97], abs=0.01)


def test_it_says_in_words_what_it_shows():
    title = ET.fromstring(track_svg(evidence, large=True)).findtext("title")
    assert title == evidence.sentence
    assert "asked twice, the oracle differs from itself by 0.39" in title


def test_it_keeps_a_student_worse_than_the_constant_at_the_edge_with_an_arrow():
    worse = track_svg(replace(evidence, mae=1.4, high=2.0, challenger=None))
    assert place(worse, "track-champion") == 100
    assert worse.count("track-beyond") == 1
    assert "track-travelled" not in worse


def test_it_is_pale_and_says_so_where_too_few_are_high():
    few = track_svg(replace(evidence, few=True, n_ge_5=4), large=True)
    assert "track-pale" in few
    assert "too few to judge" in few


def test_it_draws_no_marks_where_every_label_is_the_same():
    flat = track_svg(replace(evidence, constant=0.0), large=True)
    assert "track-champion" not in flat
    assert "every label is the same" in flat


def test_it_leaves_out_what_is_not_known():
    bare = track_svg(replace(evidence, repeat=None, ridge=None, challenger=None, low=None))
    assert not re.search("track-(band|ridge|challenger|whisker)", bare)


@given(tracks, st.booleans())
def test_it_never_draws_outside_nor_a_nan(track: Track, large: bool):
    svg = track_svg(track, large=large)
    assert "nan" not in re.sub("<title>.*?</title>", "", svg)
    assert all(0 <= position <= 100 for position in percents(svg))


@given(st.text("<>&\"'a", max_size=20))
def test_it_escapes_labels(label: str):
    track = replace(evidence, label=label)
    pictures = [track_svg(track), scatter_svg(label, [(1, 2)]), bands_svg(label, [Band(0, 1, 1, 0.5, 0)], top=1)]
    assert all(label in ET.fromstring(svg).findtext("title") for svg in pictures)


def test_it_gives_a_sign_to_every_line_of_the_legend():
    assert all(ET.fromstring(key_svg(mark)) is not None for mark in ("band", "ridge", "champion", "challenger", "travelled"))


@given(st.lists(st.tuples(st.floats(-5, 15) | st.just(float("nan")), st.floats(-50, 50)), max_size=40))
def test_it_keeps_every_bubble_inside_the_square(pairs: list[tuple[float, float]]):
    circles = [node.attrib for node in ET.fromstring(scatter_svg("x", pairs)).iter("circle")]
    assert all(12 <= float(c["cx"]) <= 96 and 4 <= float(c["cy"]) <= 88 for c in circles)


def test_it_makes_one_bubble_of_equal_pairs_and_counts_all():
    svg = scatter_svg("x", [(0, 0.1), (0, 0.2), (5, 4)])
    assert svg.count("<circle") == 2
    assert "3 articles" in svg


def test_it_scales_bars_of_bands_to_the_shared_axis():
    svg = bands_svg("x", [Band(0, 1, 200, 0.5, 0), Band(7, 10, 3, 1.0, 0), Band(5, 7, 0, math.nan, 0)], top=1.0)
    bars = [(node.attrib["class"], float(node.attrib["height"])) for node in ET.fromstring(svg).iter("rect")]
    assert bars == [("bar-mark", 27), ("bar-mark bar-few", 54)]
    assert "5–7: none, n = 0" in svg


def test_a_scores_whisker_goes_from_end_to_end_of_its_interval_and_stays_on_the_scale():
    drawn = score_svg(6.0, 4.5, 12.0)
    assert drawn.count("track-whisker") == 3 and 'x1="45%"' in drawn and 'x2="100%"' in drawn
    assert "track-whisker" not in score_svg(6.0, None, None)
