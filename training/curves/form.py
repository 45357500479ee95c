"""What people choose for a learning curve, and what they ask of one that is drawn."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from distillery_site.common.errors import BadInput
from training.curves.figures import USUAL_MORE
from training.curves.price import choices
from training.models import Kind
from training.student import config
from training.student.curve import FEWEST_SEEDS, MOST_SEEDS, SEEDS, SHARES


class CurveForm(forms.Form):
    """Everything of `training.curves.start_curve` that a person decides."""

    kind = forms.ChoiceField(
        label="Student",
        choices=[
            (Kind.RIDGE, "ridge: a dozen students in some minutes, and mostly the same shape"),
            (Kind.KERNEL, "kernel: a frozen base reads each article once, then seconds a student"),
            (Kind.LORA, "LoRA: as many trainings as there are points, so hours"),
        ],
        widget=forms.RadioSelect,
        initial=Kind.RIDGE,
    )
    preset = forms.ChoiceField(
        choices=[("", "The kind's own defaults"), *((name, name) for name in config.PRESETS)], required=False
    )
    shares = forms.CharField(
        label="Shares in percent",
        initial=" ".join(f"{100 * share:g}" for share in SHARES),
        help_text="Of the training articles. 100 must be among them, and four at least.",
    )
    seeds = forms.IntegerField(
        min_value=FEWEST_SEEDS,
        max_value=MOST_SEEDS,
        initial=SEEDS,
        label="Orders",
        help_text="How often each share is drawn anew.",
    )
    config = forms.JSONField(
        required=False,
        label="Other options",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "code"}),
        help_text='As JSON, such as {"epochs": 2}.',
    )

    def clean_shares(self) -> list[float]:
        try:
            return [float(word) / 100 for word in self.cleaned_data["shares"].replace("%", " ").replace(",", " ").split()]
        except ValueError:
            raise ValidationError("Write percentages with spaces between them, such as 10 20 40 80 100.") from None

    def clean_config(self) -> dict[str, Any]:
        options = self.cleaned_data["config"] or {}
        if not isinstance(options, dict):
            raise ValidationError('The options must be an object, such as {"epochs": 2}.')
        return options

    def request(self) -> dict[str, Any]:
        """The form as start_curve's arguments."""
        values = dict(self.cleaned_data)
        preset = values.pop("preset")
        return {**values, "config": {**({"preset": preset} if preset else {}), **values["config"]}}

    def refuse(self, problem: BadInput) -> None:
        self.add_error(None, problem.problems)


class MoreForm(forms.Form):
    """How many more labels, and whose price."""

    more = forms.IntegerField(min_value=1, max_value=10_000_000, label="How many more labels?")
    oracle = forms.ChoiceField(required=False, label="At the price of")

    def __init__(self, data: Any, *, paid: bool):
        super().__init__({"more": USUAL_MORE, **data.dict()} if "more" not in data else data, auto_id="more_%s")
        none = "what labels cost so far" if paid else "nobody yet"
        self.fields["oracle"].choices = [("", none), *choices()]  # type: ignore[attr-defined]
