"""Raw rows of data sets, training runs and students; all immutable or written by services."""

from django.contrib import admin

from distillery_site.common.admin import RunAdmin, read_only
from training.models import Dataset, DatasetItem, Deployment, ModelOutput, ModelVersion, TrainingEpoch, TrainingRun

admin.site.register(TrainingRun, RunAdmin)
read_only(Dataset, columns=("name", "fingerprint", "leakage", "clusters", "created_at"))
read_only(DatasetItem, columns=("id", "dataset_id", "article_id", "split", "cluster"), list_filter=("split", "dataset"))
read_only(TrainingEpoch, columns=("id", "run_id", "number", "train_mae", "val_mae", "chosen"))
read_only(ModelVersion, columns=("__str__", "kind", "val_mae", "manifest_sha256", "created_at"), list_filter=("kind", "name"))
read_only(ModelOutput, columns=("id", "model", "position", "version", "dimension"), list_select_related=("model", "version__filter"))
read_only(Deployment, columns=("__str__", "changed_at", "changed_by"), list_select_related=("filter", "model", "changed_by"))
