"""The command that does in a terminal what a page's button did, for people to copy; and options as lines of text."""

import json
import shlex
from typing import Any

from distillery_site.common.errors import BadInput
from training.models import Dataset, TrainingRun


def train_command(run: TrainingRun) -> str:
    words = ["train", run.dataset.name, "--student", run.kind, "--name", run.model_name]
    words += ["--estimate"] if run.is_estimate else []
    words += ["--preset", run.preset] if run.preset else []
    words += [word for name, value in run.config.items() for word in ("--set", option_line(name, value))]
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
    words += ["--people", recipe["people"]] if recipe.get("people", "ignore") != "ignore" else []
    words += ["--seed", str(recipe["seed"])]
    words += ["--size", str(recipe["size"])] if recipe["size"] else []
    words += ["--fractions", *map(str, recipe["fractions"]), "--threshold", str(recipe["near_duplicate_threshold"])]
    return _typed(words)


def option_line(name: str, value: Any) -> str:
    """`epochs=2`; a text stands bare unless it would be read as something else."""
    bare = isinstance(value, str) and read_option(f"{name}={value}")[1] == value and value == value.strip()
    return f"{name}={value if bare else json.dumps(value, ensure_ascii=False)}"


def read_option(line: str) -> tuple[str, Any]:
    """`epochs=2` is a number, `schedule=cosine` a text, `alphas=[1, 3]` a list."""
    name, equals, raw = line.partition("=")
    if not equals:
        raise BadInput(f"An option is given as OPTION=VALUE, not {line!r}.")
    try:
        return name.strip(), json.loads(raw)
    except ValueError:
        return name.strip(), raw.strip()


def _typed(words: list[str]) -> str:
    return shlex.join(["python", "manage.py", *words])
