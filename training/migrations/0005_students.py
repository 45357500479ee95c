"""Students that learned elsewhere, estimates, learning curves, and a history of who answered when."""

import distillery_site.common.runs
import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0003_paid_labelling"),
        ("training", "0004_sampling_weight"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="modelversion",
            name="origin",
            field=models.JSONField(default=dict, help_text="Where an imported student came from."),
        ),
        migrations.AddField(
            model_name="trainingrun",
            name="estimate",
            field=models.JSONField(default=dict, help_text="Memory, time and tokens, foretold from the first steps."),
        ),
        migrations.AddField(
            model_name="trainingrun",
            name="purpose",
            field=models.CharField(
                choices=[("train", "training"), ("estimate", "estimate")],
                default="train",
                help_text="An estimate takes some steps and registers nothing.",
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="modelversion",
            name="dataset",
            field=models.ForeignKey(
                blank=True,
                help_text="None for a student that learned elsewhere.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="model_versions",
                to="training.dataset",
            ),
        ),
        migrations.CreateModel(
            name="LearningCurve",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "queued"),
                            ("running", "running"),
                            ("paused", "paused"),
                            ("done", "done"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("not_before", models.DateTimeField(blank=True, null=True)),
                ("lease_token", models.UUIDField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("heartbeat_at", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("stage", models.CharField(blank=True, max_length=200)),
                ("progress_done", models.PositiveIntegerField(default=0)),
                ("progress_total", models.PositiveIntegerField(default=0)),
                ("cost_usd", distillery_site.common.runs.Money(decimal_places=10, default=0, max_digits=20)),
                ("error", models.TextField(blank=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("ridge", "ridge"), ("kernel", "kernel"), ("lora", "LoRA"), ("stack", "stack")], max_length=8
                    ),
                ),
                ("config", models.JSONField(default=dict, help_text="The student's options.")),
                (
                    "shares",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), help_text="Of the training articles, such as 0.1.", size=None
                    ),
                ),
                ("seeds", models.PositiveSmallIntegerField(default=3)),
                ("points", models.JSONField(default=list, help_text="[{share, articles, seed, mae, mae_by_output, seconds}, …]")),
                ("fit", models.JSONField(default=dict, help_text="The fitted power law by filter, with its bootstrap.")),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "dataset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="learning_curves", to="training.dataset"
                    ),
                ),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("done", "failed", "cancelled")), _negated=True),
                        fields=["state", "not_before"],
                        name="learningcurve_due",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "running"), _negated=True),
                            models.Q(("lease_token__isnull", False), ("lease_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="learningcurve_running_has_lease",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["queued", "running", "paused", "done", "failed", "cancelled"])),
                        name="learningcurve_state_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Promotion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("alias", models.CharField(choices=[("champion", "champion"), ("challenger", "challenger")], max_length=10)),
                ("gates", models.JSONField(default=list, help_text="[{gate, passed, sentence}, …] as shown to whoever decided.")),
                (
                    "reason",
                    models.CharField(blank=True, help_text="Why it was promoted although a gate was closed.", max_length=500),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "before",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="training.modelversion",
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "filter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="promotions", to="labeling.filter"
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="promotions", to="training.modelversion"
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [models.Index(fields=["filter", "alias", "-id"], name="promotion_newest")],
            },
        ),
        migrations.AlterField(
            model_name="modelversion",
            name="kind",
            field=models.CharField(
                choices=[("ridge", "ridge"), ("kernel", "kernel"), ("lora", "LoRA"), ("stack", "stack")],
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="trainingrun",
            name="kind",
            field=models.CharField(
                choices=[("ridge", "ridge"), ("kernel", "kernel"), ("lora", "LoRA"), ("stack", "stack")],
                max_length=8,
            ),
        ),
    ]
