"""{% load curve_charts %}: the drawing of training/curve_charts.py where a template needs it."""

from django import template
from django.utils.safestring import SafeString

from training.curves.charts import curve_svg
from training.curves.figures import Panel

register = template.Library()


@register.simple_tag
def curve_chart(panel: Panel) -> SafeString:
    return curve_svg(panel)
