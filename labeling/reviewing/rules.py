"""How a filter's articles are reviewed, and changing it."""

from typing import Any

from django import forms
from django.db import transaction

from distillery_site.common.models import record
from labeling.models import Filter, ReviewRules

FIELDS = ("reviewers", "unblinded", "threshold", "due_days")


class RulesForm(forms.Form):
    """Shares are shown in per cent, as people say them."""

    reviewers = forms.IntegerField(
        min_value=1,
        max_value=20,
        label="People an article",
        help_text="Each scores it without the others. For articles sent from now on.",
    )
    unblinded = forms.FloatField(
        min_value=0,
        max_value=100,
        label="Shown un-blinded, %",
        help_text="Share of turns, drawn at random, that show the oracle's scores at once: how far that leads people is "
        "measured from them. With 0 nothing is.",
    )
    threshold = forms.FloatField(
        min_value=0.5,
        max_value=10,
        label="Points apart",
        help_text="From which two people's difference waits for a lead to decide.",
    )
    due_days = forms.IntegerField(
        min_value=0,
        max_value=365,
        required=False,
        label="Due after days",
        help_text="Empty: never. What is due first is given out first.",
    )

    @classmethod
    def of(cls, rules: ReviewRules) -> "RulesForm":
        return cls(initial={**_values(rules), "unblinded": f"{100 * rules.unblinded:g}"})

    @property
    def values(self) -> dict[str, Any]:
        return {**self.cleaned_data, "unblinded": self.cleaned_data["unblinded"] / 100}


@transaction.atomic
def set_rules(*, filter_: Filter, actor: Any, **values: Any) -> ReviewRules:
    """Tasks that wait already keep what they were opened with; blinding and the threshold count from the next turn."""
    rules = ReviewRules.objects.select_for_update().filter(filter=filter_).first() or ReviewRules(filter=filter_)
    before = _values(rules)
    for name in FIELDS:
        setattr(rules, name, values[name])
    if rules.pk is None or before != _values(rules):
        rules.save()
        record(actor, "review rules changed", filter_, before=before, after=_values(rules))
    return rules


def _values(rules: ReviewRules) -> dict[str, Any]:
    return {name: getattr(rules, name) for name in FIELDS}
