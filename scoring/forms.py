"""What people fill in to try a student and to make a key."""

from typing import Any

from django import forms
from django.conf import settings

from labeling.models import Article, Filter
from labeling.reviewing.policies import MOST, Queue
from scoring.queues import QUEUES
from training import lookup
from training.models import Dataset, Deployment, ModelVersion, Split


def served_filters() -> Any:
    return Filter.objects.filter(deployments__alias=Deployment.Alias.CHAMPION)


class TryForm(forms.Form):
    """An article to be scored by the champion of one filter, or of all of them."""

    filter = forms.ModelChoiceField(
        Filter.objects.none(), required=False, to_field_name="slug", empty_label="all that have a champion", label="Filter"
    )
    title = forms.CharField(max_length=1000, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    text = forms.CharField(widget=forms.Textarea(attrs={"rows": 12}))

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["filter"].queryset = served_filters()  # type: ignore[attr-defined]
        self.fields["text"].max_length = settings.SCORE_MAX_CHARACTERS  # type: ignore[attr-defined]

    def clean_text(self) -> str:
        text, most = self.cleaned_data["text"], settings.SCORE_MAX_CHARACTERS
        if len(text) > most:
            raise forms.ValidationError(f"The text has {len(text):,} characters; at most {most:,} can be scored at once.")
        return text

    @property
    def filters(self) -> list[Filter]:
        chosen = self.cleaned_data["filter"]
        return [chosen] if chosen else list(self.fields["filter"].queryset)  # type: ignore[attr-defined]

    @property
    def article(self) -> Article:
        """Never stored."""
        return Article(title=self.cleaned_data["title"], text=self.cleaned_data["text"])


class KeyForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="Which program will use it, so that you know it again.")
    days = forms.TypedChoiceField(
        choices=[("90", "90 days"), ("365", "a year"), ("30", "30 days"), ("", "until it is revoked")],
        coerce=int,
        empty_value=None,
        required=False,
        label="Valid for",
    )


class BenchmarkForm(forms.Form):
    """Which split a version is to be measured on, and of which data set where it isn't its own."""

    split = forms.ChoiceField(choices=[(Split.VAL, "validation"), (Split.TEST, "test")])
    dataset = forms.ModelChoiceField(Dataset.objects.all(), required=False, to_field_name="name")


class FillForm(forms.Form):
    """A policy, and how many articles it may add to the queue."""

    queue = forms.ChoiceField(
        choices=[(queue.name, queue.words) for queue in QUEUES.values()], label="What people should look at"
    )
    limit = forms.IntegerField(min_value=1, max_value=MOST, initial=20, label="How many articles")

    @property
    def chosen(self) -> Queue:
        return QUEUES[self.cleaned_data["queue"]]


class CompareForm(forms.Form):
    """Two versions, by their names in the registry, and the split to compare them on."""

    first = forms.TypedChoiceField(coerce=lookup.model, label="This version")
    second = forms.TypedChoiceField(coerce=lookup.model, label="beside that one")
    split = forms.ChoiceField(choices=[(Split.TEST, "test"), (Split.VAL, "validation")], required=False, label="on the split")
    filter = forms.ModelChoiceField(Filter.objects.all(), required=False, to_field_name="slug", widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        refs = [(model.ref, str(model)) for model in ModelVersion.objects.order_by("-pk")]
        for name in ("first", "second"):
            self.fields[name].choices = refs  # type: ignore[attr-defined]
        self.fields["second"].initial = refs[1][0] if len(refs) > 1 else None  # comparing one with itself tells nothing

    def clean_split(self) -> str:
        return self.cleaned_data["split"] or Split.TEST.value
