"""The parameters of an oracle, checked once, when it is made; all that is wrong is said together. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from distillery_site.common.errors import BadInput

MIN_TOKENS, MAX_TOKENS = 256, 32_000


@dataclass(frozen=True)
class Rule:
    """`fits` a value; `says` what one must be. A parameter that isn't required is sent only where it is set."""

    fits: Callable[[Any], bool]
    says: str
    required: bool = False


def whole(low: int, high: int, required: bool = False) -> Rule:
    return Rule(lambda value: _is_whole(value) and low <= value <= high, f"from {low} to {high}", required)


def number(low: float, high: float) -> Rule:
    return Rule(
        lambda value: (_is_whole(value) or isinstance(value, float)) and low <= value <= high, f"from {low:g} to {high:g}"
    )


def one_of(*values: str) -> Rule:
    return Rule(lambda value: value in values, f"one of {', '.join(values)}")


ROOM = whole(MIN_TOKENS, MAX_TOKENS, required=True)  # for tokens of the answer, thoughts included


def check(params: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """Raises BadInput."""
    problems = [f"unknown parameter {name}" for name in sorted(set(params) - set(rules))]
    for name, rule in rules.items():
        if (name in params or rule.required) and not rule.fits(params.get(name)):
            problems.append(f"{name} must be {rule.says}")
    if problems:
        raise BadInput(f"The oracle's parameters don't work: {'; '.join(problems)}.")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def host_of(url: str) -> str:
    """The host of an address, with its port where one is named."""
    return urlsplit(url).netloc.lower()
