"""{% load curve_charts %}: the drawing of training/curve_charts.py where a template needs it."""

from django import template
from django.utils.safestring import SafeString

from training.curve_charts import curve_svg
from training.curve_figures import Panel

register = template.Library()


@register.simple_tag
def curve_chart(panel: Panel) -> SafeString:
    return curve_svg(panel)
