"""What a lead fills in to decide: a score for each dimension, the reason, and whether the case is to teach others."""

from typing import Any

from django import forms

from labeling.reviewing.deciding import Bench, Line, Score

CANT_SAY = "none"
CHOICES = [("", "–"), *((f"{place / 2:g}", f"{place / 2:g}") for place in range(21)), (CANT_SAY, "can't say")]


class DecideForm(forms.Form):
    """`bench` is what lies before the lead; fields begin as its lines say."""

    why = forms.CharField(
        required=False,
        label="Why",
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What in the article and in the rubric decides it. A case in the guidelines needs a reason.",
    )
    guideline = forms.BooleanField(required=False, label="Show it as a case in the guidelines")
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    text_sha256 = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, bench: Bench, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.bench = bench
        said = {"required": "Choose a score.", "invalid_choice": "“%(value)s” isn't on the scale: 0 to 10, in half points."}
        for line in bench.lines:
            start = _written(line.start, known=bench.decision is not None)
            self.fields[_name(line)] = forms.ChoiceField(
                choices=CHOICES, initial=start, error_messages=said, label=line.dimension["name"]
            )
        if bench.decision is not None:
            self.initial.update(why=bench.decision.why, guideline=bench.decision.guideline)

    @property
    def rows(self) -> list[tuple[Line, forms.BoundField]]:
        return [(line, self[_name(line)]) for line in self.bench.lines]

    @property
    def scores(self) -> list[float | None]:
        said = [self.cleaned_data[_name(line)] for line in self.bench.lines]
        return [None if score == CANT_SAY else float(score) for score in said]

    def request(self) -> dict[str, Any]:
        """The form as `decide`'s arguments; `seen` only where it is still what stands."""
        values, stands = self.cleaned_data, self.bench.decision
        seen = stands if stands is not None and stands.pk == values["seen"] else None
        words = {name: values[name] for name in ("why", "guideline", "text_sha256")}
        return {"version": self.bench.version, "article": self.bench.article, "scores": self.scores, "seen": seen, **words}


def _name(line: Line) -> str:
    return f"score-{line.dimension['key']}"


def _written(score: Score, *, known: bool) -> str:
    """As the choices have it; None is a choice of its own only where somebody has made it."""
    if score is None:
        return CANT_SAY if known else ""
    return f"{score:g}"
