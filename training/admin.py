"""Raw rows of data sets, training runs and students; all immutable or written by services."""

from django.contrib import admin

from distillery_site.common.admin import RunAdmin, read_only
from training.models import Dataset, DatasetItem, Deployment, LearningCurve, ModelOutput, ModelVersion, TrainingEpoch, TrainingRun

admin.site.register(TrainingRun, RunAdmin)
admin.site.register(LearningCurve, RunAdmin)
read_only(Dataset, "name", "fingerprint", "leakage", "clusters", "created_at")
read_only(DatasetItem, "id", "dataset_id", "article_id", "split", "cluster", filters=["split", "dataset"])
read_only(TrainingEpoch, "id", "run_id", "number", "train_mae", "val_mae", "chosen")
read_only(ModelVersion, "__str__", "kind", "val_mae", "manifest_sha256", "created_at", filters=["kind", "name"])
read_only(ModelOutput, "id", "model", "position", "version", "dimension", related=["model", "version__filter"])
read_only(Deployment, "__str__", "changed_at", "changed_by", related=["filter", "model", "changed_by"])
