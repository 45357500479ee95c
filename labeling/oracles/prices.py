"""What a call costs, by genai-prices' list (pinned, offline) or by prices that the operator set. Pure.

The list's figures are read once for a model and multiplied here: its own calculator takes 0.3 ms a call, silently counts
a model without batch prices at full price, and wants to be told the total where providers report parts. A test holds
both to the same result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from distillery_site.common.errors import BadInput
from labeling.oracles.base import Tokens

__all__ = ["Prices", "Rates", "Tokens"]

MILLION = Decimal(1_000_000)
LIST_NAMES = {"gemini": "google"}  # where the list calls a provider otherwise
WRITING_CACHE = {"anthropic": Decimal("1.25")}  # times fresh input, where the operator's own price can't say it
FIGURES = ("fresh", "cache_read", "cache_write", "output")


@dataclass(frozen=True)
class Rates:
    """USD per million tokens, for prompts of more than `above` tokens."""

    above: int
    fresh: Decimal
    cache_read: Decimal
    cache_write: Decimal
    output: Decimal

    def cost(self, tokens: Tokens) -> Decimal:
        return (
            tokens.fresh * self.fresh
            + tokens.cache_read * self.cache_read
            + tokens.cache_write * self.cache_write
            + tokens.output * self.output
        ) / MILLION

    def figures(self) -> dict[str, Any]:
        return {"above": self.above, **{name: str(getattr(self, name)) for name in FIGURES}}


Card = tuple[Rates, ...]  # by size of the prompt; the last that it exceeds counts for all its tokens


@dataclass(frozen=True)
class Prices:
    provider: str
    model: str
    source: str
    standard: Card
    batch: Card | None = None

    @classmethod
    def of(cls, provider: str, model: str, overrides: Sequence[str] = ()) -> Self:
        """Raises BadInput when nobody knows the price. `overrides` are "model=in/out" or "model=in/out/batch in/batch out"."""
        own = _own_prices(model, overrides)
        if own is not None:
            cards = [_own_card(provider, *own[start : start + 2]) for start in range(0, len(own), 2)]
            return cls(provider, model, "ORACLE_PRICES", cards[0], cards[1] if len(cards) > 1 else None)
        return cls(provider, model, *_listed(provider, model))

    @property
    def has_batch(self) -> bool:
        """Whether a batch price is known; where it is not, a batch is counted at full price."""
        return self.batch is not None

    @property
    def free(self) -> bool:
        return not any(getattr(rates, name) for rates in self.standard + (self.batch or ()) for name in FIGURES)

    def cost(self, tokens: Tokens, batch: bool = False) -> Decimal:
        """USD. Steps go by the size of one prompt, so ask call by call, never for a sum."""
        card = self.batch if batch and self.batch is not None else self.standard
        if len(card) == 1:
            return card[0].cost(tokens)
        size = tokens.input
        return next(rates for rates in reversed(card) if size > rates.above or rates.above == 0).cost(tokens)

    def snapshot(self) -> dict[str, Any]:
        """What to store with a run: which list, and its figures in USD per million tokens."""
        batch = [rates.figures() for rates in self.batch] if self.batch is not None else None
        standard = [rates.figures() for rates in self.standard]
        return {"provider": self.provider, "model": self.model, "source": self.source, "standard": standard, "batch": batch}


def context_window(provider: str, model: str) -> int | None:
    """Tokens that a prompt and its answer may take together; None where the list doesn't know."""
    info = _info(provider, model)
    return info.context_window if info is not None else None


def _listed(provider: str, model: str) -> tuple[str, Card, Card | None]:
    from datetime import UTC, datetime

    import genai_prices

    info = _info(provider, model)
    if info is None:
        raise BadInput(f"No price is known for {model}. Set ORACLE_PRICES={model}=INPUT/OUTPUT in USD per million tokens.")
    now = datetime.now(UTC)
    plain, batch = info.get_prices(now), info.get_prices(now, {"processing": "batch"})
    return f"genai-prices {genai_prices.__version__}", _card(plain, model), None if batch == plain else _card(batch, model)


def _info(provider: str, model: str) -> Any:
    """What the list has of this model; None where it has nothing."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        return get_snapshot().find_provider_model(model, None, LIST_NAMES.get(provider, provider), None)[1]
    except LookupError:
        return None


def _card(prices: Any, model: str) -> Card:
    """A kind of input without a price of its own costs as fresh input does."""
    entry, out = prices.input_mtok, prices.output_mtok
    if entry is None or out is None:
        raise BadInput(f"{model} is not priced by tokens in and out; it can't be budgeted. Set ORACLE_PRICES for it.")
    columns = (entry, prices.cache_read_mtok or entry, prices.cache_write_mtok or entry, out)
    starts = sorted({0, *(tier.start for column in columns for tier in getattr(column, "tiers", ()))})
    return tuple(Rates(start, *map(_priced_above(start), columns)) for start in starts)


def _priced_above(start: int) -> Callable[[Any], Decimal]:
    def at(column: Any) -> Decimal:
        if isinstance(column, Decimal):
            return column
        return next((tier.price for tier in reversed(column.tiers) if start >= tier.start), column.base)

    return at


def _own_card(provider: str, inward: Decimal, outward: Decimal) -> Card:
    return (Rates(0, inward, inward, inward * WRITING_CACHE.get(provider, Decimal(1)), outward),)


def _own_prices(model: str, overrides: Sequence[str]) -> list[Decimal] | None:
    for override in overrides:
        name, _, price = override.partition("=")
        if name.strip() == model:
            return _figures(model, override, price.split("/"))
    return None


def _figures(model: str, override: str, parts: list[str]) -> list[Decimal]:
    try:
        found = [Decimal(part.strip()) for part in parts]
        good = len(found) in (2, 4) and all(figure.is_finite() and figure >= 0 for figure in found)
    except InvalidOperation:
        good = False
    if not good:
        raise BadInput(f"ORACLE_PRICES: {override!r} must look like {model}=1.0/5.0, or {model}=1.0/5.0/0.5/2.5 with batches.")
    return found
