"""The command that does in a terminal what a page's button did, for people to copy."""

import json
import shlex
from typing import Any

from training.models import Dataset, TrainingRun


def train_command(run: TrainingRun) -> str:
    words = ["train", run.dataset.name, "--student", run.kind, "--name", run.model_name]
    words += ["--preset", run.preset] if run.preset else []
    words += [word for name, value in run.config.items() for word in ("--set", f"{name}={_value(value)}")]
    words += [word for parent in run.parents.order_by("pk") for word in ("--parent", parent.ref)]
    return _typed(words)


def freeze_command(dataset: Dataset) -> str:
    recipe = dataset.recipe
    words = ["freeze", dataset.name]
    words += [word for version in dataset.versions for word in ("--filter", f"{version.filter.slug}@{version.number}")]
    words += ["--oracle", str(recipe["oracle"]), "--reading", str(recipe["reading"]), "--seed", str(recipe["seed"])]
    words += ["--size", str(recipe["size"])] if recipe["size"] else []
    words += ["--fractions", *map(str, recipe["fractions"]), "--threshold", str(recipe["near_duplicate_threshold"])]
    return _typed(words)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _typed(words: list[str]) -> str:
    return shlex.join(["python", "manage.py", *words])
