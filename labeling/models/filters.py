"""Filters: what is asked of articles, and what is made of the answers."""

from django.db import models
from django.utils import timezone

from distillery_site.common.runs import Money
from distillery_site.common.text import canonical_hash

DEFAULT_VIEW = {"fields": ["title", "published", "text"], "max_words": 400}


def default_view() -> dict:
    return {"fields": list(DEFAULT_VIEW["fields"]), "max_words": DEFAULT_VIEW["max_words"]}


class Filter(models.Model):
    """A question asked of every article, such as "how uplifting is it?"."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    question = models.CharField(max_length=300, blank=True)
    budget_usd = Money(null=True, blank=True, help_text="Cap over all labelling of this filter; empty: none.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug

    @property
    def latest(self) -> "FilterVersion | None":
        return self.versions.order_by("-number").first()


class FilterVersion(models.Model):
    """A rubric: what exactly is asked. Immutable once a label hangs on it (a trigger in Postgres sees to it)."""

    filter = models.ForeignKey(Filter, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    dimensions = models.JSONField(help_text="Ordered list of {key, name, description, anchors: {score: text}}.")
    prompt = models.TextField()
    view = models.JSONField(default=default_view, help_text="{fields, max_words}: what oracle and student both read.")
    rubric_hash = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["filter", "number"]
        constraints = [
            models.UniqueConstraint(name="filterversion_number", fields=["filter", "number"]),
            models.UniqueConstraint(name="filterversion_rubric", fields=["filter", "rubric_hash"]),
        ]

    def __str__(self) -> str:
        return f"{self.filter.slug} v{self.number}"

    @property
    def keys(self) -> list[str]:
        return [dimension["key"] for dimension in self.dimensions]

    @staticmethod
    def hash_of(dimensions: list[dict], prompt: str, view: dict) -> str:
        return canonical_hash({"dimensions": dimensions, "prompt": prompt, "view": view})


class Policy(models.Model):
    """What is made of a version's raw scores: changed without relabelling, so versioned apart."""

    version = models.ForeignKey(FilterVersion, models.PROTECT, related_name="policies")
    number = models.PositiveIntegerField()
    weights = models.JSONField(help_text="{dimension: weight}, weights sum to 1.")
    tiers = models.JSONField(help_text="Ordered list of {name, min}, highest first; the last has min 0.")
    gatekeepers = models.JSONField(
        default=list, help_text="List of {dimension, min, cap, reason}: below min the average is capped."
    )
    caps = models.JSONField(default=list, help_text="List of {pattern, cap, reason}: text that matches caps the average.")
    prefilter = models.JSONField(default=dict, help_text="Declarative prefilter rules.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "policies"
        constraints = [models.UniqueConstraint(name="policy_number", fields=["version", "number"])]

    def __str__(self) -> str:
        return f"{self.version} policy {self.number}"
