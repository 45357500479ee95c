"""Hand-written SVG: escaped tags, tidy numbers, and positions in percent so that a chart is as wide as its place.

Colours come from classes (static/charts.css), so light, dark and print share one drawing.
"""

import math
import zlib
from collections.abc import Iterable, Sequence

from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe


def finite(value: float | None) -> float | None:
    """The value as a float, or None when it is missing, NaN or infinite."""
    return float(value) if value is not None and math.isfinite(value) else None


def num(value: float) -> str:
    """At most two decimals and no trailing zeros; a chart with a NaN in it is a bug, so it raises."""
    if not math.isfinite(value):
        raise ValueError(f"A chart can't place {value}.")
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def percent(share: float) -> str:
    """A position inside the chart: 0 is its left or top edge, 1 its right or bottom edge."""
    return f"{num(100 * min(1.0, max(0.0, share)))}%"


def el(name: str, *children: str, **attributes: str | float | None) -> SafeString:
    """One element. `class_` is class, `stroke_width` is stroke-width, None leaves the attribute out."""
    pairs = []
    for key, value in attributes.items():
        if value is not None:
            text = value if isinstance(value, str) else num(value)
            pairs.append(f' {key.rstrip("_").replace("_", "-")}="{conditional_escape(text)}"')
    inside = "".join(conditional_escape(child) for child in children)
    return mark_safe(f"<{name}{''.join(pairs)}>{inside}</{name}>")  # noqa: S308 every part is escaped above


def picture(*children: str, title: str, class_: str, height: float, view_box: str | None = None) -> SafeString:
    """A chart as one image to a screen reader; its title says in a sentence what the drawing shows."""
    size: dict[str, str | float] = {"viewBox": view_box} if view_box else {"width": "100%", "height": height}
    return el("svg", el("title", title), *children, class_=f"chart {class_}", role="img", **size)


def line(x1: float, y1: str | float, x2: float, y2: str | float, class_: str) -> SafeString:
    """A line between two shares of the width."""
    return el("line", x1=percent(x1), y1=y1, x2=percent(x2), y2=y2, class_=class_)


def at(x: float, y: float, *children: str) -> SafeString:
    """Children drawn in pixels around a point that lies at a share of the width."""
    return el("svg", *children, x=percent(x), y=y, overflow="visible", width="1", height="1")


def curve(points: Sequence[tuple[float, float]], class_: str) -> SafeString:
    """A line through shares of the plot (0,0 is the top left), as thick as its class says however wide the plot."""
    path = " ".join(f"{num(100 * x)},{num(100 * y)}" for x, y in points)
    drawn = el("polyline", points=path, class_=class_, vector_effect="non-scaling-stroke")
    return el("svg", drawn, viewBox="0 0 100 100", preserveAspectRatio="none", width="100%", height="100%", overflow="visible")


def pattern_id(*parts: object) -> str:
    """An id that is the same for the same drawing and differs between drawings of one page."""
    return f"p{zlib.crc32(repr(parts).encode()):08x}"


def ceiling(values: Iterable[float], least: float = 0.0) -> float:
    """The end of an axis: the smallest of 1, 2, 2.5, 4, 5, 8 times a power of ten that holds every value."""
    top = max([least, *values], default=least)
    if top <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(top))
    return next((step * power for step in (1, 2, 2.5, 4, 5, 8) if step * power >= top * (1 - 1e-9)), 10 * power)


def axis(values: Iterable[float]) -> tuple[float, float]:
    """Both ends of an axis for a line: from 0 when the values come near it, or else zoomed in to where they lie."""
    known = list(values)
    if not known or min(known) < max(known) / 2:
        return 0.0, ceiling(known)
    half = ceiling([max(known) - min(known)], least=max(known) / 100) / 2
    low = math.floor(min(known) / half) * half
    return low, low + half * max(2, math.ceil((max(known) - low) / half - 1e-9))
