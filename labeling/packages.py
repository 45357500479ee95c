"""A filter as files: `filter.yaml` (rubric, view, policy) and `prompt.md`, checked whole before anything is stored.

Pure: no Django, no database. Unknown keys are refused and every problem is listed at once.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from distillery_site.common.errors import BadInput
from distillery_site.common.text import canonical_hash

VIEW_FIELDS = ("title", "published", "text", "source", "url")
KEY = r"^[a-z][a-z0-9_]{0,59}$"
ANCHOR = re.compile(r"^(10|\d)(-(10|\d))?$")
Score = Annotated[float, Field(ge=0, le=10)]
Words = Annotated[int, Field(ge=1)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class View(Strict):
    """What oracle and student both read of an article."""

    fields: list[str] = Field(default=["title", "published", "text"], min_length=1)
    max_words: Words = 400


class Dimension(Strict):
    key: str = Field(pattern=KEY)
    name: str = Field(min_length=1)
    description: str = Field(min_length=1)
    anchors: dict[str, str] = Field(min_length=2)
    weight: float = Field(ge=0, le=1)


class Tier(Strict):
    name: str = Field(min_length=1)
    min: Score


class Gatekeeper(Strict):
    """Below `min` in `dimension`, the weighted average is at most `cap`."""

    dimension: str
    min: Score
    cap: Score
    reason: str = Field(min_length=1)


class Cap(Strict):
    """Text that matches `pattern` has a weighted average of at most `cap`."""

    pattern: str = Field(min_length=1)
    cap: Score
    reason: str = Field(min_length=1)


class Prefilter(Strict):
    """Which articles go on to the oracle; what is left out isn't checked."""

    min_words: Words | None = None
    max_words: Words | None = None
    languages: list[str] = []
    include: list[str] = []
    exclude: list[str] = []
    unique_first_words: Words | None = None


class FilterPackage(Strict):
    slug: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,79}$")
    name: str = Field(min_length=1, max_length=120)
    question: str = Field(default="", max_length=300)
    view: View = View()
    dimensions: list[Dimension] = Field(min_length=1, max_length=40)
    tiers: list[Tier] = Field(min_length=1)
    gatekeepers: list[Gatekeeper] = []
    caps: list[Cap] = []
    prefilter: Prefilter = Prefilter()
    prompt: str = Field(min_length=1)

    @property
    def keys(self) -> list[str]:
        return [dimension.key for dimension in self.dimensions]

    @property
    def rubric(self) -> dict[str, Any]:
        """What an oracle is asked: dimensions (without weights), prompt and view."""
        dimensions = [dimension.model_dump(exclude={"weight"}) for dimension in self.dimensions]
        return {"dimensions": dimensions, "prompt": self.prompt, "view": self.view.model_dump()}

    @property
    def rubric_hash(self) -> str:
        return canonical_hash(self.rubric)

    @property
    def policy(self) -> dict[str, Any]:
        """What is made of the scores: weights, tiers, gatekeepers, caps and the prefilter."""
        weights = {dimension.key: dimension.weight for dimension in self.dimensions}
        rest = self.model_dump(include={"tiers", "gatekeepers", "caps"})
        return {"weights": weights, **rest, "prefilter": self.prefilter.model_dump(exclude_defaults=True)}


def load_package(folder: Path) -> FilterPackage:
    """Read and check a package folder. Raises BadInput that lists everything wrong with it."""
    values = _read_yaml(folder / "filter.yaml")
    values["prompt"] = _read(folder / "prompt.md").strip()
    try:
        package = FilterPackage.model_validate(values)
    except ValidationError as error:
        raise BadInput(*(_sentence(folder, problem) for problem in error.errors())) from None
    if problems := list(_contradictions(package)):
        raise BadInput(*(f"{folder.name}/filter.yaml: {problem}" for problem in problems))
    return package


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}. A filter package needs filter.yaml and prompt.md.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text.") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(_read(path))
    except yaml.YAMLError as error:
        raise BadInput(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict):
        raise BadInput(f"{path} must hold keys and values, such as `slug: my_filter`.")
    if "prompt" in values:
        raise BadInput(f"{path}: the prompt belongs in prompt.md beside it.")
    return values


def _sentence(folder: Path, problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    return f"{folder.name}/filter.yaml: {where}: {problem['msg'].rstrip('.')}."


def _contradictions(package: FilterPackage) -> Iterator[str]:
    """What no single field can know: sums, order, references and patterns."""
    keys = package.keys
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        yield f"dimensions named twice: {', '.join(twice)}."
    total = sum(dimension.weight for dimension in package.dimensions)
    if abs(total - 1) > 1e-6:
        yield f"the weights add up to {total:.4g}, not to 1."
    mins = [tier.min for tier in package.tiers]
    if mins[-1] != 0 or any(high <= low for high, low in zip(mins, mins[1:], strict=False)):
        yield "tiers must go from the highest min to the lowest, and the last min must be 0."
    if strangers := sorted({keeper.dimension for keeper in package.gatekeepers} - set(keys)):
        yield f"gatekeepers name unknown dimensions: {', '.join(strangers)}."
    if unknown := sorted(set(package.view.fields) - set(VIEW_FIELDS)):
        yield f"view.fields knows {', '.join(VIEW_FIELDS)}, not {', '.join(unknown)}."
    for dimension in package.dimensions:
        if bad := sorted(anchor for anchor in dimension.anchors if not ANCHOR.match(anchor)):
            yield f'{dimension.key}: anchors are scores such as "3" or "9-10", not {", ".join(bad)}.'
    yield from _bad_patterns(package)


def _bad_patterns(package: FilterPackage) -> Iterator[str]:
    rules = package.prefilter
    for pattern in [*(cap.pattern for cap in package.caps), *rules.include, *rules.exclude]:
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"{pattern!r} is not a regular expression: {error}."
    if rules.min_words and rules.max_words and rules.min_words > rules.max_words:
        yield "prefilter.min_words is above prefilter.max_words."
