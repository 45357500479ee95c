"""Which providers there are. To add one: a module beside this one, a line here, the contract tests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distillery_site.common.errors import BadInput
from labeling.oracles.base import Oracle
from labeling.oracles.prices import Prices


@dataclass(frozen=True)
class Provider:
    """`paid` ones never run without a budget; `defaults` are the parameters of an oracle that names none."""

    make: Callable[..., Oracle]
    paid: bool
    default_model: str
    defaults: dict[str, Any]


def _recorded(model: str, params: dict[str, Any], **settings: Any) -> Oracle:
    from labeling.oracles.recorded import RecordedOracle

    return RecordedOracle(model, params, folder=settings["folder"], source=settings["source"])


def _anthropic(model: str, params: dict[str, Any], **settings: Any) -> Oracle:
    from labeling.oracles.anthropic import AnthropicOracle

    prices = Prices.of("anthropic", model, settings["prices"])
    return AnthropicOracle(model, params, api_key=settings["api_key"], base_url=settings["base_url"], prices=prices)


CLAUDE = {"effort": "low", "max_tokens": 4000}
PROVIDERS = {
    "recorded": Provider(_recorded, paid=False, default_model="claude", defaults={}),
    "anthropic": Provider(_anthropic, paid=True, default_model="claude-haiku-5-5", defaults=CLAUDE),
}


def provider(name: str) -> Provider:
    try:
        return PROVIDERS[name]
    except KeyError:
        raise BadInput(f"There is no oracle provider {name!r}; there are {', '.join(PROVIDERS)}.") from None


def make(name: str, model: str, params: dict[str, Any], **settings: Any) -> Oracle:
    """The oracle, ready to ask; `settings` are what its provider needs besides the identity: files, or key and address."""
    return provider(name).make(model, params, **settings)
