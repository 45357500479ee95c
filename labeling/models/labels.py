"""What oracles said."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from distillery_site.common.runs import Money
from distillery_site.common.text import canonical_hash
from labeling.models.articles import Article
from labeling.models.filters import FilterVersion
from labeling.models.runs import LabelingRun, Oracle, OracleCall


class OracleLabelQuerySet(models.QuerySet):
    def first_readings(self) -> Self:
        return self.filter(reading=1)

    def current(self) -> Self:
        """Those of the text as it is now, not of one edited since."""
        return self.filter(text_sha256=F("article__text_sha256"))


class OracleLabel(models.Model):
    """One judgement: scores in the rubric's order, null stays null, with all that made it."""

    run = models.ForeignKey(LabelingRun, models.PROTECT, null=True, blank=True, related_name="labels")
    call = models.ForeignKey(OracleCall, models.PROTECT, null=True, blank=True, related_name="labels")
    version = models.ForeignKey(FilterVersion, models.PROTECT, related_name="labels")
    article = models.ForeignKey(Article, models.PROTECT, related_name="labels")
    oracle = models.ForeignKey(Oracle, models.PROTECT, related_name="labels")
    reading = models.PositiveSmallIntegerField(default=1)
    scores = ArrayField(models.FloatField(null=True))
    reasoning = models.TextField(blank=True)
    evidence = models.JSONField(default=list, blank=True, help_text="Quotes it gave: [{quote, found}].")
    raw_answer = models.TextField(blank=True)
    flags = models.JSONField(default=list, blank=True)
    text_sha256 = models.CharField(max_length=64)
    rubric_hash = models.CharField(max_length=64)
    prompt_hash = models.CharField(
        max_length=64, blank=True, help_text="Of the very words and schema it was asked with; empty where they are not known."
    )
    request_hash = models.CharField(max_length=64, help_text="Text, rubric and prompt, model and parameters, reading number.")
    request_id = models.CharField(max_length=120, blank=True)
    response_model = models.CharField(max_length=120, blank=True)
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cost_usd = Money(default=0, help_text="Its share of its call.")
    seconds = models.FloatField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OracleLabelQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="label_once", fields=["version", "article", "oracle", "reading", "text_sha256", "prompt_hash"]
            ),
            models.UniqueConstraint(name="label_request_once", fields=["version", "article", "request_hash"]),
        ]
        indexes = [
            models.Index(name="label_by_version", fields=["version", "oracle", "reading"]),  # freeze, distributions
            models.Index(name="label_flagged", fields=["run"], condition=~Q(flags=[])),  # a run's few labels with a flag
        ]

    def __str__(self) -> str:
        return f"reading {self.reading} of article {self.article_id} by {self.oracle}"

    @staticmethod
    def request_hash_of(text_sha256: str, version: FilterVersion, prompt_hash: str, oracle: Oracle, reading: int) -> str:
        """Names a question: whoever asked it before has the answer already."""
        prompt = [prompt_hash] if prompt_hash else []
        return canonical_hash([text_sha256, version.rubric_hash, oracle.identity, reading, *prompt])
