"""What the oracles' page says of each provider: whether it can be asked, at which address, what it costs and how fast."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from distillery_site.common.errors import DistilleryError
from labeling.models import Filter, FilterVersion, Oracle, OracleCall
from labeling.oracles import base, registry
from labeling.oracles.base import Limits
from labeling.oracles.prices import Prices, Rates
from labeling.oracles.registry import PROVIDERS
from labeling.running.engage import can_be_asked, engage
from labeling.running.rates import allowed, told_limits

PROBE_SECONDS = 20.0
NAMES = {
    "recorded": "Recorded judgements",
    "anthropic": "Anthropic: Claude",
    "gemini": "Google: Gemini",
    "openai": "OpenAI, or any endpoint that speaks as it does",
}


@dataclass(frozen=True)
class Model:
    """Prices in USD per million tokens at the usual size; `limits` as the operator told, `allowed` requests a minute as known."""

    name: str
    usual: bool
    rates: Rates | None
    batch: Rates | None
    limits: Limits | None
    allowed: float | None
    problem: str = ""


@dataclass(frozen=True)
class Shown:
    """A provider. `keyed`: a key is set; `asked`: it can be asked, with one or because it needs none."""

    name: str
    title: str
    paid: bool
    keyed: bool
    asked: bool
    key_setting: str
    url_setting: str
    url: str
    models: tuple[Model, ...]
    spent: Decimal


def shown() -> list[Shown]:
    """Every provider, the paid ones first."""
    month = timezone.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    calls = OracleCall.objects.filter(sent_at__gte=month).values_list("run__oracle__provider")
    spent = dict(calls.annotate(cost=Sum("cost_usd")).order_by())
    return sorted((_shown(name, spent.get(name) or base.ZERO) for name in PROVIDERS), key=lambda one: not one.paid)


def _shown(name: str, spent: Decimal) -> Shown:
    known = PROVIDERS[name]
    return Shown(
        name=name,
        title=NAMES.get(name, name),
        paid=known.paid,
        keyed=bool(known.key_setting and getattr(settings, known.key_setting)),
        asked=can_be_asked(name),
        key_setting=known.key_setting,
        url_setting=known.url_setting,
        url=getattr(settings, known.url_setting) if known.url_setting else "",
        models=tuple(_model(name, model) for model in _models(name)) if known.paid else (),
        spent=spent,
    )


def _models(name: str) -> list[str]:
    """The usual one, those that were used, and those that the operator gave a limit to."""
    used = Oracle.objects.filter(provider=name).order_by("pk").values_list("model", flat=True)
    limited = (entry.partition("=")[0].partition("/") for entry in settings.ORACLE_LIMITS)
    told = (model for provider, _, model in limited if provider.strip() == name)
    return list(dict.fromkeys([PROVIDERS[name].default_model, *used, *told]))


def _model(provider: str, name: str) -> Model:
    usual = name == PROVIDERS[provider].default_model
    try:
        prices = Prices.of(provider, name, settings.ORACLE_PRICES)
        limits = told_limits(f"{provider}/{name}", settings.ORACLE_LIMITS)
    except DistilleryError as error:
        return Model(name, usual, None, None, None, None, str(error))
    batch = prices.batch[0] if prices.batch else None
    return Model(name, usual, prices.standard[0], batch, limits, allowed(provider, name))


def probe(name: str) -> tuple[bool, str]:
    """(whether it answers, a sentence), by one tiny call to the provider's usual model."""
    known = registry.provider(name)
    oracle = Oracle(name=known.default_model, provider=name, model=known.default_model, params=known.defaults)
    try:
        return True, async_to_sync(_probe)(engage(oracle, FilterVersion(filter=Filter())))
    except TimeoutError:
        return False, f"{NAMES.get(name, name)} did not answer within {PROBE_SECONDS:.0f} seconds."
    except DistilleryError as error:
        return False, str(error)


async def _probe(oracle: base.Oracle) -> str:
    try:
        return await asyncio.wait_for(oracle.probe(), PROBE_SECONDS)
    finally:
        await oracle.aclose()
