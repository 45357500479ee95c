"""{% load tracks %}: the drawings of scoring/charts.py where a template needs them."""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from scoring.charts import bands_svg, key_svg, scatter_svg, score_svg, track_svg
from scoring.figures import Cell, Scatter, Track, WorstScore
from scoring.portrait import Portrait
from training.student.metrics import Band

register = template.Library()

THIN = "\u202f"  # between a number and its unit


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
def score_bar(score: float, low: float | None, high: float | None) -> SafeString:
    return score_svg(score, low, high)


@register.simple_tag
def interval(bounds: Sequence[float | None] | None, unit: str = "") -> str:
    """“0.51–0.60” of [low, high], or “51–60 %”; nothing where it isn't known."""
    low, high = bounds or (None, None)
    if low is None or high is None:
        return ""
    if unit == "%":
        return f"{_number(100 * low, 0)}–{_number(100 * high, 0)}{THIN}%"
    return f"{_number(low, 2)}–{_number(high, 2)}"


@register.simple_tag
def heat(cell: Cell) -> SafeString | str:
    """The shade of a cell: nothing learnt is white, the oracle itself would be full."""
    return "" if cell.skill is None else format_html(' style="--v:{}"', f"{min(1.0, max(0.0, cell.skill)):.2f}")


@register.filter
def dimension_name(score: WorstScore, portraits: Sequence[Portrait]) -> str:
    """The rubric's name of the dimension a score belongs to."""
    names = {(one.version.filter.slug, row.key): row.name for one in portraits for row in one.dimensions}
    return names.get((score.filter, score.dimension), score.dimension)


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".replace("-", "−")
