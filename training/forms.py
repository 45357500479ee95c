"""What people fill in to freeze a data set and to draw likely articles; to start a training: train_form."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from distillery_site.common.text import canonical_hash
from labeling.models import Decision, FilterVersion, LabelingRun, Oracle, OracleLabel, Review
from labeling.planning.label_form import MODES, PlannedForm
from training.enrichment import SMALLEST, USUAL_SIZE
from training.freezing.people import People


def labelled_versions() -> QuerySet[FilterVersion]:
    """Every rubric that any oracle has labelled by, the newest of a filter first."""
    labelled = OracleLabel.objects.order_by().values("version").distinct()
    return FilterVersion.objects.filter(pk__in=labelled).select_related("filter").order_by("filter__slug", "-number")


def _anybody_spoke() -> bool:
    return Review.objects.exists() or Decision.objects.exists()


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
    people = forms.ChoiceField(
        choices=People.choices,
        required=False,
        widget=forms.RadioSelect,
        label="People's word",
        help_text="Where people have scored an article and agree, or a lead decided. The oracle's label stays as it is, and the "
        "data set says how many targets were changed.",
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
        self.initial.setdefault("people", People.OVERRIDE if _anybody_spoke() else People.IGNORE)

    def clean_people(self) -> str:
        return self.cleaned_data["people"] or People.IGNORE.value

    def request(self) -> dict[str, Any]:
        """The form as freeze's arguments."""
        data = dict(self.cleaned_data)
        val, test = data.pop("val_share"), data.pop("test_share")
        data["versions"], data["others"] = list(data["versions"]), [one for one in data["others"] if one != data["oracle"]]
        return {**data, "fractions": (round(1 - val - test, 6), val, test)}
