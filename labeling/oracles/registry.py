"""Which providers there are. To add one: a module beside this one, an entry here, the contract tests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distillery_site.common.errors import BadInput
from labeling.oracles.base import Oracle
from labeling.oracles.params import host_of
from labeling.oracles.prices import Prices


@dataclass(frozen=True)
class Provider:
    """`paid` ones never run without a budget; `defaults` are the parameters of an oracle that names none.

    key_setting, url_setting: the names of the settings that hold its key and its address. home: the host of the
    provider's own servers, where those of others may answer under the same names.
    """

    make: Callable[..., Oracle]
    paid: bool
    default_model: str
    defaults: dict[str, Any]
    key_setting: str = ""
    url_setting: str = ""
    home: str = ""

    def place(self, base_url: str) -> dict[str, Any]:
        """What the parameters say of the address: the same name elsewhere is another judge."""
        host = host_of(base_url)
        return {"host": host} if self.home and host not in ("", self.home) else {}


# SDKs are big, so each is imported when its oracle is made: the web process never makes one by being started.
def _recorded(model: str, params: dict[str, Any], **settings: Any) -> Oracle:
    from labeling.oracles.recorded import RecordedOracle

    return RecordedOracle(model, params, **settings)


def _anthropic(model: str, params: dict[str, Any], **settings: Any) -> Oracle:
    from labeling.oracles.anthropic import AnthropicOracle

    return AnthropicOracle(model, params, **settings)


def _gemini(model: str, params: dict[str, Any], **settings: Any) -> Oracle:
    from labeling.oracles.gemini import GeminiOracle

    return GeminiOracle(model, params, **settings)


def _openai(model: str, params: dict[str, Any], **settings: Any) -> Oracle:
    from labeling.oracles.openai import OpenAIOracle

    return OpenAIOracle(model, params, **settings)


CLAUDE = {"effort": "low", "max_tokens": 4000}
GEMINI = {"max_tokens": 4000}
OPENAI = {"max_tokens": 4000}
PROVIDERS = {
    "recorded": Provider(_recorded, False, "claude", {}),
    "anthropic": Provider(_anthropic, True, "claude-haiku-5-5", CLAUDE, "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
    "gemini": Provider(_gemini, True, "gemini-3.5-flash-lite", GEMINI, "GEMINI_API_KEY", "GEMINI_BASE_URL"),
    "openai": Provider(_openai, True, "gpt-6.1-terra", OPENAI, "OPENAI_API_KEY", "OPENAI_BASE_URL", "api.openai.com"),
}


def provider(name: str) -> Provider:
    try:
        return PROVIDERS[name]
    except KeyError:
        raise BadInput(f"There is no oracle provider {name!r}; there are {', '.join(PROVIDERS)}.") from None


def make(name: str, model: str, params: dict[str, Any], **settings: Any) -> Oracle:
    """The oracle, ready to ask.

    `settings` are what its provider needs besides the identity. A paid one: api_key, base_url, `prices` (the operator's
    overrides, see Prices.of) and, if need be, timeout and concurrency. The recorded one: folder and source.
    """
    known = provider(name)
    if known.paid:
        settings["prices"] = Prices.of(name, model, settings.get("prices", ()))
    return known.make(model, params, **settings)
