"""How good a student is, measured, and every prediction the figures were computed from."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from distillery_site.common.runs import Run
from labeling.models import Article
from training.models import Dataset, ModelVersion, Split


class Benchmark(Run):
    """One version over one split of one data set; computed from stored predictions, bound to hashes.

    A version sees a split of a data set once: asking again returns the same row. The number of test
    benchmarks of a data set is therefore the number of times its test split was opened.
    """

    model = models.ForeignKey(ModelVersion, models.PROTECT, related_name="benchmarks")
    dataset = models.ForeignKey(Dataset, models.PROTECT, related_name="benchmarks")
    split = models.CharField(max_length=5, choices=Split)
    manifest_sha256 = models.CharField(max_length=64)
    dataset_fingerprint = models.CharField(max_length=64)
    report = models.JSONField(default=dict, help_text="Figures by output; see scoring.reports.")
    seconds_per_article = models.FloatField(null=True)

    class Meta(Run.Meta):
        constraints = [
            *Run.Meta.constraints,
            models.UniqueConstraint(name="benchmark_once", fields=["model", "dataset", "split"]),
            models.CheckConstraint(name="benchmark_held_out", condition=Q(split__in=("val", "test"))),
        ]

    def __str__(self) -> str:
        return f"benchmark of {self.model} on {self.dataset} ({self.split})"


class Prediction(models.Model):
    """A student's raw answer for one article of a benchmark, in the order of its outputs."""

    benchmark = models.ForeignKey(Benchmark, models.CASCADE, related_name="predictions")
    article = models.ForeignKey(Article, models.PROTECT, related_name="+")
    raw = ArrayField(models.FloatField())

    class Meta:
        constraints = [models.UniqueConstraint(name="prediction_once", fields=["benchmark", "article"])]

    def __str__(self) -> str:
        return f"prediction {self.pk}"
