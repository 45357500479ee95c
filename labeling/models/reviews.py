"""What people are asked, whose turn it is, what they say, and what a lead decides where they differ."""

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from labeling.models.articles import Article
from labeling.models.filters import Filter, FilterVersion


class ReviewRules(models.Model):
    """How a filter's articles are reviewed. A filter without a row of its own goes by the defaults."""

    filter = models.OneToOneField(Filter, models.CASCADE, related_name="review_rules")
    reviewers = models.PositiveSmallIntegerField(default=1, help_text="People who score an article, each without the others.")
    unblinded = models.FloatField(
        default=0.1, help_text="Share of turns, drawn at random, that show the oracle's scores at once: they measure anchoring."
    )
    threshold = models.FloatField(default=2.0, help_text="Points that two people may lie apart before a lead decides.")
    due_days = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Days until a new task is due; empty: never.")

    class Meta:
        verbose_name_plural = "review rules"
        constraints = [
            models.CheckConstraint(name="reviewrules_share", condition=Q(unblinded__gte=0, unblinded__lte=1)),
            models.CheckConstraint(name="reviewrules_threshold", condition=Q(threshold__gt=0, threshold__lte=10)),
            models.CheckConstraint(name="reviewrules_reviewers", condition=Q(reviewers__gte=1)),
        ]

    def __str__(self) -> str:
        return f"review rules of {self.filter}"

    @classmethod
    def of(cls, filter_: Filter) -> "ReviewRules":
        """The filter's own, or the defaults, unsaved."""
        return cls.objects.filter(filter=filter_).first() or cls(filter=filter_)


class FilterAccess(models.Model):
    """A person may review or lead this filter. Operators and admins need no row; reviewers and leads see nothing without."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="filter_access")
    filter = models.ForeignKey(Filter, models.CASCADE, related_name="access")

    class Meta:
        verbose_name_plural = "filter access"
        constraints = [models.UniqueConstraint(name="access_once", fields=["user", "filter"])]

    def __str__(self) -> str:
        return f"{self.user} on {self.filter}"


class ReviewTaskQuerySet(models.QuerySet):
    def open(self) -> Self:
        return self.filter(done_at=None)

    def in_order(self) -> Self:
        """What is due first of all, then the weightiest; ties as they came."""
        return self.order_by(F("due_at").asc(nulls_last=True), "-priority", "pk")

    def overdue(self) -> Self:
        return self.open().filter(due_at__lt=timezone.now())

    def free_for(self, reviewer: object) -> Self:
        """Open tasks with a place left that this person has neither reviewed, skipped nor been kept from.

        A place is taken by a review and by somebody's running lease; one's own lease leaves the task one's own.
        """
        own = ReviewTurn.objects.filter(task=OuterRef("pk"), reviewer=reviewer).exclude(review=None, skipped_at=None)
        said = Review.objects.filter(task=OuterRef("pk"), reviewer=reviewer)  # with a turn or, from a command, without one
        held = ReviewTurn.objects.filter(review=None, skipped_at=None, lease_until__gt=timezone.now()).exclude(reviewer=reviewer)
        taken = _number_at_task(Review.objects.all()) + _number_at_task(held)
        # Asked row by row, in the order of the queue: the first that fits is found without a look at the others.
        return self.open().filter(~Exists(own), ~Exists(said)).alias(taken=taken).filter(taken__lt=F("wanted"))


def _number_at_task(rows: models.QuerySet) -> Coalesce:
    """How many of these belong to the task at hand."""
    counted = rows.filter(task=OuterRef("pk")).order_by().values("task").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)


class ReviewTask(models.Model):
    """An article that people should score, and why."""

    class Reason(models.TextChoices):
        RANDOM = "random", "random sample"
        READINGS = "readings", "the oracle's readings differ"
        ORACLES = "oracles", "two oracles differ"
        WORST = "worst", "the student's worst error"
        SENT = "sent", "sent by a person"
        GAP = "gap", "student and oracle differ"
        WIDE = "wide", "the student is unsure"
        QUOTES = "quotes", "a quote isn't in the article"
        TIER = "tier", "near a tier's boundary"
        BLOCKED = "blocked", "stopped by the prefilter"
        SUSPECT = "suspect", "the label looks wrong"
        MOVER = "mover", "two students differ"

    version = models.ForeignKey(FilterVersion, models.PROTECT, related_name="review_tasks")
    article = models.ForeignKey(Article, models.PROTECT, related_name="review_tasks")
    reason = models.CharField(max_length=12, choices=Reason)
    detail = models.CharField(max_length=300, blank=True)
    priority = models.FloatField(default=0)
    wanted = models.PositiveSmallIntegerField(default=1, help_text="People who are to score it.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    due_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    objects = ReviewTaskQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_open_task", fields=["version", "article"], condition=Q(done_at=None)),
            models.CheckConstraint(name="task_wants_somebody", condition=Q(wanted__gte=1)),
        ]
        indexes = [
            models.Index(  # ReviewTaskQuerySet.in_order
                F("version"), F("due_at").asc(nulls_last=True), F("priority").desc(), F("id"),
                name="open_tasks", condition=Q(done_at=None),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"review task {self.pk}"


class Review(models.Model):
    """What one person says of one article; the oracle's label stays beside it.

    `scores` are those given first, never changed; `final` are those that stood after the oracle's were shown.
    """

    task = models.ForeignKey(ReviewTask, models.PROTECT, related_name="reviews")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="reviews")
    scores = ArrayField(models.FloatField(null=True))
    final = ArrayField(models.FloatField(null=True), null=True, blank=True)
    final_at = models.DateTimeField(null=True, blank=True)
    comment = models.TextField(blank=True)
    evidence = models.JSONField(default=list, blank=True, help_text="Passages that speak for a score: [{dimension, quote}].")
    blind = models.BooleanField(default=True, help_text="Given before the oracle's scores were shown.")
    seconds = models.FloatField(null=True, help_text="From opening the article to the scores, as the browser measured.")
    submission = models.UUIDField(null=True, unique=True, help_text="Named by the browser: sent twice, it is kept once.")
    text_sha256 = models.CharField(max_length=64, blank=True, help_text="Of the text that was read.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="review_once", fields=["task", "reviewer"]),
            models.CheckConstraint(
                name="review_final_has_time",
                condition=Q(final__isnull=True, final_at__isnull=True) | Q(final__isnull=False, final_at__isnull=False),
            ),
        ]
        indexes = [models.Index(name="reviews_by_person", fields=["reviewer", "-created_at"])]  # pace, drift

    def __str__(self) -> str:
        return f"{self.reviewer} on review task {self.task_id}"

    @property
    def said(self) -> list[float | None]:
        """The scores that stand."""
        return self.scores if self.final is None else self.final


class ReviewTurn(models.Model):
    """A person's turn at a task: nobody gets it by accident while the lease runs, and whether it is blind is drawn once."""

    task = models.ForeignKey(ReviewTask, models.CASCADE, related_name="turns")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="review_turns")
    blind = models.BooleanField(default=True)
    opened_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField()
    skipped_at = models.DateTimeField(null=True, blank=True)
    skip_reason = models.CharField(max_length=300, blank=True)
    review = models.OneToOneField(Review, models.SET_NULL, null=True, blank=True, related_name="turn")

    class Meta:
        constraints = [models.UniqueConstraint(name="turn_once", fields=["task", "reviewer"])]
        indexes = [
            models.Index(name="turns_running", fields=["reviewer", "lease_until"], condition=Q(review=None, skipped_at=None))
        ]

    def __str__(self) -> str:
        return f"{self.reviewer}'s turn at review task {self.task_id}"


class Decision(models.Model):
    """A lead's word on an article: gold. Rows are only added; the newest of an article counts."""

    version = models.ForeignKey(FilterVersion, models.PROTECT, related_name="decisions")
    article = models.ForeignKey(Article, models.PROTECT, related_name="decisions")
    task = models.ForeignKey(ReviewTask, models.PROTECT, null=True, blank=True, related_name="decisions")
    lead = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="decisions")
    scores = ArrayField(models.FloatField(null=True))
    why = models.TextField(blank=True)
    guideline = models.BooleanField(default=False, help_text="Shown on the guidelines page as a decided case.")
    text_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [models.Index(name="decisions_newest", fields=["version", "article", "-id"])]  # gold labels

    def __str__(self) -> str:
        return f"decision on article {self.article_id} for {self.version}"
