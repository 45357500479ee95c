"""What a call costs, and what nobody knows the price of."""

from decimal import Decimal

import pytest

from distillery_site.common.errors import BadInput
from labeling.oracles.base import usd
from labeling.oracles.prices import Prices, Tokens

HAIKU = Prices.of("anthropic", "claude-haiku-5-5")


def test_it_prices_input_and_output_per_million_tokens():
    assert HAIKU.cost(Tokens(fresh=10_000, output=1_000)) == Decimal("0.0015")


def test_cached_input_is_part_of_the_input_and_has_its_own_price():
    read, written = HAIKU.cost(Tokens(cache_read=10_000)), HAIKU.cost(Tokens(cache_write=10_000))
    assert read < HAIKU.cost(Tokens(fresh=10_000)) < written
    assert HAIKU.cost(Tokens(fresh=10_000, cache_read=10_000, cache_write=10_000)) > read + written


def test_the_operators_own_price_beats_the_list():
    own = Prices.of("anthropic", "claude-haiku-5-5", ["other=9/9", "claude-haiku-5-5=1/5"])
    assert own.cost(Tokens(fresh=1_000_000, output=1_000_000)) == 6


def test_a_model_without_a_price_is_refused_with_the_way_out():
    with pytest.raises(BadInput, match="ORACLE_PRICES=claude-unheard-of=INPUT/OUTPUT"):
        Prices.of("anthropic", "claude-unheard-of")


@pytest.mark.parametrize("price", ["1", "1/2/3", "one/two"])
def test_a_price_that_cannot_be_read_is_refused(price: str):
    with pytest.raises(BadInput, match="must look like"):
        Prices.of("anthropic", "claude-haiku-5-5", [f"claude-haiku-5-5={price}"])


def test_money_is_rounded_up_to_the_unit_that_is_stored():
    assert usd(Decimal("0.0000001")) == Decimal("0.000001")
