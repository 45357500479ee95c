"""A row remembers how its article was drawn, so that figures can be weighted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("training", "0003_paid_labelling")]
    operations = [
        migrations.AddField(
            model_name="datasetitem",
            name="sampling_weight",
            field=models.FloatField(
                default=1.0, help_text="One over the chance that its article was drawn; for figures, not for training."
            ),
        ),
        migrations.AlterField(
            model_name="datasetitem",
            name="weight",
            field=models.FloatField(default=1.0, help_text="How much it counts in training."),
        ),
        migrations.AlterField(
            model_name="dataset",
            name="recipe",
            field=models.JSONField(
                help_text="{seed, size, fractions, near_duplicate_threshold, oracles, reading, mean_of_readings, mix, sources, readings}."
            ),
        ),
    ]
