"""A comparison drawn as a forest: a row a dimension, the difference with its interval around the line of no difference."""

from collections.abc import Iterable

from django.utils.safestring import SafeString

from distillery_site.common.svg import at, ceiling, el, finite, line, num, percent, picture
from scoring.comparing import Line

HEIGHT, MIDDLE = 24.0, 12.0
LEAST = 0.1  # points to each side, at the least
DIAMOND = "M0-6 6 0 0 6-6 0z"
MARKS = {"better": "forest-sure", "worse": "forest-sure", "noise": "forest-noise", "few": "forest-noise"}


def reach_of(lines: Iterable[Line]) -> float:
    """How many points the axis has to each side, shared by all rows."""
    values = [abs(value) for one in lines for value in (one.change.value, one.change.low, one.change.high)]
    return ceiling([value for value in values if finite(value) is not None], least=LEAST)


def forest_svg(one: Line, reach: float, *, first: str, second: str) -> SafeString:
    """One row; left of the middle the first version is nearer to the oracle, right of it the second."""
    drawn = [line(0.5, 0, 0.5, HEIGHT, "agree-middle"), *_whisker(one, reach), *_mark(one, reach)]
    return picture(*drawn, title=sentence(one, first, second), class_="forest", height=HEIGHT)


def axis_svg(reach: float) -> SafeString:
    """The scale above the rows."""
    ticks = [(-reach, "start"), (0.0, "middle"), (reach, "end")]
    words = [el("text", num(abs(value)), x=percent(_place(value, reach)), y=11, text_anchor=side) for value, side in ticks]
    marks = [line(place, 15, place, 20, "chart-axis") for place in (0.0, 0.25, 0.5, 0.75, 1.0)]
    title = f"The scale runs {num(reach)} points to either side: left, the first is nearer to the oracle, right, the second."
    return picture(*words, *marks, title=title, class_="agree-axis", height=20)


def forest_key(mark: str) -> SafeString:
    """One sign of the picture for its legend: sure or noise."""
    drawn = [line(0.1, 8, 0.9, 8, f"forest-{mark}-line"), at(0.5, 8, el("path", d=DIAMOND, class_=f"forest-{mark}"))]
    return el("svg", *drawn, class_="chart track-key", aria_hidden="true")


def sentence(one: Line, first: str, second: str) -> str:
    """The row for people who hear the page."""
    if finite(one.change.value) is None:
        return f"{one.name}: the oracle gave no score, so nothing is known."
    nearer = first if one.change.value < 0 else second
    sure = {"noise": ", which is within noise", "few": ", of too few articles to judge"}.get(one.verdict, "")
    return f"{one.name}: {nearer} is nearer to the oracle by {one.words} points{sure}; n = {one.change.n}"


def _place(value: float, reach: float) -> float:
    return min(1.0, max(0.0, 0.5 + value / (2 * reach)))


def _whisker(one: Line, reach: float) -> list[SafeString]:
    low, high = finite(one.change.low), finite(one.change.high)
    if low is None or high is None:
        return []
    kind = f"{MARKS[one.verdict]}-line"
    ends = [_place(end, reach) for end in (low, high)]
    caps = [line(end, MIDDLE - 4, end, MIDDLE + 4, kind) for end in ends]
    return [line(ends[0], MIDDLE, ends[1], MIDDLE, kind), *caps]


def _mark(one: Line, reach: float) -> list[SafeString]:
    value = finite(one.change.value)
    return [] if value is None else [at(_place(value, reach), MIDDLE, el("path", d=DIAMOND, class_=MARKS[one.verdict]))]
