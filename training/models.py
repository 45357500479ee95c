"""Frozen data sets, the runs that learn from them, and the students that came out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from distillery_site.common.runs import Run, RunQuerySet, RunState
from labeling.models import Article, Filter, FilterVersion


class Split(models.TextChoices):
    TRAIN = "train", "training"
    VAL = "val", "validation"
    TEST = "test", "test"


class Kind(models.TextChoices):
    RIDGE = "ridge", "ridge"
    KERNEL = "kernel", "kernel"
    LORA = "lora", "LoRA"
    STACK = "stack", "stack"


class DatasetQuerySet(models.QuerySet):
    def covering(self, versions: Iterable[FilterVersion]) -> Self:
        """Those with targets for every one of these filter versions, newest first."""
        found = self
        for version in versions:
            found = found.filter(filters__version=version)
        return found.order_by("-pk")


class Dataset(models.Model):
    """A frozen choice of articles, targets and splits; its fingerprint says exactly which."""

    name = models.SlugField(max_length=80, unique=True)
    recipe = models.JSONField(
        help_text="{seed, size, fractions, near_duplicate_threshold, oracles, reading, mean_of_readings, mix, sources, readings}."
    )
    view = models.JSONField(help_text="The article view that all its filters share.")
    fingerprint = models.CharField(max_length=64, unique=True)
    leakage = models.PositiveIntegerField(default=0, help_text="Near-duplicate pairs whose articles lie in different splits.")
    clusters = models.PositiveIntegerField(default=0)
    notes = models.JSONField(default=list, help_text="Sentences about what was left out and why.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    objects = DatasetQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def versions(self) -> list[FilterVersion]:
        return [row.version for row in self.filters.select_related("version__filter").order_by("position")]

    @property
    def outputs(self) -> list[tuple[FilterVersion, str]]:
        """The target columns, in order: every dimension of every filter version."""
        return [(version, key) for version in self.versions for key in version.keys]


class DatasetFilter(models.Model):
    """The ordered filter versions whose dimensions are a data set's target columns."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="filters")
    version = models.ForeignKey(FilterVersion, models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="datasetfilter_position", fields=["dataset", "position"]),
            models.UniqueConstraint(name="datasetfilter_version", fields=["dataset", "version"]),
        ]

    def __str__(self) -> str:
        return f"{self.dataset}: {self.version}"


class DatasetItem(models.Model):
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="items")
    article = models.ForeignKey(Article, models.PROTECT, related_name="+")
    split = models.CharField(max_length=5, choices=Split)
    cluster = models.PositiveIntegerField()
    targets = ArrayField(models.FloatField(null=True))
    weight = models.FloatField(default=1.0, help_text="How much it counts in training.")
    sampling_weight = models.FloatField(
        default=1.0, help_text="One over the chance that its article was drawn; for figures, not for training."
    )
    text_sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="datasetitem_once", fields=["dataset", "article"]),
            models.CheckConstraint(name="datasetitem_split_known", condition=Q(split__in=Split.values)),
        ]
        indexes = [models.Index(name="datasetitem_split", fields=["dataset", "split"])]  # export and benchmark

    def __str__(self) -> str:
        return f"{self.dataset}: article {self.article_id} ({self.split})"


class TrainingRunQuerySet(RunQuerySet):
    def trainings(self) -> Self:
        """Without estimates, of which no student comes."""
        return self.filter(purpose=TrainingRun.Purpose.TRAIN)

    def estimates(self) -> Self:
        return self.filter(purpose=TrainingRun.Purpose.ESTIMATE)

    def ahead_of(self, run: "TrainingRun") -> Self:
        """What is at work or was queued before a waiting run: one training at a time."""
        return self.filter(Q(state=RunState.RUNNING) | Q(state=RunState.QUEUED, pk__lt=run.pk)).exclude(pk=run.pk).order_by("pk")


class TrainingRun(Run):
    """One student learns from one data set, in a child process whose events become these rows."""

    class Purpose(models.TextChoices):
        TRAIN = "train", "training"
        ESTIMATE = "estimate", "estimate"

    dataset = models.ForeignKey(Dataset, models.PROTECT, related_name="training_runs")
    purpose = models.CharField(
        max_length=8, choices=Purpose, default=Purpose.TRAIN, help_text="An estimate takes some steps and registers nothing."
    )
    kind = models.CharField(max_length=8, choices=Kind)
    model_name = models.SlugField(max_length=80)
    preset = models.CharField(max_length=60, blank=True)
    config = models.JSONField(default=dict, help_text="Hyper-parameters that differ from the preset.")
    parents = models.ManyToManyField("ModelVersion", blank=True, related_name="+", help_text="A stack's members.")
    step = models.PositiveIntegerField(default=0)
    steps = models.PositiveIntegerField(default=0)
    epoch_now = models.FloatField(default=0)
    eta_s = models.FloatField(null=True, blank=True)
    loss_curve = models.JSONField(default=list, help_text="[[step, loss], …]")
    notes = models.JSONField(default=list)
    estimate = models.JSONField(default=dict, help_text="Memory, time and tokens, foretold from the first steps.")
    child_pid = models.PositiveIntegerField(null=True, blank=True)

    objects = TrainingRunQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{'estimate' if self.is_estimate else 'training run'} {self.pk}"

    @property
    def is_estimate(self) -> bool:
        return self.purpose == self.Purpose.ESTIMATE


class TrainingEpoch(models.Model):
    """Errors after one epoch, measured in eval mode; `number` counts from 1."""

    run = models.ForeignKey(TrainingRun, models.CASCADE, related_name="epochs")
    number = models.PositiveIntegerField()
    train_mae = models.FloatField(null=True)
    val_mae = models.FloatField()
    val_mae_by_output = ArrayField(models.FloatField(null=True))
    seconds = models.FloatField()
    chosen = models.BooleanField(default=False)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(name="epoch_once", fields=["run", "number"]),
            models.UniqueConstraint(name="epoch_one_chosen", fields=["run"], condition=Q(chosen=True)),
        ]

    def __str__(self) -> str:
        return f"{self.run}, epoch {self.number}"


class ModelVersionQuerySet(models.QuerySet):
    def serving(self, filter_: Filter) -> Self:
        """Versions that answer for a filter, newest first."""
        return self.filter(outputs__version__filter=filter_).distinct().order_by("-pk")


class ModelVersion(models.Model):
    """A student on disk: immutable, known by the hash of its manifest."""

    name = models.SlugField(max_length=80)
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=Kind)
    run = models.OneToOneField(TrainingRun, models.PROTECT, null=True, blank=True, related_name="result")
    dataset = models.ForeignKey(
        Dataset,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="model_versions",
        help_text="None for a student that learned elsewhere.",
    )
    origin = models.JSONField(default=dict, help_text="Where an imported student came from.")
    manifest_sha256 = models.CharField(max_length=64, unique=True)
    manifest = models.JSONField()
    val_mae = models.FloatField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="modelversion_number", fields=["name", "number"]),
            models.CheckConstraint(name="modelversion_number_from_1", condition=Q(number__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"

    @property
    def ref(self) -> str:
        """The folder below the models' root, and the name the scoring process knows it by."""
        return f"{self.name}/v{self.number}"

    @property
    def path(self) -> Path:
        return Path(settings.MODELS_ROOT) / self.ref

    @property
    def versions(self) -> list[FilterVersion]:
        """The filter versions it answers for, in the order of its outputs."""
        found = {output.version_id: output.version for output in self.outputs.select_related("version__filter")}
        return list(found.values())

    @property
    def view(self) -> dict:
        """What it reads of an article; one that learned elsewhere reads what its filters' rubrics say."""
        return self.dataset.view if self.dataset else self.versions[0].view

    @property
    def home(self) -> Dataset | None:
        """Where it is measured: the data set it learned from; else the newest with targets for all its outputs."""
        return self.dataset or Dataset.objects.covering(self.versions).first()

    def columns(self, version: FilterVersion) -> dict[str, int]:
        """{dimension: column} of the outputs that answer for one filter version."""
        return {o.dimension: o.position for o in self.outputs.all() if o.version_id == version.pk}


class ModelOutput(models.Model):
    """One column of a student: which dimension of which filter version it answers for."""

    model = models.ForeignKey(ModelVersion, models.CASCADE, related_name="outputs")
    position = models.PositiveSmallIntegerField()
    version = models.ForeignKey(FilterVersion, models.PROTECT, related_name="+")
    dimension = models.CharField(max_length=80)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(name="output_position", fields=["model", "position"]),
            models.UniqueConstraint(name="output_dimension", fields=["model", "version", "dimension"]),
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.dimension}"


class Deployment(models.Model):
    """An alias of a filter and the version it points to."""

    class Alias(models.TextChoices):
        CHAMPION = "champion", "champion"
        CHALLENGER = "challenger", "challenger"

    filter = models.ForeignKey(Filter, models.PROTECT, related_name="deployments")
    alias = models.CharField(max_length=10, choices=Alias)
    model = models.ForeignKey(ModelVersion, models.PROTECT, related_name="deployments")
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(name="deployment_alias", fields=["filter", "alias"])]

    def __str__(self) -> str:
        return f"{self.filter}@{self.alias} → {self.model}"


class PromotionQuerySet(models.QuerySet):
    def standing(self, filter_: Filter, alias: str) -> "Promotion | None":
        """The newest change of an alias that no rollback has undone: the one to undo next."""
        undone: set[int] = set()
        for row in self.filter(filter=filter_, alias=alias).select_related("model", "before"):
            if row.undoes is not None:
                undone.add(row.undoes)
            elif row.pk not in undone:
                return row
        return None


class Promotion(models.Model):
    """One change of an alias, with the gates as they stood; a rollback brings back the `before` of the newest standing one."""

    ROLLBACK = "rollback"  # the gate that a rollback went through, which says what it undoes

    filter = models.ForeignKey(Filter, models.PROTECT, related_name="promotions")
    alias = models.CharField(max_length=10, choices=Deployment.Alias)
    model = models.ForeignKey(ModelVersion, models.PROTECT, related_name="promotions")
    before = models.ForeignKey(ModelVersion, models.PROTECT, null=True, blank=True, related_name="+")
    gates = models.JSONField(default=list, help_text="[{gate, passed, sentence}, …] as shown to whoever decided.")
    reason = models.CharField(max_length=500, blank=True, help_text="Why it was promoted although a gate was closed.")
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    objects = PromotionQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(name="promotion_newest", fields=["filter", "alias", "-id"])]  # rollback

    def __str__(self) -> str:
        return f"{self.filter}@{self.alias} → {self.model}"

    @property
    def undoes(self) -> int | None:
        """The promotion that this one took back, if it is a rollback."""
        return next((gate["undoes"] for gate in self.gates if gate["gate"] == self.ROLLBACK), None)

    @property
    def closed(self) -> list[str]:
        """What the gates said that were passed all the same."""
        return [gate["sentence"] for gate in self.gates if gate["passed"] is False]


class LearningCurve(Run):
    """How the validation error falls with the number of labels: students trained on parts of a data set, several seeds each."""

    dataset = models.ForeignKey(Dataset, models.PROTECT, related_name="learning_curves")
    kind = models.CharField(max_length=8, choices=Kind)
    config = models.JSONField(default=dict, help_text="The student's options.")
    shares = ArrayField(models.FloatField(), help_text="Of the training articles, such as 0.1.")
    seeds = models.PositiveSmallIntegerField(default=3)
    points = models.JSONField(default=list, help_text="[{share, articles, seed, mae, mae_by_output, seconds}, …]")
    fit = models.JSONField(default=dict, help_text="The fitted power law by filter, with its bootstrap.")

    def __str__(self) -> str:
        return f"learning curve {self.pk}"
