"""Forms of labelling and import: they check what a person typed and call one service."""

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from labeling import services
from labeling.articles.article_files import read_rows
from labeling.models import Filter

MAX_UPLOAD = 32 * 1024 * 1024


class FilterField(forms.ModelChoiceField):
    """A choice of filters by their names."""

    def __init__(self, **options: Any):
        super().__init__(Filter.objects.all(), **options)

    def label_from_instance(self, obj: Filter) -> str:
        return obj.name


class BudgetForm(forms.Form):
    budget_usd = forms.DecimalField(
        min_value=Decimal("0.01"),
        max_digits=12,
        decimal_places=6,
        required=False,
        label="Cap in USD",
        error_messages={"invalid": "The cap must be an amount in dollars, such as 5."},
    )


class ImportForm(forms.Form):
    """A file of articles; rows with scores become labels of a named oracle when a filter is given."""

    file = forms.FileField(help_text="JSONL or CSV with id, title, text (or content), url, source, published_date, language.")
    source = forms.CharField(max_length=80, help_text="Where these articles come from; rows with a source of their own keep it.")
    filter = FilterField(
        required=False,
        empty_label="the file has no scores",
        label="Scores belong to",
        help_text="Rows may carry scores ({dimension: 0–10}) and reasoning from an oracle asked elsewhere.",
    )
    oracle = forms.CharField(max_length=120, required=False, label="Who gave these scores")

    def clean_file(self) -> UploadedFile:
        file = self.cleaned_data["file"]
        if file.size > MAX_UPLOAD:
            raise forms.ValidationError(
                f"This page takes files up to {MAX_UPLOAD >> 20} MB; python manage.py import_articles FILE takes any size."
            )
        return file

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("filter") and not values.get("oracle"):
            self.add_error("oracle", "Name the oracle that gave the scores, so that they never mix with another's.")
        return values

    def load(self, *, actor: Any) -> dict[str, services.ImportReport]:
        """What became of the rows: {"articles": report, "labels": report}. Raises BadInput when the file is no use."""
        values = self.cleaned_data
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"upload{Path(values['file'].name).suffix}"
            path.write_bytes(values["file"].read())
            reports = {"articles": services.import_articles(source=values["source"], rows=read_rows(path), actor=actor)}
            if values["filter"]:
                oracle = services.get_oracle(provider=services.EXTERNAL, model=values["oracle"])
                reports["labels"] = services.import_external_labels(
                    version=values["filter"].latest,
                    oracle=oracle,
                    source=values["source"],
                    rows=read_rows(path),
                    actor=actor,
                )
        return reports
