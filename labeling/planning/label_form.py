"""The form that starts a labelling run: which filter, which oracle, which articles; then a look at the plan, a cap and a yes."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core import signing

from distillery_site.common.errors import BadInput
from labeling.forms import BudgetForm, FilterField
from labeling.models import Filter, LabelingRun
from labeling.oracles import registry
from labeling.planning.pilots import SIZE
from labeling.planning.plans import Plan
from labeling.planning.wanted import Kind, Mode, Wanted, newest, read_params
from labeling.services import name_oracle
from labeling.watching.providers import NAMES

PLAN_SECONDS = 24 * 3600
SALT = "labelling plan"
DRAWS = (
    ("pilot", f"A pilot: {SIZE} at random, and a report on them"),
    ("all", "All that passed the prefilter"),
    ("some", "A random sample"),
)
MODES = (("direct", "Directly: answers come at once"), ("batch", "In batches: mostly half the price, within a day"))


class FiltersField(forms.ModelMultipleChoiceField):
    def label_from_instance(self, obj: Filter) -> str:
        return obj.name


class PlannedForm(BudgetForm):
    """What starts a run after a look at its plan: a cap, consent, and the plan itself, which only we can have made."""

    agree = forms.BooleanField(required=False, label="I agree")
    plan = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        cap = self.fields["budget_usd"]
        cap.error_messages["min_value"] = "A cap of less than a cent lets nothing be asked; give an amount such as 5."

    def looked_at(self, wish: str) -> dict[str, Any] | None:
        """The plan that came with a valid form, if it was made for this very wish."""
        try:
            sent = signing.loads(self.cleaned_data["plan"], salt=SALT, max_age=PLAN_SECONDS)
        except signing.BadSignature:
            return None
        return sent["plan"] if sent["for"] == wish else None

    def may_start(self, plan: dict[str, Any]) -> bool:
        """Whether everything that the plan asks for was given; what was not is said at its field."""
        cap, call = self.cleaned_data["budget_usd"], plan["worst_call_usd"]
        if plan["departure"]["asks"] and plan["ask"] and not self.cleaned_data["agree"]:
            self.add_error("agree", "Nothing is sent before you agree to it.")
        if call and not cap:
            self.add_error("budget_usd", "Give a cap in USD: the run stops before it could pass it.")
        elif call > float(cap or 0):
            self.add_error("budget_usd", f"One call could cost ${call:.4f}, so nothing could be asked under this cap.")
        return not self.errors

    def planned(self, plan: Plan, wish: str) -> dict[str, Any]:
        """What a page shows of a plan for this wish; the person's own cap stays, the last plan's suggestion doesn't."""
        typed, suggested = self.cleaned_data.get("budget_usd"), plain(plan.cap_usd)
        own = typed is not None and plain(typed) != self.data.get("suggested", "")
        sealed = "" if plan.refusals else signing.dumps({"for": wish, "plan": plan.as_dict()}, salt=SALT, compress=True)
        return {"plan": plan, "cap": plain(typed) if own else suggested, "suggested": suggested, "sealed": sealed}


def plain(amount: Decimal | float | None) -> str:
    """As a number input takes it: 0.04, 11.00, and nothing for None; more decimals only where somebody typed them."""
    if amount is None:
        return ""
    exact = Decimal(str(amount))
    return f"{exact:.2f}" if exact == round(exact, 2) else f"{exact.normalize():f}"


class LabelForm(PlannedForm):
    """`wanted` is what the choices come to."""

    filter = FilterField(empty_label=None)
    also = FiltersField(
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

    @property
    def several(self) -> bool:
        """Whether there is anything to ask in the same prompt."""
        return Filter.objects.count() > 1

    def clean_also(self) -> list[Filter]:
        return [one for one in self.cleaned_data["also"] if one != self.cleaned_data.get("filter")]

    def clean_params(self) -> dict[str, Any]:
        try:
            return read_params(self.cleaned_data["params"].replace(",", " ").split())
        except BadInput as error:
            raise forms.ValidationError(error.problems) from None

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


def initial_of(run: LabelingRun) -> dict[str, Any]:
    """The same oracle and filters once more, over all articles: what follows a pilot."""
    usual = registry.provider(run.oracle.provider)
    own = {name: value for name, value in run.oracle.params.items() if name != "host" and usual.defaults.get(name) != value}
    return {
        "filter": run.version.filter,
        "also": [version.filter for version in run.versions[1:]],
        "provider": run.oracle.provider,
        "model": "" if run.oracle.model == usual.default_model else run.oracle.model,
        "params": " ".join(f"{name}={value}" for name, value in own.items()),
        "draw": "all",
        "mode": run.mode,
    }
