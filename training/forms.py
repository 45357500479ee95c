"""What people fill in to freeze a data set and to start a training run."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from distillery_site.common.errors import BadInput
from distillery_site.common.text import canonical_hash
from labeling.models import FilterVersion, LabelingRun, Oracle, OracleLabel
from labeling.planning.label_form import MODES, PlannedForm
from training.enrichment import SMALLEST, USUAL_SIZE
from training.models import Dataset, Kind, ModelVersion
from training.student import config

PRESETS = (
    ("", "The kind's own defaults"),
    ("minilm-demo", "minilm-demo: MiniLM, 256 tokens, half an hour on two cores"),
    ("qwen2.5-1.5b", "qwen2.5-1.5b: Qwen 2.5 with 1.5 billion parameters, needs a GPU"),
    ("seed-faithful", "seed-faithful: the settings this began with, for comparison only"),
)


def labelled_versions() -> QuerySet[FilterVersion]:
    """Every rubric that any oracle has labelled by, the newest of a filter first."""
    labelled = OracleLabel.objects.order_by().values("version").distinct()
    return FilterVersion.objects.filter(pk__in=labelled).select_related("filter").order_by("filter__slug", "-number")


class EnrichForm(PlannedForm):
    """How many articles an enriched run takes, and how they are asked."""

    size = forms.IntegerField(
        min_value=SMALLEST, initial=USUAL_SIZE, label="How many articles", help_text="A fifth of them is drawn unscreened."
    )
    mode = forms.ChoiceField(choices=MODES, widget=forms.RadioSelect, initial="direct", label="How")
    seed = forms.IntegerField(min_value=0, initial=0, required=False, help_text="The same seed draws the same articles.")

    def wish(self, pilot: LabelingRun) -> str:
        """Names what was asked for, so that a plan for something else doesn't hold for it."""
        values = self.cleaned_data
        return canonical_hash(["enrich", pilot.pk, values["size"], values["mode"], values["seed"]])


class FreezeForm(forms.Form):
    """Everything of `training.datasets.freeze` that a person decides."""

    name = forms.SlugField(max_length=80, help_text="Letters, digits, hyphens and underscores; it can't be changed later.")
    versions = forms.ModelMultipleChoiceField(
        FilterVersion.objects.none(),
        label="Filters",
        widget=forms.CheckboxSelectMultiple,
        help_text="One student can learn several filters at once, if they show their readers the same part of an article.",
    )
    oracle = forms.ModelChoiceField(Oracle.objects.order_by("pk"), empty_label=None, help_text="Whose labels are the targets.")
    reading = forms.IntegerField(min_value=1, initial=1, help_text="1 is the first reading; later ones measure the oracle.")
    mean_of_readings = forms.BooleanField(
        required=False,
        label="Take the mean of all readings",
        help_text="Where the oracle has read an article several times its noise averages out; elsewhere it is the one reading.",
    )
    mix = forms.BooleanField(
        required=False,
        label="Mix rubrics, oracles and prompts",
        help_text="Without this a filter's labels come from one rubric, one oracle and the prompt it was asked with most. "
        "With it earlier versions, further oracles and other prompts fill up what is missing, and the data set says how many.",
    )
    others = forms.ModelMultipleChoiceField(
        Oracle.objects.order_by("pk"),
        required=False,
        label="Further oracles",
        widget=forms.CheckboxSelectMultiple,
        help_text="Only when mixing: for articles that the oracle above has not read, in this order.",
    )
    size = forms.IntegerField(min_value=1, required=False, help_text="Articles to draw at random. Empty: all that are labelled.")
    val_share = forms.FloatField(
        label="Validation share", min_value=0.01, max_value=0.5, initial=0.1, help_text="What recipes and epochs are chosen by."
    )
    test_share = forms.FloatField(
        label="Test share", min_value=0.01, max_value=0.5, initial=0.1, help_text="Nothing is chosen by it; opened once a recipe."
    )
    seed = forms.IntegerField(min_value=0, max_value=2**31 - 1, initial=0, help_text="Same seed and labels, same data set.")

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["versions"].queryset = labelled_versions()  # type: ignore[attr-defined]

    def request(self) -> dict[str, Any]:
        """The form as freeze's arguments."""
        data = dict(self.cleaned_data)
        val, test = data.pop("val_share"), data.pop("test_share")
        data["versions"], data["others"] = list(data["versions"]), [one for one in data["others"] if one != data["oracle"]]
        return {**data, "fractions": (round(1 - val - test, 6), val, test)}


class TrainForm(forms.Form):
    """Everything of `training.services.start_training` that a person decides."""

    dataset = forms.ModelChoiceField(Dataset.objects.order_by("-pk"), label="Data set", to_field_name="name", empty_label=None)
    kind = forms.ChoiceField(
        choices=[
            (Kind.RIDGE, "ridge: word counts and linear regression; seconds, and an honest baseline"),
            (Kind.LORA, "LoRA: adapts a pretrained language model; minutes to hours"),
            (Kind.STACK, "stack: weighs the answers of other students; seconds"),
        ],
        widget=forms.RadioSelect,
        initial=Kind.RIDGE,
    )
    preset = forms.ChoiceField(choices=PRESETS, required=False, help_text="For LoRA only.")
    parents = forms.ModelMultipleChoiceField(
        ModelVersion.objects.order_by("-pk"),
        required=False,
        label="Members",
        widget=forms.CheckboxSelectMultiple,
        help_text="For a stack only. None chosen: the newest ridge and LoRA students of the data set.",
    )
    name = forms.SlugField(
        max_length=80, required=False, label="Name of the student", help_text="Empty: named after the data set and the kind."
    )
    config = forms.CharField(
        required=False,
        label="Other options",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "code"}),
        help_text='As JSON, where they differ from the preset: {"epochs": 2, "max_tokens": 128}.',
    )

    def clean_config(self) -> dict[str, Any]:
        text = self.cleaned_data["config"].strip()
        try:
            options = json.loads(text or "{}")
        except json.JSONDecodeError as problem:
            raise ValidationError(f"This is no JSON: {problem.msg} at character {problem.pos}.") from None
        if not isinstance(options, dict):
            raise ValidationError('The options must be an object, such as {"epochs": 2}.')
        return options

    def clean(self) -> dict[str, Any]:
        """Show every problem of the options at once, before a run is made of them."""
        data = super().clean() or {}
        if not self.errors:
            try:
                config.make(data["kind"], {"preset": data["preset"], **data["config"]})
            except BadInput as problem:
                self.add_error("preset" if problem.problems[0].startswith("There is no preset") else "config", problem.problems)
        return data

    def request(self) -> dict[str, Any]:
        """The form as start_training's arguments."""
        return {**self.cleaned_data, "name": self.cleaned_data["name"] or None, "parents": list(self.cleaned_data["parents"])}
