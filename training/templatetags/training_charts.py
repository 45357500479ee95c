"""{% load training_charts %}: the drawings of training/charts.py where a template needs them."""

from django import template
from django.utils.safestring import SafeString

from training.charts import epochs_svg, loss_svg, spark_svg
from training.figures import DimensionRow, RunCurve
from training.models import TrainingRun

register = template.Library()


@register.simple_tag
def loss(curve: RunCurve) -> SafeString:
    return loss_svg(curve.loss, steps=curve.steps)


@register.simple_tag
def epochs(curve: RunCurve, run: TrainingRun) -> SafeString:
    """On an axis as long as the run will be, as far as its steps tell."""
    planned = round(run.epoch_now * run.steps / run.step) if run.step else 0
    return epochs_svg(curve.epochs, epochs_planned=planned)


@register.simple_tag
def spark(row: DimensionRow) -> SafeString:
    return spark_svg(row.column.name, row.counts)
