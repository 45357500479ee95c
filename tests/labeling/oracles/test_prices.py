"""What a call costs, and what nobody knows the price of."""

from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price

from distillery_site.common.errors import BadInput
from labeling.oracles.base import Tokens, usd
from labeling.oracles.prices import LIST_NAMES, Prices

HAIKU = Prices.of("anthropic", "claude-haiku-5-5")
MODELS = [
    ("anthropic", "claude-haiku-5-5"),
    ("anthropic", "claude-opus-5-5"),
    ("gemini", "gemini-3.5-flash-lite"),
    ("gemini", "gemini-2.5-pro"),
    ("openai", "gpt-6.1-terra"),
]
SIZES = [
    Tokens(fresh=900, output=250),
    Tokens(fresh=100_000, output=1),
    Tokens(fresh=100_001, output=1),
    Tokens(fresh=900, cache_read=250_000, output=4_000),
    Tokens(cache_write=4_500, output=250),
]


def test_it_prices_input_and_output_per_million_tokens():
    assert HAIKU.cost(Tokens(fresh=10_000, output=1_000)) == Decimal("0.0015")


@pytest.mark.parametrize(("provider", "model"), MODELS)
@pytest.mark.parametrize("tokens", SIZES)
@pytest.mark.parametrize("batch", [False, True])
def test_it_comes_to_what_the_list_itself_would_say(provider: str, model: str, tokens: Tokens, batch: bool):
    usage = Usage(
        input_tokens=tokens.input,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write,
        output_tokens=tokens.output,
    )
    context = {"processing": "batch"} if batch else None
    theirs = calc_price(usage, model, provider_id=LIST_NAMES.get(provider, provider), price_context=context).total_price
    assert Prices.of(provider, model).cost(tokens, batch) == theirs


def test_a_large_prompt_costs_more_a_token_on_some_models():
    small, large = HAIKU.cost(Tokens(fresh=100_000)), HAIKU.cost(Tokens(fresh=100_001))
    assert large > 4 * small


def test_cached_input_is_part_of_the_input_and_has_its_own_price():
    read, written = HAIKU.cost(Tokens(cache_read=10_000)), HAIKU.cost(Tokens(cache_write=10_000))
    assert read < HAIKU.cost(Tokens(fresh=10_000)) < written
    assert (
        HAIKU.cost(Tokens(fresh=10_000, cache_read=10_000, cache_write=10_000))
        == HAIKU.cost(Tokens(fresh=10_000)) + read + written
    )


def test_a_batch_costs_half_where_its_price_is_known():
    tokens = Tokens(fresh=900, output=250)
    assert HAIKU.has_batch and HAIKU.cost(tokens, batch=True) == HAIKU.cost(tokens) / 2


def test_a_batch_without_a_known_price_is_counted_in_full_and_says_so():
    flash, tokens = Prices.of("gemini", "gemini-3.5-flash"), Tokens(fresh=900, output=250)
    assert not flash.has_batch and flash.cost(tokens, batch=True) == flash.cost(tokens)


def test_the_operators_own_price_beats_the_list():
    own = Prices.of("anthropic", "claude-haiku-5-5", ["other=9/9", "claude-haiku-5-5=1/5"])
    assert own.cost(Tokens(fresh=1_000_000, output=1_000_000)) == 6 and not own.has_batch


def test_it_may_say_what_a_batch_costs_too():
    own = Prices.of("openai", "mine", ["mine=1/5/0.5/2"])
    assert own.cost(Tokens(fresh=1_000_000, output=1_000_000), batch=True) == Decimal("2.5") and own.has_batch


def test_writing_to_claudes_cache_costs_more_than_reading_the_article_even_by_ones_own_price():
    own = Prices.of("anthropic", "claude-haiku-5-5", ["claude-haiku-5-5=1/5"])
    assert own.cost(Tokens(cache_write=1_000_000)) == Decimal("1.25")


def test_a_server_of_ones_own_is_free():
    local = Prices.of("openai", "llama", ["llama=0/0"])
    assert local.free and local.cost(Tokens(fresh=9_000, output=9_000)) == 0 and not HAIKU.free


def test_the_figures_can_be_kept_with_a_run():
    kept = HAIKU.snapshot()
    assert kept["source"].startswith("genai-prices ")
    assert kept["standard"][0] == {"above": 0, "fresh": "0.1", "cache_read": "0.01", "cache_write": "0.125", "output": "0.5"}
    assert [step["above"] for step in kept["standard"]] == [0, 100_000] and kept["batch"][0]["fresh"] == "0.05"


def test_figures_of_ones_own_are_kept_as_such():
    kept = Prices.of("openai", "mine", ["mine=1/5"]).snapshot()
    assert (kept["source"], kept["standard"][0]["fresh"], kept["batch"]) == ("ORACLE_PRICES", "1", None)


def test_a_model_without_a_price_is_refused_with_the_way_out():
    with pytest.raises(BadInput, match="ORACLE_PRICES=claude-unheard-of=INPUT/OUTPUT"):
        Prices.of("anthropic", "claude-unheard-of")


def test_a_model_that_is_not_paid_by_the_token_is_refused():
    with pytest.raises(BadInput, match="ORACLE_PRICES"):
        Prices.of("openai", "whisper-1")


@pytest.mark.parametrize("price", ["1", "1/2/3", "one/two", "-1/5", "nan/5", "1/2/3/4/5"])
def test_a_price_that_cannot_be_read_is_refused(price: str):
    with pytest.raises(BadInput, match="must look like"):
        Prices.of("anthropic", "claude-haiku-5-5", [f"claude-haiku-5-5={price}"])


def test_money_is_rounded_up_to_the_unit_that_is_stored():
    assert usd(Decimal("0.00000000001")) == Decimal("0.0000000001")
