"""Oracles, the runs in which they are asked, every single call, and the money."""

from decimal import Decimal
from typing import Self

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone

from distillery_site.common.runs import FINAL, Money, Run, RunQuerySet, RunState
from distillery_site.common.text import canonical_hash
from labeling.models.articles import Article
from labeling.models.filters import FilterVersion


class Oracle(models.Model):
    """A judge as used: provider, model and parameters. A change of any is another oracle."""

    name = models.CharField(max_length=120)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    params = models.JSONField(default=dict)
    about = models.TextField(blank=True, help_text="Where its judgements come from, in a sentence people see.")
    identity = models.CharField(max_length=64, unique=True, editable=False)

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def identity_of(provider: str, model: str, params: dict) -> str:
        return canonical_hash({"provider": provider, "model": model, "params": params})


class LabelingRun(Run):
    """One oracle reads a fixed list of articles by one rubric, or by several in one prompt.

    Its shards do the work and hold the leases; this row has the money, the progress and the state that people see.
    """

    class Mode(models.TextChoices):
        DIRECT = "direct", "direct"
        BATCH = "batch", "batch"

    class Kind(models.TextChoices):
        FULL = "full", "all"
        PILOT = "pilot", "pilot"
        ENRICHED = "enriched", "enriched"

    version = models.ForeignKey(FilterVersion, models.PROTECT, related_name="labeling_runs")
    also = models.ManyToManyField(
        FilterVersion, blank=True, related_name="joint_runs", help_text="Further rubrics asked in the same prompt."
    )
    oracle = models.ForeignKey(Oracle, models.PROTECT, related_name="runs")
    mode = models.CharField(max_length=6, choices=Mode, default=Mode.DIRECT)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.FULL)
    reading = models.PositiveSmallIntegerField(default=1)
    budget_usd = Money(null=True, blank=True)
    reserved_usd = Money(default=0, help_text="For calls that are out.")
    lost_usd = Money(default=0, help_text="Booked for calls whose reply never came.")
    sampling = models.JSONField(default=dict, blank=True, help_text="How the articles were drawn: {how, size, seed, …}.")
    plan = models.JSONField(default=dict, blank=True, help_text="What it was expected to cost, and by which price list.")
    agreed = models.JSONField(
        default=dict, blank=True, help_text="Who agreed that the articles leave this machine: {by, at, sentence}."
    )

    class Meta(Run.Meta):
        constraints = [
            models.CheckConstraint(name="labelingrun_state_known", condition=Q(state__in=RunState.values)),
            models.CheckConstraint(
                name="labelingrun_within_budget",
                condition=Q(budget_usd=None) | Q(budget_usd__gte=F("cost_usd") + F("reserved_usd") + F("lost_usd")),
            ),
        ]

    def __str__(self) -> str:
        return f"labelling run {self.pk}"

    @property
    def versions(self) -> list[FilterVersion]:
        """Every rubric of its prompt, the run's own first."""
        return [self.version, *self.also.select_related("filter").order_by("pk")] if self.pk else [self.version]

    @property
    def spent_usd(self) -> Decimal:
        """All that counts against the cap: paid, lost and out at the moment."""
        return self.cost_usd + self.lost_usd + self.reserved_usd

    def resume(self) -> bool:
        """Queue a paused, failed, cancelled or done run again, with its shards; what it finished stays."""
        fresh = {"state": RunState.QUEUED, "cancel_requested": False, "error": "", "finished_at": None, "not_before": None}
        with transaction.atomic():
            idle = LabelingRun.objects.filter(pk=self.pk).exclude(state__in=(RunState.QUEUED, RunState.RUNNING))
            resumed = idle.update(**fresh)
            if resumed:  # a shard that is still settling sees the run queued and goes on
                self.shards.exclude(state=RunState.RUNNING).update(**fresh, attempts=0)
        self.refresh_from_db()
        return resumed == 1

    def request_cancel(self) -> None:
        """Nothing new is asked from now on; shards at work settle what is out and stop."""
        with transaction.atomic():
            rows = LabelingRun.objects.filter(pk=self.pk)
            rows.exclude(state__in=FINAL).update(cancel_requested=True)
            idle = self.shards.filter(state__in=(RunState.QUEUED, RunState.PAUSED))
            if self.batches.unsettled().exists():
                idle.update(state=RunState.QUEUED, not_before=None)  # to call them back and keep what they answered
            else:
                idle.update(state=RunState.CANCELLED, finished_at=timezone.now())
            if not self.shards.exclude(state__in=FINAL).exists():
                rows.exclude(state__in=FINAL).update(state=RunState.CANCELLED, finished_at=timezone.now())
        self.refresh_from_db()


class LabelingShardQuerySet(RunQuerySet):
    def dead(self) -> Self:
        """At work by their own account, but nobody keeps them."""
        return self.filter(state=RunState.RUNNING, lease_until__lt=timezone.now())


class LabelingShard(Run):
    """One worker's part in a labelling run: the lease. It takes whatever articles of the run nobody else has."""

    run = models.ForeignKey(LabelingRun, models.CASCADE, related_name="shards")
    number = models.PositiveSmallIntegerField(default=1)

    objects = LabelingShardQuerySet.as_manager()

    class Meta(Run.Meta):
        constraints = [*Run.Meta.constraints, models.UniqueConstraint(name="shard_once", fields=["run", "number"])]

    def __str__(self) -> str:
        return f"shard {self.number} of labelling run {self.run_id}"


class LabelingBatchQuerySet(models.QuerySet):
    def unsettled(self) -> Self:
        return self.exclude(state__in=("stored", "lost"))


class LabelingBatch(models.Model):
    """Calls handed to the provider's batch service together; found again there by its marker when a reply was lost."""

    class State(models.TextChoices):
        BUILDING = "building", "being put together"
        SUBMITTING = "submitting", "being handed over"
        SUBMITTED = "submitted", "with the provider"
        STORED = "stored", "results stored"
        LOST = "lost", "never arrived"

    run = models.ForeignKey(LabelingRun, models.CASCADE, related_name="batches")
    marker = models.CharField(max_length=64, unique=True)
    provider_id = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.BUILDING)
    requests = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    submitted_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    answered = models.PositiveIntegerField(default=0)
    note = models.CharField(max_length=300, blank=True)

    objects = LabelingBatchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "labeling batches"
        constraints = [
            models.CheckConstraint(name="batch_submitted_has_id", condition=~Q(state="submitted") | ~Q(provider_id="")),
        ]

    def __str__(self) -> str:
        return f"batch {self.provider_id or self.marker} of labelling run {self.run_id}"


class LabelingItem(models.Model):
    """One article of a run and what became of it; `shard` is set while a worker has it."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        LABELLED = "labelled", "labelled"
        STORED = "stored", "answered from what was stored"
        ABSENT = "absent", "no recording"
        FAILED = "failed", "failed"

    class Drawn(models.TextChoices):
        RANDOM = "random", "at random"
        ENRICHED = "enriched", "as a likely positive"

    run = models.ForeignKey(LabelingRun, models.CASCADE, related_name="items")
    article = models.ForeignKey(Article, models.PROTECT, related_name="+")
    shard = models.ForeignKey(LabelingShard, models.SET_NULL, null=True, blank=True, related_name="items")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Answers that were no label; decides when to give up.")
    room = models.PositiveSmallIntegerField(default=0, help_text="How often its token limit was doubled.")
    repair = models.BooleanField(default=False, help_text="Next it is asked to mend its last answer.")
    not_before = models.DateTimeField(null=True, blank=True)
    drawn = models.CharField(max_length=8, choices=Drawn, default=Drawn.RANDOM)
    weight = models.FloatField(default=1.0, help_text="One over the chance that it was drawn.")
    error_class = models.CharField(max_length=60, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="item_once", fields=["run", "article"]),
            models.CheckConstraint(name="item_failure_has_class", condition=~Q(state="failed") | ~Q(error_class="")),
        ]
        indexes = [
            models.Index(name="item_by_state", fields=["run", "state", "error_class"]),  # counts by class
            models.Index(name="item_to_ask", fields=["run", "id"], condition=Q(state="waiting", shard=None)),  # the next ones
        ]

    def __str__(self) -> str:
        return f"article {self.article_id} of labelling run {self.run_id}: {self.get_state_display()}"


class OracleCall(models.Model):
    """One request to an oracle, written down before it leaves, and what came of it: the books are the sum of these."""

    class State(models.TextChoices):
        OUT = "out", "out"
        ANSWERED = "answered", "answered"
        FAILED = "failed", "failed"
        LOST = "lost", "reply never came"
        UNSENT = "unsent", "never sent"

    key = models.CharField(max_length=64, unique=True, help_text="Its name towards the provider.")
    run = models.ForeignKey(LabelingRun, models.CASCADE, related_name="calls")
    item = models.ForeignKey(LabelingItem, models.CASCADE, related_name="calls")
    shard = models.ForeignKey(LabelingShard, models.SET_NULL, null=True, blank=True, related_name="calls")
    batch = models.ForeignKey(LabelingBatch, models.SET_NULL, null=True, blank=True, related_name="calls")
    state = models.CharField(max_length=8, choices=State, default=State.OUT)
    repair = models.BooleanField(default=False)
    room = models.PositiveSmallIntegerField(default=0)
    text_sha256 = models.CharField(max_length=64, help_text="Of the article as it was sent.")
    flags = models.JSONField(default=list, blank=True, help_text="What in the article speaks to its judge.")
    prompt_hash = models.CharField(max_length=64, blank=True)
    request_hash = models.CharField(max_length=64, help_text="Of its first rubric's question: nobody asks it twice at once.")
    reserved_usd = Money(default=0)
    cost_usd = Money(default=0)
    input_tokens = models.PositiveIntegerField(default=0)
    cache_read_tokens = models.PositiveIntegerField(default=0)
    cache_write_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    request_id = models.CharField(max_length=120, blank=True)
    response_model = models.CharField(max_length=120, blank=True)
    sdk = models.CharField(max_length=40, blank=True)
    error_class = models.CharField(max_length=60, blank=True)
    error = models.TextField(blank=True)
    raw_answer = models.TextField(blank=True)
    seconds = models.FloatField(default=0)
    sent_at = models.DateTimeField(default=timezone.now, editable=False)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="question_out_once", fields=["request_hash"], condition=Q(state="out")),
            models.CheckConstraint(name="call_money_not_negative", condition=Q(reserved_usd__gte=0, cost_usd__gte=0)),
        ]
        indexes = [
            models.Index(name="call_out", fields=["shard"], condition=Q(state="out")),  # what a dead worker left behind
            models.Index(name="call_by_item", fields=["item", "id"]),  # the history of one article
            models.Index(name="call_by_run", fields=["run", "state", "error_class"]),  # a run's calls by what came of them
            models.Index(  # the rate over the last minute, and sums over all of a run without reading its raw answers
                name="call_settled",
                fields=["run", "settled_at"],
                include=["input_tokens", "cache_read_tokens", "output_tokens", "seconds"],
            ),
        ]

    def __str__(self) -> str:
        return f"call {self.key}"


class Purse(models.Model):
    """What was spent of a cap that several runs share: a filter's or a month's. Locked before the run's own row."""

    name = models.CharField(max_length=60, unique=True, help_text='"month 2026-11" or "filter uplifting".')
    cost_usd = Money(default=0)
    reserved_usd = Money(default=0)
    lost_usd = Money(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="purse_never_negative", condition=Q(cost_usd__gte=0, reserved_usd__gte=0, lost_usd__gte=0)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def spent_usd(self) -> Decimal:
        return self.cost_usd + self.lost_usd + self.reserved_usd
