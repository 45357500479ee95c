"""{% load agreement %}: the drawings of labeling/comparing/charts.py, and intervals as people read them."""

from django import template
from django.utils.safestring import SafeString

from distillery_site.common.statistics import Interval
from distillery_site.common.svg import finite
from labeling.comparing import charts
from labeling.comparing.trust import Line, Trust

register = template.Library()


@register.simple_tag
def agreement(line: Line, trust: Trust) -> SafeString:
    return charts.agreement_svg(line.again, line.others, reach=trust.reach, title=line.sentence)


@register.simple_tag
def agreement_axis(trust: Trust) -> SafeString:
    return charts.axis_svg(trust.reach)


@register.simple_tag
def agreement_key(mark: str) -> SafeString:
    return charts.agreement_key(mark)


@register.filter
def bounds(one: Interval, sign: str = "") -> str:
    """“0.16–0.22”; with a sign “−0.71 to −0.49”; nothing where it isn't known."""
    if finite(one.low) is None or finite(one.high) is None:
        return ""
    if sign:
        return f"{one.low:+.2f} to {one.high:+.2f}".replace("-", "−")
    between = " to " if one.low < 0 else "–"  # a dash beside a minus can't be read
    return f"{one.low:.2f}{between}{one.high:.2f}".replace("-", "−")


@register.filter
def seconds(one: Interval) -> str:
    """“74 s”, or a dash."""
    return "–" if finite(one.value) is None else f"{one.value:.0f}\u202fs"


@register.filter
def seconds_span(one: Interval) -> str:
    """“62–81 s”; nothing where it isn't known."""
    return "" if finite(one.low) is None or finite(one.high) is None else f"{one.low:.0f}–{one.high:.0f}\u202fs"
