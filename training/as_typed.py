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
    versions = recipe.get("versions") or [f"{version.filter.slug}@{version.number}" for version in dataset.versions]
    words += [word for version in versions for word in ("--filter", version)]
    words += [word for oracle in recipe.get("oracles") or [recipe["oracle"]] for word in ("--oracle", str(oracle))]
    words += ["--mean-of-readings"] if recipe.get("mean_of_readings") else ["--reading", str(recipe["reading"])]
    words += ["--mix"] if recipe.get("mix") else []
    words += ["--seed", str(recipe["seed"])]
    words += ["--size", str(recipe["size"])] if recipe["size"] else []
    words += ["--fractions", *map(str, recipe["fractions"]), "--threshold", str(recipe["near_duplicate_threshold"])]
    return _typed(words)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _typed(words: list[str]) -> str:
    return shlex.join(["python", "manage.py", *words])
