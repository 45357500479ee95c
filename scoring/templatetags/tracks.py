"""{% load tracks %}: the drawings of scoring/charts.py where a template needs them."""

from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from scoring.charts import bands_svg, key_svg, scatter_svg, track_svg
from scoring.figures import Cell, Scatter, Track
from training.student.metrics import Band

register = template.Library()


@register.simple_tag
def track(one: Track | None, size: str = "small") -> SafeString | str:
    """{% track mean %} in a list, {% track one "large" %} on a page of its own."""
    return track_svg(one, large=size == "large") if one else ""


@register.simple_tag
def track_key(mark: str) -> SafeString:
    return key_svg(mark)


@register.simple_tag
def scatter(one: Scatter, name: str) -> SafeString:
    return scatter_svg(name, zip(one.truth, one.predicted, strict=True))


@register.simple_tag
def bands(rows: Sequence[Band], name: str, top: float) -> SafeString:
    return bands_svg(name, rows, top=top)


@register.simple_tag
def interval(figures: Any) -> SafeString | str:
    """“0.51–0.60” of a [low, high]; nothing where it isn't known."""
    low, high = figures if figures else (None, None)
    return "" if low is None or high is None else format_html("{}–{}", _two(low), _two(high))


@register.simple_tag
def heat(cell: Cell) -> SafeString | str:
    """The shade of a cell: nothing learnt is white, the oracle itself would be full."""
    return "" if cell.skill is None else format_html(' style="--v:{}"', f"{min(1.0, max(0.0, cell.skill)):.2f}")


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
