"""The form that starts a training: the options that matter as fields, all others as lines; its words come from the options."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from distillery_site.common.errors import BadInput
from training.as_typed import option_line, read_option
from training.models import Dataset, Kind, ModelVersion, TrainingRun
from training.student import config
from training.student.bases import store

PRESETS = (
    ("", "The kind's own defaults"),
    ("minilm-demo", "minilm-demo: MiniLM, 256 tokens, half an hour on two cores"),
    ("qwen2.5-1.5b", "qwen2.5-1.5b: Qwen 2.5 with 1.5 billion parameters, needs a GPU"),
    ("seed-faithful", "seed-faithful: the settings this began with, for comparison only"),
)
MATTER = ("base", "epochs", "learning_rate", "batch_size", "max_tokens", "loss", "truncation", "instruction")
_LORA = config.LoraConfig()


class TrainForm(forms.Form):
    """Everything of `training.services.start_training` that a person decides."""

    dataset = forms.ModelChoiceField(Dataset.objects.order_by("-pk"), label="Data set", to_field_name="name", empty_label=None)
    kind = forms.ChoiceField(
        label="Kind of student",
        choices=[
            (Kind.RIDGE, "Ridge: word counts and linear regression; seconds, and the baseline that others have to beat"),
            (Kind.KERNEL, "Kernel: compares articles as a pretrained language model sees them; minutes"),
            (Kind.LORA, "LoRA: a pretrained language model that learns in small adapters; minutes to hours"),
            (Kind.STACK, "Stack: weighs the answers of other students; seconds, and mostly a little better than each"),
        ],
        widget=forms.RadioSelect,
        initial=Kind.RIDGE,
    )
    preset = forms.ChoiceField(choices=PRESETS, required=False, help_text="Where the options below begin; each can be changed.")
    parents = forms.ModelMultipleChoiceField(
        ModelVersion.objects.filter(dataset__isnull=False).order_by("-pk"),
        required=False,
        label="Members",
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: the newest student of each kind that learned from the data set.",
    )
    name = forms.SlugField(
        max_length=80, required=False, label="Name of the student", help_text="Empty: named after the data set and the kind."
    )
    config = forms.CharField(
        required=False,
        label="Other options",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "code", "placeholder": "OPTION=VALUE"}),
        help_text="One a line, as the command takes them.",
    )

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        typed, preset = str(self["kind"].value()), self["preset"].value()
        self.chosen = typed if typed in config.KINDS else Kind.RIDGE.value
        defaults = config.make(self.chosen, {"preset": preset if self.has_presets and preset in config.PRESETS else ""})
        for name in MATTER:  # those of other kinds too: what was typed for one is refused beside it, not dropped
            of = type(defaults) if hasattr(defaults, name) else config.LoraConfig
            self.fields[name] = _field(name, of, getattr(defaults, name, getattr(_LORA, name)))

    @property
    def has_presets(self) -> bool:
        return self.chosen == Kind.LORA

    @property
    def of_kind(self) -> list[forms.BoundField]:
        """Fields of the chosen kind's options, and any with an error."""
        known = {option.name for option in fields(config.KINDS[self.chosen])}
        return [self[name] for name in MATTER if name in known or name in self.errors]

    @property
    def others(self) -> list[tuple[str, str]]:
        """[(a line with the default, what it does)] of the chosen kind's options that have no field."""
        return [(option_line(name, value), about) for name, value, about in config.describe(self.chosen) if name not in MATTER]

    def clean_config(self) -> dict[str, Any]:
        lines = [line for line in map(str.strip, self.cleaned_data["config"].splitlines()) if line]
        try:
            found = [read_option(line) for line in lines]
        except BadInput as problem:
            raise ValidationError(problem.problems) from None
        twice = {name for name, _ in found if [other for other, _ in found].count(name) > 1}
        if twice:
            raise ValidationError(f"{', '.join(sorted(twice))} is given more than once.")
        return dict(found)

    def clean(self) -> dict[str, Any]:
        """Show every problem of the options at once, each where it was typed, before a run is made of them."""
        data = super().clean() or {}
        if self.errors:
            return data
        typed = {name: value for name in MATTER if (value := data.pop(name)) not in (None, "")}
        twice = sorted(typed.keys() & data["config"].keys())
        if twice:
            self.add_error("config", f"{', '.join(twice)} is given above as well; say it once.")
            return data
        data["config"] = typed | data["config"]
        try:
            config.make(data["kind"], {"preset": data["preset"], **data["config"]})
        except BadInput as problem:
            self.refuse(problem)
        return data

    def refuse(self, problem: BadInput) -> None:
        """Put each sentence beside what it speaks of."""
        for sentence in problem.problems:
            self.add_error(self._place(sentence), sentence)

    def _place(self, sentence: str) -> str | None:
        if sentence.startswith("There is no preset"):
            return "preset"
        if re.search(r"stack|parents", sentence) and "option" not in sentence:
            return "parents"
        named = re.match(r"\w+ has no option '(\w+)'|(\w+)", sentence)
        name = (named[1] or named[2]) if named else ""
        return name if name in MATTER else "config" if named and (named[1] or name in _ALL) else None

    def request(self) -> dict[str, Any]:
        """The form as start_training's arguments."""
        return {**self.cleaned_data, "name": self.cleaned_data["name"] or None, "parents": list(self.cleaned_data["parents"])}


class OrAsThePresetHasIt(forms.ChoiceField):
    """Empty is the preset's value; that value named by itself is as good."""

    def __init__(self, *, default: str, said: str, rest: list[tuple[str, str]], **kwargs: Any):
        super().__init__(choices=[("", said), *rest], **kwargs)
        self.default = default

    def valid_value(self, value: Any) -> bool:
        return value == self.default or super().valid_value(value)


_ALL = {option.name for kind in config.KINDS.values() for option in fields(kind)}


def typed_for(run: TrainingRun) -> dict[str, Any]:
    """What a person would type into the form for the same run again."""
    return {
        "dataset": run.dataset.name,
        "kind": run.kind,
        "preset": run.preset,
        "name": run.model_name,
        "parents": [parent.pk for parent in run.parents.all()],
        "config": "\n".join(option_line(name, value) for name, value in run.config.items() if name not in MATTER),
        **{name: value for name, value in run.config.items() if name in MATTER},
    }


def _field(name: str, of: type[config.Config], default: Any) -> forms.Field:
    """An optional field for one option of a kind; empty means what the preset says."""
    about = next(option.metadata["about"] for option in fields(of) if option.name == name)
    kind, common = get_type_hints(of)[name], {"required": False, "label": name.replace("_", " ").capitalize(), "help_text": about}
    if name == "base":
        said, *rest = _bases(default)
        return OrAsThePresetHasIt(default=default, said=said[1], rest=rest, **{**common, "label": "Base model", "help_text": ""})
    if get_origin(kind) is Literal:
        rest = [(one, one) for one in get_args(kind) if one != default]
        return OrAsThePresetHasIt(default=default, said=default, rest=rest, **common)
    if kind is str:
        return forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), **common)
    hint = {"placeholder": f"{default:g}" if isinstance(default, float) else default, "step": "any"}
    number = forms.IntegerField if kind is int else forms.FloatField
    return number(widget=forms.NumberInput(attrs=hint), **common)


def _bases(default: str) -> list[tuple[str, str]]:
    """(name, words) of the base models that are on this machine or come by themselves at the start; the preset's first."""
    root = Path(settings.BASES_ROOT)
    said = {path.parent.name: path.parent.name for path in sorted(root.glob(f"*/{store.CARD}"))}
    for name, base in store.CATALOGUE.items():
        if base.source == "wheel" and name not in said:
            said[name] = f"{name} (fetched at the start, {base.bytes / 1e6:.0f} MB)"
    first = said.pop(default, f"{default} (not on this machine)")
    return [(default, first), *said.items()]
