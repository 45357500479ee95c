"""What a call costs, by genai-prices' own list or by a price that the operator set. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Self

from distillery_site.common.errors import BadInput

MILLION = Decimal(1_000_000)


@dataclass(frozen=True)
class Tokens:
    """`fresh` input was neither read from nor written to the provider's cache; the four don't overlap."""

    fresh: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0

    @property
    def input(self) -> int:
        return self.fresh + self.cache_read + self.cache_write


@dataclass(frozen=True)
class Prices:
    """`own` is (input, output) in USD per million tokens and beats the list; cached input then costs as fresh."""

    provider: str
    model: str
    own: tuple[Decimal, Decimal] | None = None

    @classmethod
    def of(cls, provider: str, model: str, overrides: Sequence[str] = ()) -> Self:
        """Raises BadInput when nobody knows the price. `overrides` are "model=input/output"."""
        prices = cls(provider, model, _own_price(model, overrides))
        prices.cost(Tokens(fresh=1, output=1))
        return prices

    def cost(self, tokens: Tokens) -> Decimal:
        """USD. The list counts tiers by the size of one prompt, so ask call by call, never for a sum."""
        if self.own is not None:
            return (tokens.input * self.own[0] + tokens.output * self.own[1]) / MILLION
        from genai_prices import Usage, calc_price

        usage = Usage(  # input_tokens is the total here, where Anthropic's own count leaves the cached ones out
            input_tokens=tokens.input,
            cache_read_tokens=tokens.cache_read,
            cache_write_tokens=tokens.cache_write,
            output_tokens=tokens.output,
        )
        try:
            return calc_price(usage, self.model, provider_id=self.provider).total_price
        except LookupError:
            raise BadInput(
                f"No price is known for {self.model}. Set ORACLE_PRICES={self.model}=INPUT/OUTPUT in USD per million tokens."
            ) from None


def _own_price(model: str, overrides: Sequence[str]) -> tuple[Decimal, Decimal] | None:
    for override in overrides:
        name, _, price = override.partition("=")
        if name.strip() == model:
            try:
                inward, outward = (Decimal(part) for part in price.split("/"))
            except (ValueError, InvalidOperation):
                raise BadInput(f"ORACLE_PRICES: {override!r} must look like {model}=1.0/5.0.") from None
            return inward, outward
    return None
