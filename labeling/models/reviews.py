"""What people are asked, and what they say."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from labeling.models.articles import Article
from labeling.models.filters import FilterVersion


class ReviewTask(models.Model):
    """A label that a person should look at, and why."""

    class Reason(models.TextChoices):
        RANDOM = "random", "random sample"
        READINGS = "readings", "the oracle's readings differ"
        ORACLES = "oracles", "two oracles differ"
        WORST = "worst", "the student's worst error"
        SENT = "sent", "sent by a person"

    version = models.ForeignKey(FilterVersion, models.PROTECT, related_name="review_tasks")
    article = models.ForeignKey(Article, models.PROTECT, related_name="review_tasks")
    reason = models.CharField(max_length=12, choices=Reason)
    detail = models.CharField(max_length=300, blank=True)
    priority = models.FloatField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_open_task", fields=["version", "article"], condition=Q(done_at=None)),
        ]
        indexes = [models.Index(name="open_tasks", fields=["version", "-priority"], condition=Q(done_at=None))]  # the queue

    def __str__(self) -> str:
        return f"review task {self.pk}"


class Review(models.Model):
    """What one person says of one article; the oracle's label stays beside it."""

    task = models.ForeignKey(ReviewTask, models.PROTECT, related_name="reviews")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="reviews")
    scores = ArrayField(models.FloatField(null=True))
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(name="review_once", fields=["task", "reviewer"])]

    def __str__(self) -> str:
        return f"{self.reviewer} on review task {self.task_id}"
