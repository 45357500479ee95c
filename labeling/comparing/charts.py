"""Agreement drawn: how far an oracle lies from itself, and how much stricter or milder another one is. Figures in, SVG out.

The middle of a row is what the oracle said first. To the left lie lower scores (stricter), to the right higher ones.
"""

from collections.abc import Iterable, Sequence

from django.utils.safestring import SafeString

from distillery_site.common.statistics import Interval
from distillery_site.common.svg import at, ceiling, el, finite, line, num, pattern_id, percent, picture
from labeling.comparing.agreement import Again, Against

LANE, ALONE, NAMED = 24.0, 30.0, 12.0
LEAST = 0.5  # points to each side, at the least


def reach_of(repeat: Iterable[Again], between: Iterable[Against]) -> float:
    """How many points the axis has to each side, shared by all rows."""
    values = [value for one in repeat for value in (one.mae.value, one.mae.high)]
    values += [abs(value) for one in between for value in (one.mae.value, one.bias.value, one.bias.low, one.bias.high)]
    return ceiling([value for value in values if finite(value) is not None], least=LEAST)


def agreement_svg(again: Again | None, others: Sequence[tuple[str, Against]], *, reach: float, title: str) -> SafeString:
    """One row: the band in which the oracle's second answer lies, and a lane with arrow and reach for each other oracle."""
    lane = LANE + (NAMED if len(others) > 1 else 0.0)
    height = max(ALONE, lane * len(others) + 6)
    drawn = [*_band(again, reach, height), line(0.5, 0, 0.5, height, "agree-middle")]
    for place, (name, one) in enumerate(others):
        middle = 3 + lane * (place + 1) - LANE / 2
        drawn += [el("text", name, x="0", y=middle - 11, class_="agree-name")] if len(others) > 1 else []
        drawn += [*_spread(one, reach, middle), *_arrow(one, reach, middle)]
    return picture(*drawn, title=title, class_="agree", height=height)


def axis_svg(reach: float) -> SafeString:
    """The scale above the rows."""
    ticks = [(-reach, "start"), (0.0, "middle"), (reach, "end")]
    words = [el("text", _said(value, reach), x=percent(_place(value, reach)), y=11, text_anchor=side) for value, side in ticks]
    places = [_place(value, reach) for value in (-reach, -reach / 2, 0.0, reach / 2, reach)]
    marks = [line(place, 15, place, 20, "chart-axis") for place in places]
    title = f"The scale runs from {num(reach)} points stricter at the left to {num(reach)} points milder at the right."
    return picture(*words, *marks, title=title, class_="agree-axis", height=20)


def agreement_key(mark: str) -> SafeString:
    """One sign of the picture for its legend: band, spread or arrow."""
    signs = {
        "band": _hatched("agree-key", 0, 1, 2, 12),
        "spread": [line(0.02, 8, 0.98, 8, "agree-spread"), *(line(end, 4, end, 12, "agree-spread") for end in (0.02, 0.98))],
        "arrow": [line(0.2, 8, 0.8, 8, "agree-arrow"), _head(0.8, 8, 1)],
    }
    return el("svg", *signs[mark], class_="chart track-key", aria_hidden="true")


def _place(value: float, reach: float) -> float:
    return min(1.0, max(0.0, 0.5 + value / (2 * reach)))


def _band(again: Again | None, reach: float, height: float) -> list[SafeString]:
    """Hatched as far as the repeat error to both sides; the dotted edges are its interval."""
    if again is None or finite(again.mae.value) is None:
        return []
    left, right = _place(-again.mae.value, reach), _place(again.mae.value, reach)
    edges = [sign * edge for edge in (again.mae.low, again.mae.high) if finite(edge) is not None for sign in (-1, 1)]
    sides = [line(_place(edge, reach), 2, _place(edge, reach), height - 2, "track-band-edge") for edge in edges]
    return [*_hatched(pattern_id("agree", again.key, again.mae), left, right - left, 2, height - 4), *sides]


def _hatched(name: str, x: float, width: float, y: float, height: float) -> list[SafeString]:
    stripes = el(
        "pattern",
        el("path", d="M-1 1l2-2M0 5l5-5M4 6l2-2", class_="track-hatch"),
        id=name,
        width=5,
        height=5,
        patternUnits="userSpaceOnUse",
    )
    box: dict[str, str | float] = {"x": percent(x), "width": percent(width), "y": y, "height": height}
    return [el("defs", stripes), el("rect", class_="track-band", **box), el("rect", fill=f"url(#{name})", **box)]


def _spread(one: Against, reach: float, middle: float) -> list[SafeString]:
    """As far as the two oracles lie apart on average, to both sides."""
    if finite(one.mae.value) is None:
        return []
    left, right = _place(-one.mae.value, reach), _place(one.mae.value, reach)
    ends = [line(end, middle - 5, end, middle + 5, "agree-spread") for end in (left, right)]
    return [line(left, middle, right, middle, "agree-spread"), *ends]


def _arrow(one: Against, reach: float, middle: float) -> list[SafeString]:
    """From the one oracle's level to the other's, with the interval of where it ends."""
    if finite(one.bias.value) is None:
        return []
    end = _place(one.bias.value, reach)
    if not one.bias.value:
        return [*_whisker(one.bias, reach, middle), el("circle", cx=percent(end), cy=middle, r=3, class_="agree-head")]
    shaft = line(0.5, middle, end, middle, "agree-arrow")
    return [*_whisker(one.bias, reach, middle), shaft, _head(end, middle, 1 if one.bias.value > 0 else -1)]


def _whisker(bias: Interval, reach: float, middle: float) -> list[SafeString]:
    if finite(bias.low) is None or finite(bias.high) is None:
        return []
    low, high = _place(bias.low, reach), _place(bias.high, reach)
    caps = [line(end, middle + 4, end, middle + 10, "agree-whisker") for end in (low, high)]
    return [line(low, middle + 7, high, middle + 7, "agree-whisker"), *caps]


def _head(x: float, y: float, way: int) -> SafeString:
    return at(x, y, el("path", d=f"M{way} 0l{-8 * way}-4.5v9z", class_="agree-head"))


def _said(value: float, reach: float) -> str:
    ends = {-reach: f"← {num(reach)} stricter", reach: f"{num(reach)} milder →"}
    return ends.get(value, num(value).replace("-", "−") if value <= 0 else f"+{num(value)}")
