"""What the vendor bills: one entry a request that a model worked on, by a price table of its own."""

import time
from dataclasses import dataclass, field
from decimal import Decimal

MILLION = Decimal(1_000_000)
# USD a million tokens: input, output, read from the cache, written to it. A batch costs half.
PRICES = {
    "claude-haiku-5-5": ("0.10", "0.50", "0.01", "0.125"),
    "claude-sonnet-5-5": ("2", "10", "0.10", "2.5"),
    "claude-opus-5-5": ("4", "20", "0.2", "5"),
    "claude-haiku-4-5": ("1", "5", "0.10", "1.25"),
    "claude-sonnet-4-6": ("3", "15", "0.3", "3.75"),
    "claude-opus-4-8": ("5", "25", "0.5", "6.25"),
    "gemini-3.5-flash-lite": ("0.30", "2.50", "0.03", "0"),
    "gemini-3.8-flash": ("0.75", "3.75", "0.075", "0"),
    "gpt-6.1-terra": ("1", "5", "0.05", "0"),
    "local-model": ("0", "0", "0", "0"),
}


@dataclass(frozen=True)
class Tokens:
    """`fresh` input was neither read from nor written to the cache; output includes thinking."""

    fresh: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0


@dataclass
class Entry:
    """`delivered`: the answer was read by the one who asked; None while that isn't known.

    For a request in a batch: its result line was sent. usable: the answer was whole and fitted the schema, so nobody has
    a reason to ask again. The moments are seconds since 1970.
    """

    api: str
    article_hash: str
    model: str
    tokens: Tokens
    cost_usd: Decimal
    request_id: str
    batch: bool = False
    custom_id: str = ""
    delivered: bool | None = None
    fault: str = ""
    usable: bool = True
    billed_at: float = field(default_factory=time.time)
    sent_at: float | None = None


def cost(model: str, tokens: Tokens, *, batch: bool = False) -> Decimal:
    fresh, output, read, write = map(Decimal, PRICES[model])
    whole = fresh * tokens.fresh + read * tokens.cache_read + write * tokens.cache_write + output * tokens.output
    return whole / MILLION / (2 if batch else 1)
