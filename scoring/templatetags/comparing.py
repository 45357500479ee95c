"""{% load comparing %}: the forest of a comparison, and gates as words."""

from django import template
from django.utils.safestring import SafeString

from scoring import forest
from scoring.comparing import Comparison, Line

register = template.Library()


@register.simple_tag
def forest_row(line: Line, found: Comparison) -> SafeString:
    return forest.forest_svg(line, _reach(found), first=str(found.first), second=str(found.second))


@register.simple_tag
def forest_axis(found: Comparison) -> SafeString:
    return forest.axis_svg(_reach(found))


@register.simple_tag
def forest_key(mark: str) -> SafeString:
    return forest.forest_key(mark)


def _reach(found: Comparison) -> float:
    return forest.reach_of([found.mean, *found.lines])
