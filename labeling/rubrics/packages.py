"""A filter as files: `filter.yaml` (rubric, view, policy) and `prompt.md`, checked whole before anything is stored.

Pure: no Django, no database. Unknown and repeated keys are refused and every problem is listed at once, by its place.
"""

import re
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from distillery_site.common.errors import BadInput
from distillery_site.common.text import canonical_hash

VIEW_FIELDS = ("title", "published", "text", "source", "url")
KEY = r"^[a-z][a-z0-9_]{0,59}$"
ANCHOR = re.compile(r"^(10|\d)(-(10|\d))?$")
Score = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Words = Annotated[int, Field(ge=1)]
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
LINE_ENDS = re.compile("[\x85\u2028\u2029\ufeff]")
PARTS = ("tiers", "gatekeepers", "caps", "prefilter")  # of a policy, besides the weights


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
    weight: float = Field(ge=0, le=1, allow_inf_nan=False)


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
    values = parse_yaml(_read(folder / "filter.yaml"), str(folder / "filter.yaml"))
    if "prompt" in values:
        raise BadInput(f"{folder / 'filter.yaml'}: the prompt belongs in prompt.md beside it.")
    values["prompt"] = _read(folder / "prompt.md")
    return package_of(values, f"{folder.name}/filter.yaml: ")


def package_of(values: Mapping[str, Any], where: str = "") -> FilterPackage:
    """A checked package. Raises BadInput with a sentence for each problem: `where`, its place, what is wrong there."""
    if problems := list(_unstorable(values)):
        raise BadInput(*(where + problem for problem in problems))
    try:
        package = FilterPackage.model_validate({**values, "prompt": _tidy(values.get("prompt"))})
    except ValidationError as error:
        raise BadInput(*(where + _sentence(problem) for problem in error.errors())) from None
    if problems := list(contradictions(package)):
        raise BadInput(*(where + problem for problem in problems))
    return package


def stored_package(*, names: Mapping[str, str], rubric: Mapping[str, Any], policy: Mapping[str, Any]) -> FilterPackage:
    """A stored filter as a package again, from plain values.

    names: {slug, name, question}; rubric: {dimensions, prompt, view}; policy: {weights, tiers, gatekeepers, caps, prefilter}.
    """
    dimensions = [{**dimension, "weight": policy["weights"].get(dimension["key"])} for dimension in rubric["dimensions"]]
    return package_of({**names, **rubric, "dimensions": dimensions, **{part: policy[part] for part in PARTS}})


def dump_package(package: FilterPackage) -> dict[str, str]:
    """The files that `load_package` reads back as this very package."""
    said = package.model_dump(exclude_defaults=True, exclude={"prompt", "view"})
    view = package.view.model_dump()
    values = {name: view if name == "view" else said[name] for name in FilterPackage.model_fields if name in {*said, "view"}}
    text = yaml.dump(values, Dumper=QuotingDumper, sort_keys=False, allow_unicode=True, width=120)
    return {"filter.yaml": text, "prompt.md": f"{package.prompt}\n"}


class QuotingDumper(yaml.SafeDumper):
    """Other line ends than Python's own are only kept between quotation marks."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = '"' if LINE_ENDS.search(data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    def ignore_aliases(self, data: Any) -> bool:
        return True


QuotingDumper.add_representer(str, QuotingDumper.represent_str)


class PlainLoader(yaml.SafeLoader):
    """YAML without its traps: of two equal keys it would take the last in silence, and aliases can grow without end."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not taken", None)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise yaml.constructor.ConstructorError(None, None, f"said twice: {', '.join(twice)}", node.start_mark)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str, name: str) -> dict[str, Any]:
    """The keys and values of a filter.yaml called `name`, unchecked. Raises BadInput."""
    try:
        values = yaml.load(text, PlainLoader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadInput(f"{name} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict):
        raise BadInput(f"{name} must hold keys and values, such as `slug: my_filter`.")
    return values


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}. A filter package needs filter.yaml and prompt.md.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text.") from None


def _tidy(prompt: Any) -> Any:
    """As a file gives it back."""
    return prompt.replace("\r\n", "\n").replace("\r", "\n").strip() if isinstance(prompt, str) else prompt


def _sentence(problem: Any) -> str:
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].rstrip('.')}."


def _unstorable(value: Any, place: str = "") -> Iterator[str]:
    if isinstance(value, str) and UNSTORABLE.search(value):
        yield f"{place}: holds a character that can't be stored."
    inside = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for name, part in inside:
        yield from _unstorable(part, f"{place}.{name}" if place else str(name))


def contradictions(package: FilterPackage) -> Iterator[str]:
    """What no single field can know, in sentences: sums, order, references and patterns."""
    keys = package.keys
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        yield f"dimensions named twice: {', '.join(twice)}."
    total = sum(dimension.weight for dimension in package.dimensions)
    if abs(total - 1) > 1e-6:
        yield f"the weights add up to {total:.4g}, not to 1."
    tiers = [tier.name for tier in package.tiers]
    if twice := sorted({tier for tier in tiers if tiers.count(tier) > 1}):
        yield f"tiers named twice: {', '.join(twice)}."
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
