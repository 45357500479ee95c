"""The form that starts a labelling run: which filter, which oracle, which articles; then a look at the plan, a cap and a yes."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core import signing

from labeling.forms import BudgetForm, FilterField
from labeling.models import Filter, LabelingRun
from labeling.oracles import registry
from labeling.pilots import SIZE
from labeling.plans import Plan
from labeling.providers import NAMES
from labeling.services import name_oracle
from labeling.wanted import Kind, Mode, Wanted, newest

PLAN_SECONDS = 24 * 3600
SALT = "labelling plan"
DRAWS = (
    ("pilot", f"A pilot: {SIZE} at random, and a report on them"),
    ("all", "All that passed the prefilter"),
    ("some", "A random sample"),
)
MODES = (("direct", "Directly: answers come at once"), ("batch", "In batches: mostly half the price, within a day"))


class LabelForm(BudgetForm):
    """`wanted` is what the choices come to; the plan's fields (cap, consent, the plan itself) are filled in beside it."""

    filter = FilterField(empty_label=None)
    also = forms.ModelMultipleChoiceField(
        Filter.objects.all(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Asked in the same prompt",
        help_text="One question for several filters: cheaper, but what one asks may colour another.",
    )
    provider = forms.ChoiceField(choices=[(name, NAMES.get(name, name)) for name in registry.PROVIDERS])
    model = forms.CharField(required=False, max_length=120, help_text="Empty: the provider's usual one.")
    params = forms.CharField(
        required=False,
        max_length=300,
        label="Parameters",
        help_text="Such as effort=medium max_tokens=8000. Empty: the usual ones.",
    )
    draw = forms.ChoiceField(choices=DRAWS, widget=forms.RadioSelect, initial="pilot", label="Which articles")
    size = forms.IntegerField(
        min_value=1,
        required=False,
        label="How many",
        help_text="Of a random sample, or of a larger or smaller pilot.",
    )
    seed = forms.IntegerField(min_value=0, initial=0, required=False, help_text="The same seed draws the same articles.")
    mode = forms.ChoiceField(choices=MODES, widget=forms.RadioSelect, initial="direct", label="How")
    reading = forms.IntegerField(
        min_value=1, max_value=9, initial=1, required=False, help_text="2 asks again about articles that it has read once."
    )
    agree = forms.BooleanField(required=False, label="I agree")
    plan = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        cap = self.fields["budget_usd"]
        cap.error_messages["min_value"] = "A cap of less than a cent lets nothing be asked; give an amount such as 5."
        cap.widget.attrs.update(step="0.01", min="0.01")

    def clean_also(self) -> list[Filter]:
        return [one for one in self.cleaned_data["also"] if one != self.cleaned_data.get("filter")]

    def clean_params(self) -> dict[str, str | int]:
        pairs = [word.partition("=") for word in self.cleaned_data["params"].replace(",", " ").split()]
        if wrong := [name for name, equals, value in pairs if not (equals and value)]:
            raise forms.ValidationError(f"{wrong[0]!r} must look like NAME=VALUE.")
        return {name: int(value) if value.isdigit() else value for name, _, value in pairs}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("draw") == "some" and not values.get("size") and "size" not in self.errors:
            self.add_error("size", "Say how many articles.")
        return values

    def wanted(self) -> Wanted:
        """Of a valid form. Raises BadInput where a filter has no rubric."""
        values = self.cleaned_data
        return Wanted(
            version=newest(values["filter"]),
            oracle=name_oracle(provider=values["provider"], model=values["model"].strip(), params=values["params"]),
            also=tuple(newest(one) for one in values["also"]),
            mode=Mode(values["mode"]),
            kind=Kind.PILOT if values["draw"] == "pilot" else Kind.FULL,
            size=None if values["draw"] == "all" else values["size"],
            seed=values["seed"] or 0,
            reading=values["reading"] or 1,
        )

    def looked_at(self, wanted: Wanted) -> dict[str, Any] | None:
        """The plan that came with the form, if it was made for this very wish; it is signed, so nobody else made it."""
        try:
            sent = signing.loads(self.cleaned_data["plan"], salt=SALT, max_age=PLAN_SECONDS)
        except signing.BadSignature:
            return None
        return sent["plan"] if sent["for"] == wanted.key and sent["plan"]["articles"] == len(wanted.articles) else None


def sealed(wanted: Wanted, plan: Plan) -> str:
    """The plan, for the form to carry back."""
    return signing.dumps({"for": wanted.key, "plan": plan.as_dict()}, salt=SALT, compress=True)


def cap_to_show(plan: Plan, typed: Decimal | None, suggested: str) -> str:
    """What the person typed, unless it is the last plan's suggestion; else this plan's."""
    own = typed is not None and plain(typed) != suggested
    return plain(typed if own else plan.cap_usd)


def plain(amount: Decimal | float | None) -> str:
    """As a number input takes it: 0.04, 11, and nothing for None."""
    return "" if amount is None else f"{Decimal(str(amount)).normalize():f}"


def initial_of(run: LabelingRun) -> dict[str, Any]:
    """The same oracle and filters once more, over all articles: what follows a pilot."""
    usual = registry.provider(run.oracle.provider)
    own = {name: value for name, value in run.oracle.params.items() if usual.defaults.get(name) != value}
    return {
        "filter": run.version.filter,
        "also": [version.filter for version in run.versions[1:]],
        "provider": run.oracle.provider,
        "model": "" if run.oracle.model == usual.default_model else run.oracle.model,
        "params": " ".join(f"{name}={value}" for name, value in own.items()),
        "draw": "all",
        "mode": run.mode,
    }
