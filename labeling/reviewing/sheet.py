"""The sheet that a person fills in for an article: a scale for each dimension, a remark, passages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from labeling.articles.judged import Column
from labeling.models import FilterVersion

CANT_SAY = "none"
HALVES = [place / 2 for place in range(21)]


def written(score: float | None) -> str:
    """As the form sends it: 7, 7.5, none."""
    return CANT_SAY if score is None else f"{score:g}"


class Sheet(forms.Form):
    """What a review page sends; what it says is checked in full by the services, with sentences."""

    comment = forms.CharField(required=False)
    evidence = forms.JSONField(required=False)
    seconds = forms.FloatField(required=False)
    submission = forms.UUIDField(required=False)
    read = forms.CharField(required=False)
    extra = forms.BooleanField(required=False)
    reviewer = forms.IntegerField(required=False)

    def __init__(self, *args: Any, version: FilterVersion, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.version = version
        choices = [(written(score), "") for score in [*HALVES, None]]
        said = {"required": "Choose a score.", "invalid_choice": "“%(value)s” isn't on the scale: 0 to 10, in half points."}
        self.places = {f"score-{key}": dimension for key, dimension in zip(version.keys, version.dimensions, strict=True)}
        for name in self.places:
            self.fields[name] = forms.ChoiceField(choices=choices, error_messages=said)

    def clean_evidence(self) -> list[Any]:
        said = self.cleaned_data["evidence"]
        if said is not None and not isinstance(said, list):
            raise forms.ValidationError("Evidence is a list of {dimension, quote}.")
        return said or []

    @property
    def scores(self) -> list[float | None]:
        said = [self.cleaned_data[name] for name in self.places]
        return [None if score == CANT_SAY else float(score) for score in said]

    @property
    def problems(self) -> list[str]:
        """Everything wrong with what was sent, each with its place."""
        return [
            f"{self.places[name]['name'] if name in self.places else name.capitalize()}: {problem}"
            for name, found in self.errors.items()
            for problem in found
        ]

    def typed(self) -> dict[str, str]:
        """The choices as they came, by dimension, for a sheet that is shown again."""
        return {dimension["key"]: self.data.get(name, "") for name, dimension in self.places.items()}


@dataclass(frozen=True)
class Step:
    """One key of a scale."""

    value: str
    half: bool


STEPS = [Step(written(score), score % 1 > 0) for score in HALVES]


@lru_cache(maxsize=512)
def keys(name: str) -> str:
    """The keys of one scale, none of them chosen: the same for every article, and half of a page's rendering time."""
    return render_to_string("labeling/_keys.html", {"name": name, "steps": STEPS})


@dataclass(frozen=True)
class Mark:
    """Where an oracle stands on a scale; `place` is in % of its width."""

    name: str
    reading: int
    score: float | None
    main: bool

    @property
    def place(self) -> float | None:
        return None if self.score is None else 100 * (self.score + 0.5) / 11


@dataclass(frozen=True)
class Scale:
    """A dimension with its keys; once they may be seen, with what oracles gave and what one gave first oneself."""

    dimension: dict[str, Any]
    chosen: str
    marks: list[Mark] = field(default_factory=list)
    first: str = ""
    problems: Sequence[str] = ()

    @property
    def name(self) -> str:
        return f"score-{self.dimension['key']}"

    @property
    def keys(self) -> SafeString:
        chosen = next((step.value for step in STEPS if step.value == self.chosen), None)
        key = f'value="{chosen}" required'
        return mark_safe(keys(self.name).replace(key, f"{key} checked"))  # noqa: S308 (a template's text and one of its own values)

    @property
    def anchors(self) -> list[tuple[str, str, float]]:
        """(as written, what it means, from which score on), from low to high: Postgres sorts keys by their length."""
        found = [(at, text, float(at.partition("-")[0])) for at, text in self.dimension["anchors"].items()]
        return sorted(found, key=lambda one: one[2])

    @property
    def apart(self) -> float | None:
        """Points above the oracle whose labels students learn from, by the score that was given first."""
        theirs = self.marks[0].score if self.marks else None
        return None if theirs is None or self.first in ("", CANT_SAY) else float(self.first) - theirs


def scales(
    version: FilterVersion,
    chosen: dict[str, str],
    *,
    oracles: Sequence[Column] = (),
    first: Sequence[float | None] = (),
    problems: Mapping[str, Sequence[str]] | None = None,
) -> list[Scale]:
    """One scale a dimension, in the rubric's order; `chosen` by dimension as the form would send it."""
    drawn = []
    for place, dimension in enumerate(version.dimensions):
        key = dimension["key"]
        marks = [Mark(one.name, one.reading, one.scores[place], number == 0) for number, one in enumerate(oracles)]
        said = written(first[place]) if first else ""
        drawn.append(Scale(dimension, chosen.get(key, ""), marks, said, (problems or {}).get(f"score-{key}", ())))
    return drawn
