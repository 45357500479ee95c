"""The oracles' page: who can be asked, at what price, what was spent; a key is tried here and never shown."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling import services
from labeling.models import LabelingRun, OracleCall, Purse
from labeling.running.settling import month_of
from labeling.watching import providers
from tests.fakes.vendor import KEY, FakeVendor
from tests.labeling import world


@pytest.fixture(scope="module")
def vendor() -> Iterator[FakeVendor]:
    with FakeVendor() as server:
        yield server


@pytest.fixture
def lead(client: Client, db: None, django_user_model: Any) -> Client:
    client.force_login(django_user_model.objects.create_superuser("lead"))
    return client


@pytest.fixture
def keyed(settings: Any, vendor: FakeVendor) -> None:
    settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = KEY, vendor.url


def text_of(client: Client, address: str = "/oracles/") -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def shown(name: str) -> providers.Shown:
    return next(one for one in providers.shown() if one.name == name)


def test_it_says_who_lacks_a_key_and_how_to_give_one(lead: Client):
    page = text_of(lead)
    assert page.count("no key</span>") == 3 and "ANTHROPIC_API_KEY_FILE" in page and "DISTILLERY_SECRETS" in page
    assert "<input" not in page.split("<main")[1], "a key is given to the machine, never to a page"


def test_a_key_is_never_shown(lead: Client, keyed: None):
    page = text_of(lead)
    assert "key set" in page and "Test anthropic" in page and KEY not in page


def test_a_server_on_this_machine_is_asked_without_a_key(lead: Client, settings: Any):
    settings.OPENAI_BASE_URL = "http://127.0.0.1:11434/v1"
    assert "asked without a key" in text_of(lead)


def test_it_shows_prices_and_what_the_operator_said_of_limits(lead: Client, settings: Any):
    settings.ORACLE_PRICES = ("my-model=1.5/6/0.75/3",)
    settings.ORACLE_LIMITS = ("openai/my-model=600/200000/40000",)
    mine = next(model for model in shown("openai").models if model.name == "my-model")
    assert mine.rates is not None and (mine.rates.fresh, mine.rates.output) == (Decimal("1.5"), Decimal(6))
    assert mine.batch is not None and mine.batch.output == 3 and mine.allowed == 600
    assert "my-model" in text_of(lead)


def test_a_model_without_a_price_says_what_to_set(lead: Client):
    services.get_oracle(provider="openai", model="nobody-knows")
    assert "ORACLE_PRICES=nobody-knows" in text_of(lead)


def test_it_adds_up_what_this_month_cost(lead: Client, settings: Any):
    settings.ORACLE_MONTHLY_CAP_USD = "50"
    version, article = world.version(), world.articles(1)[0]
    oracle = services.get_oracle(provider="anthropic")
    run = LabelingRun.objects.create(version=version, oracle=oracle)
    item = run.items.create(article=article)
    for key, month in (("now", timezone.now()), ("then", timezone.now().replace(year=2020))):
        paid = {"state": "answered", "cost_usd": Decimal("1.25"), "sent_at": month}
        OracleCall.objects.create(key=key, run=run, item=item, request_hash=key, **paid)
    Purse.objects.create(name=month_of(timezone.now()), cost_usd=Decimal("1.25"), lost_usd=Decimal("0.5"))
    page = text_of(lead)
    assert shown("anthropic").spent == Decimal("1.25") and "$1.75" in page and "$50.00" in page


def test_a_cap_that_is_no_amount_is_told(lead: Client, settings: Any):
    settings.ORACLE_MONTHLY_CAP_USD = "much"
    assert "must be an amount in dollars" in text_of(lead)


def test_the_button_asks_something_tiny(lead: Client, keyed: None):
    page = lead.post("/oracles/anthropic/test", follow=True).content.decode()
    assert "Anthropic answers" in page


def test_a_wrong_key_is_told_in_a_sentence(lead: Client, keyed: None, settings: Any):
    settings.ANTHROPIC_API_KEY = "sk-mistaken"
    page = lead.post("/oracles/anthropic/test", follow=True).content.decode()
    assert '<li class="error">' in page and "sk-mistaken" not in page


def test_without_a_key_nothing_is_asked(lead: Client, vendor: FakeVendor, settings: Any):
    page = lead.post("/oracles/gemini/test", follow=True).content.decode()
    assert "GEMINI_API_KEY is not set" in page


@pytest.mark.parametrize("name", ["recorded", "nonsense"])
def test_only_paid_providers_are_tested(lead: Client, name: str):
    assert lead.post(f"/oracles/{name}/test").status_code == 404


def test_the_editor_lets_a_provider_count(lead: Client, keyed: None):
    from labeling.rubrics.drafts import Draft

    world.articles(1)
    draft = Draft.of(world.TINY)
    sent = {**{box.name: box.value for box in draft.every_box}, "fields": draft.fields, "do": "count anthropic"}
    page = lead.post("/filters/new", sent, headers={"HX-Request": "true"}).content.decode()
    assert "Let anthropic count" in page and "claude-haiku-5-5 counts" in page
