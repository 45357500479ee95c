"""{% load steps %}{% five_steps filter %}: the strip on a filter's page. Here, because it spans the apps."""

from typing import Any

from django import template

from distillery_site.steps import steps
from labeling.models import Filter

register = template.Library()


@register.inclusion_tag("site/_steps.html", takes_context=True)
def five_steps(context: template.Context, filter: Filter) -> dict[str, Any]:  # noqa: A002 (the domain's word)
    found = steps(filter, context["user"])
    return {"steps": found, "next": next((step for step in found if step.state == "next"), None)}
