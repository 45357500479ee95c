"""A learning curve as a picture: what was measured, the law through it, and what it foretells; figures in, SVG out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from django.utils.safestring import SafeString

from distillery_site.common.svg import curve, el, line, num, percent, picture

if TYPE_CHECKING:
    from training.curves.figures import Panel

TOP, DEEP = 16, 240  # pixels above the plot, and its own height
APART = 0.14  # of the width, between two words on the x axis
MOST_LINES = 8
_STEPS = 40
_LINES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


class _Plane:
    """Labels and errors as shares of the plot's width and height."""

    def __init__(self, panel: Panel):
        law = panel.curve
        self.last = panel.reach
        band = law.band(self.last / law.labels)
        errors = [mae for _, mae in panel.seeds] + [point.high for point in law.points] + [band.low, panel.constant]
        errors += [panel.repeat.value, panel.repeat.value / 2] if panel.repeat else []
        self.low, self.top, self.step = _axis(min(errors), max(errors))

    def x(self, labels: float) -> float:
        return labels / self.last

    def y(self, mae: float) -> float:
        return min(1.0, max(0.0, (self.top - mae) / (self.top - self.low)))


def curve_svg(panel: Panel) -> SafeString:
    """Points of single seeds, their means, the law, its dashed continuation in its band, the constant, the repeat error."""
    plane = _Plane(panel)
    plot = el(
        "svg",
        *_floor(panel, plane),
        *_law(panel, plane),
        *_dots(panel, plane),
        y=TOP,
        height=DEEP,
        width="100%",
        overflow="visible",
    )
    words = [*_grid(plane), *_ceiling(panel, plane), plot, *_sizes(panel, plane)]
    return picture(*words, title=panel.sentence, class_="learning", height=TOP + DEEP + 24)


def _axis(least: float, most: float) -> tuple[float, float, float]:
    """Both ends and the step of an axis whose lines lie at round numbers."""
    step = next((step for step in _LINES if (most - least) / step <= MOST_LINES), _LINES[-1])
    return math.floor(least / step) * step, math.ceil(most / step) * step, step


def _grid(plane: _Plane) -> Iterator[SafeString]:
    for number in range(round((plane.top - plane.low) / plane.step) + 1):
        mae = plane.low + number * plane.step
        y = TOP + DEEP * plane.y(mae)
        yield line(0, y, 1, y, "chart-axis" if number == 0 else "chart-grid")
        yield el("text", f"{mae:.4g}", x="0", y=y - 3)


def _ceiling(panel: Panel, plane: _Plane) -> Iterator[SafeString]:
    y = TOP + DEEP * plane.y(panel.constant)
    yield line(0, y, 1, y, "chart-ideal")
    yield el("text", f"best constant {panel.constant:.3f}", x="100%", y=y - 4, text_anchor="end")


def _floor(panel: Panel, plane: _Plane) -> Iterator[SafeString]:
    """From half the repeat error to all of it, as on the tracks."""
    if panel.repeat is None:
        return
    high, low = plane.y(panel.repeat.value), plane.y(panel.repeat.value / 2)
    yield el("rect", x="0", width="100%", y=percent(high), height=percent(low - high), class_="track-band")
    yield line(0, percent(high), 1, percent(high), "track-band-edge")
    yield el("text", f"asked twice: {panel.repeat.value:.3f}", x="100%", y=DEEP * high + 12, text_anchor="end")


def _law(panel: Panel, plane: _Plane) -> Iterator[SafeString]:
    law = panel.curve
    known = np.geomspace(law.sizes[0], law.labels, _STEPS)
    yield curve([(plane.x(n), plane.y(law.value(n / law.labels))) for n in known], "curve-val")
    if panel.reach <= law.labels:
        return
    ahead = np.linspace(law.labels, panel.reach, _STEPS)
    bands = [law.band(n / law.labels) for n in ahead]
    yield _area([(plane.x(n), plane.y(band.high), plane.y(band.low)) for n, band in zip(ahead, bands, strict=True)])
    yield curve([(plane.x(n), plane.y(band.value)) for n, band in zip(ahead, bands, strict=True)], "curve-ahead")


def _area(edges: Sequence[tuple[float, float, float]]) -> SafeString:
    """Between two lines over the same x, as shares of the plot."""
    around = [(x, upper) for x, upper, _ in edges] + [(x, lower) for x, _, lower in reversed(edges)]
    drawn = el("polygon", points=" ".join(f"{num(100 * x)},{num(100 * y)}" for x, y in around), class_="curve-band")
    return el("svg", drawn, viewBox="0 0 100 100", preserveAspectRatio="none", width="100%", height="100%", overflow="visible")


def _dots(panel: Panel, plane: _Plane) -> Iterator[SafeString]:
    for labels, mae in panel.seeds:
        yield el("circle", r=2.5, class_="curve-seed", cx=percent(plane.x(labels)), cy=percent(plane.y(mae)))
    for labels, point in zip(panel.curve.sizes, panel.curve.points, strict=True):
        yield el("circle", r=4.5, class_="epoch-val", cx=percent(plane.x(labels)), cy=percent(plane.y(point.value)))
    if panel.forecast:
        place = {"cx": percent(plane.x(panel.forecast.labels)), "cy": percent(plane.y(panel.forecast.then.value))}
        yield el("circle", r=5, class_="curve-foretold", **place)


def _sizes(panel: Panel, plane: _Plane) -> Iterator[SafeString]:
    """The sizes below the plot, from the right, where there is room for their words."""
    left = 1.0 + APART
    ends = [panel.reach] if panel.reach > panel.curve.labels else []
    for labels in [*ends, *reversed(panel.curve.sizes)]:
        x = plane.x(labels)
        if left - x < APART or x < 0.04:
            continue
        left = x
        words = f"{labels:,}{' now' if labels == panel.curve.labels else ''}"
        yield el("text", words, x=percent(x), y=TOP + DEEP + 18, text_anchor="end" if x > 0.9 else "middle")
