"""What is refused before anybody is asked and anything is paid."""

from typing import Any

import pytest

from distillery_site.common.errors import BadInput, DistilleryError
from labeling.models import Filter, FilterVersion, Oracle
from labeling.oracles import registry
from labeling.running.engage import can_be_asked, engage
from tests.fakes.vendor import KEY, FakeVendor

VERSION = FilterVersion(filter=Filter(slug="mine"))
PAID = sorted(name for name, known in registry.PROVIDERS.items() if known.paid)


def oracle(provider: str = "anthropic", model: str = "", **params: Any) -> Oracle:
    known = registry.provider(provider)
    return Oracle(provider=provider, model=model or known.default_model, params={**known.defaults, **params})


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    for name in PAID:
        setattr(settings, registry.provider(name).key_setting, KEY)
        setattr(settings, registry.provider(name).url_setting, "http://127.0.0.1:9")
    settings.ORACLE_PRICES, settings.OUTBOUND_ALLOW, settings.ORACLE_CONCURRENCY = [], [], 0


def refusal(asked: Oracle) -> str:
    with pytest.raises(DistilleryError) as caught:
        engage(asked, VERSION)
    return str(caught.value)


@pytest.mark.parametrize("provider", PAID)
def test_it_makes_an_oracle_ready_to_ask(provider: str):
    ready = engage(oracle(provider), VERSION)
    assert (
        ready.provider == provider
        and ready.concurrency == (64 if provider == "openai" else 400)
        and ready.batch_limits is not None
    )


def test_the_operator_says_how_much_may_be_out_at_once_and_for_how_long(settings: Any):
    settings.ORACLE_CONCURRENCY, settings.ORACLE_TIMEOUT = 7, 3.5
    ready: Any = engage(oracle(), VERSION)
    assert ready.concurrency == 7 and ready._timeout == 3.5


@pytest.mark.parametrize("provider", PAID)
def test_no_key_is_refused_by_the_name_of_its_setting(settings: Any, provider: str):
    known = registry.provider(provider)
    setattr(settings, known.key_setting, "")
    setattr(settings, known.url_setting, "https://vendor.invalid")
    assert refusal(oracle(provider)).startswith(f"{known.key_setting} is not set")
    assert not can_be_asked(provider)


def test_a_server_on_this_machine_may_want_no_key(settings: Any):
    settings.OPENAI_API_KEY, settings.ORACLE_PRICES = "", ["llama=0/0"]
    assert can_be_asked("openai") and engage(oracle("openai", "llama"), VERSION).model == "llama"


@pytest.mark.parametrize("provider", PAID)
@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("ftp://vendor.example", "not an http or https address"),
        ("vendor.example", "not an http or https address"),
        ("https://169.254.169.254", "inside a private network"),
        ("https://10.0.0.5/v1", "inside a private network"),
        ("https://[fe80::1]", "inside a private network"),
        ("http://93.184.216.34", "must be called by https"),
        ("https://user:pass@93.184.216.34", "user name or password"),
    ],
)
def test_an_address_that_nothing_may_be_sent_to_is_refused(settings: Any, provider: str, address: str, why: str):
    setattr(settings, registry.provider(provider).url_setting, address)
    assert why in refusal(oracle(provider))


def test_a_host_inside_the_network_can_be_allowed(settings: Any):
    settings.OPENAI_BASE_URL, settings.OUTBOUND_ALLOW = "http://10.0.0.5:8000/v1", ["10.0.0.5"]
    assert engage(oracle("openai"), VERSION)


def test_a_model_that_nobody_knows_the_price_of_asks_for_it():
    assert "ORACLE_PRICES=claude-unheard-of=" in refusal(oracle(model="claude-unheard-of"))


@pytest.mark.parametrize("params", [{"temperature": 0}, {"effort": "heroic"}, {"max_tokens": 5}])
def test_parameters_that_do_not_work_are_refused(params: dict[str, Any]):
    assert "parameters don't work" in refusal(oracle(**params))


def test_a_provider_that_does_not_exist_is_refused():
    with pytest.raises(BadInput, match="no oracle provider 'clippy'"):
        engage(Oracle(provider="clippy", model="x", params={}), VERSION)


def test_recordings_answer_their_own_rubric_only():
    assert "Nothing is recorded for mine" in refusal(oracle("recorded"))
    other = FilterVersion(filter=Filter(slug="uplifting"), number=2, rubric_hash="another")
    with pytest.raises(BadInput, match="another rubric"):
        engage(oracle("recorded"), other)


def test_nothing_is_sent_by_making_an_oracle(settings: Any):
    with FakeVendor() as server:
        for name in PAID:
            setattr(settings, registry.provider(name).url_setting, server.url)
            engage(oracle(name), VERSION)
        assert not server.calls and not server.state.counts


def test_a_key_stands_in_no_error(settings: Any):
    settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = "sk-very-secret", "https://169.254.169.254"
    assert "sk-very-secret" not in refusal(oracle())
