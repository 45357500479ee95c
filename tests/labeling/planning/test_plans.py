"""Plan before pay: what a run would ask, cost and take, and every reason why it can't be started."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling import services
from labeling.models import Article, FilterVersion, Oracle
from labeling.planning.plans import plan, suggested_cap
from labeling.planning.wanted import Kind, Wanted
from tests.fakes.vendor import KEY, FakeVendor
from tests.labeling import world

pytestmark = pytest.mark.django_db
LONG_RUBRIC = "Think about it from every side. " * 400


@pytest.fixture
def vendor(settings: Any) -> Iterator[FakeVendor]:
    with FakeVendor() as server:
        settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = server.url, KEY
        settings.GEMINI_BASE_URL, settings.GEMINI_API_KEY = server.url, KEY
        settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = f"{server.url}/v1", KEY
        yield server


@pytest.fixture
def claude(db: None) -> Oracle:
    return services.name_oracle(provider="anthropic")


@pytest.fixture
def passed(version: FilterVersion) -> list[int]:
    world.articles(40)
    services.run_prefilter(policy=version.policies.get())
    return services.sample_articles(policy=version.policies.get())


def label(version: FilterVersion, oracle: Oracle, articles: list[int], **how: Any) -> Any:
    """These articles, labelled for money."""
    oracle = services.keep_oracle(oracle)
    run = services.start_labeling(version=version, oracle=oracle, articles=articles, budget_usd=5, agreed=True, **how)
    services.run_labeling(run_id=run.pk)
    run.refresh_from_db()
    return run


def test_it_says_what_all_will_cost_and_asks_for_nothing_but_counts(version, claude, passed, vendor):
    found = plan(version=version, oracle=claude, articles=passed)
    assert not found.refusals and (found.articles, found.known, found.ask) == (40, 0, 40)
    assert found.tokens_by == "counted by anthropic on 20 articles" and found.output_by.startswith("guessed")
    assert 0 < found.costs.batch < found.usd == found.costs.direct < found.worst_usd <= found.cap_usd
    assert found.worst_usd == pytest.approx(40 * found.worst_call_usd, rel=0.1)
    assert found.price_list["source"].startswith("genai-prices") and found.price_list["standard"][0]["fresh"]
    assert not vendor.ledger and not Oracle.objects.filter(provider="anthropic").exists()


def test_what_it_expected_is_near_what_is_paid(version, claude, passed, vendor):
    label(version, claude, passed[:10])
    claude = services.name_oracle(provider="anthropic")
    expected = plan(version=version, oracle=claude, articles=passed)
    assert (expected.known, expected.ask) == (10, 30) and expected.output_by == "measured over 10 answers"
    run = label(version, claude, passed)
    assert float(run.cost_usd) == pytest.approx(expected.usd, rel=0.1)


def test_answers_to_other_words_are_not_known(version, claude, passed, vendor):
    label(version, claude, passed[:5])
    claude = services.name_oracle(provider="anthropic")
    other = world.version(slug="other", name="Other")
    assert plan(version=version, oracle=claude, articles=passed, reading=2).known == 0
    assert plan(version=version, oracle=claude, articles=passed, also=[other]).known == 0
    assert plan(version=version, oracle=claude, articles=passed).known == 5


def test_nothing_is_paid_where_all_is_answered(version, claude, passed, vendor):
    label(version, claude, passed[:5])
    found = plan(version=version, oracle=services.name_oracle(provider="anthropic"), articles=passed[:5])
    assert (found.ask, found.usd, found.worst_usd, found.refusals) == (0, 0, 0, [])
    assert "nothing is asked and nothing paid" in found.notes[0]


def test_the_cache_counts_only_for_a_rubric_long_enough(version, claude, passed, vendor):
    short = plan(version=version, oracle=claude, articles=passed)
    assert short.costs.direct_cached is None and "so nothing is saved there" in " ".join(short.notes)
    long = world.version(slug="long", name="Long", prompt=LONG_RUBRIC)
    found = plan(version=long, oracle=claude, articles=passed)
    assert found.costs.direct_cached < found.costs.direct and found.costs.batch_cached < found.costs.batch


@pytest.mark.parametrize(
    ("limits", "bound_by"),
    [
        (["10"], "the limit of 10 requests a minute"),
        (["4000/100"], "the limit of 100 input tokens a minute"),
        (["4000/0/100"], "the limit of 100 output tokens a minute"),
        (["4000"], "4 questions out at once, 5.0 s each"),
        ([], "300 requests a minute, where an unknown limit begins; the provider's headers may allow more"),
    ],
)
def test_the_time_says_what_binds_it(version, passed, vendor, settings, limits: list[str], bound_by: str):
    settings.ORACLE_LIMITS = [f"anthropic/claude-opus-5-5={numbers}" for numbers in limits]
    settings.ORACLE_CONCURRENCY = 4 if limits else 64
    found = plan(version=version, oracle=services.name_oracle(provider="anthropic", model="claude-opus-5-5"), articles=passed)
    assert found.bound_by == bound_by and found.seconds > 0


def test_a_batch_has_its_own_price_and_no_rate(version, claude, passed, vendor):
    found = plan(version=version, oracle=claude, articles=passed, mode="batch")
    assert (
        not found.refusals and found.usd == found.costs.batch == pytest.approx(found.costs.direct / 2) and found.seconds is None
    )


def test_recorded_answers_cost_nothing_and_stay_here(version, passed):
    found = plan(version=version, oracle=services.name_oracle(provider="recorded"), articles=passed)
    assert found.worst_usd == 0 and not found.departure.asks and "Nothing is recorded for tiny" in found.refusals[0]


def test_it_says_what_leaves_and_for_where(version, claude, passed, vendor, settings):
    here = plan(version=version, oracle=claude, articles=passed).departure
    assert (
        here.host == "" and here.asks and here.sentence.startswith("Nothing leaves this machine: claude-haiku-5-5 answers at 127")
    )
    settings.ANTHROPIC_BASE_URL = "https://1.1.1.1"
    away = plan(version=version, oracle=claude, articles=[]).departure
    assert away.host == "1.1.1.1" and "title, date and the first 400 words of 0 articles go to 1.1.1.1" in away.sentence
    assert "is yours to check" in away.sentence


def test_counting_that_fails_is_estimated_and_said(version, claude, passed, settings):
    settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = KEY, "http://127.0.0.1:9"
    found = plan(version=version, oracle=claude, articles=passed)
    assert found.tokens_by == "estimated from the words" and found.usd > 0 and not found.refusals
    assert "could not be counted, so they are estimated" in found.notes[0]


@pytest.mark.parametrize(
    ("changes", "model", "sentence"),
    [
        ({"ANTHROPIC_API_KEY": ""}, "", "ANTHROPIC_API_KEY is not set"),
        ({"ANTHROPIC_API_KEY": "wrong"}, "", "Anthropic does not accept the key"),
        ({}, "claude-nobody-1", "Set ORACLE_PRICES=claude-nobody-1=INPUT/OUTPUT"),
        ({"ORACLE_PRICES": ["claude-nobody-1=1/5"]}, "claude-nobody-1", "it may be misspelt or retired"),
        ({"ORACLE_PRICES": ["claude-haiku-5-5=dear"]}, "", "must look like claude-haiku-5-5=1.0/5.0"),
        ({"ANTHROPIC_BASE_URL": "ftp://example.org"}, "", "'ftp://example.org' is not an http or https address."),
        ({"ANTHROPIC_BASE_URL": "http://169.254.169.254"}, "", "169.254.169.254 must be called by https."),
        ({"ANTHROPIC_BASE_URL": "https://169.254.169.254"}, "", "169.254.169.254 is inside a private network"),
        ({"ANTHROPIC_BASE_URL": "https://10.0.0.8"}, "", "name it in OUTBOUND_ALLOW if it is meant."),
        ({"ORACLE_MONTHLY_CAP_USD": "0.0000001"}, "", "for this month is reached"),
    ],
)
def test_what_can_be_refused_is_refused_before_anything_is_paid(
    version, passed, vendor, settings, changes: dict[str, Any], model: str, sentence: str
):
    for name, value in changes.items():
        setattr(settings, name, value)
    found = plan(version=version, oracle=services.name_oracle(provider="anthropic", model=model), articles=passed)
    assert any(sentence in one for one in found.refusals), found.refusals
    assert all(one.endswith(".") for one in found.refusals) and not vendor.ledger


@pytest.mark.parametrize(
    ("provider", "changes", "model", "sentence"),
    [
        ("openai", {"OPENAI_API_KEY": "wrong"}, "", "does not accept the key"),
        ("openai", {"ORACLE_PRICES": ["gpt-nobody=1/5"]}, "gpt-nobody", "has no model gpt-nobody for this key."),
        ("gemini", {"GEMINI_API_KEY": "wrong"}, "", "does not accept the key"),
        ("gemini", {"ORACLE_PRICES": ["gemini-nobody=1/5"]}, "gemini-nobody", "gemini-nobody"),
    ],
)
def test_other_providers_are_asked_about_key_and_model_too(
    version, passed, vendor, settings, provider: str, changes: dict[str, Any], model: str, sentence: str
):
    for name, value in changes.items():
        setattr(settings, name, value)
    found = plan(version=version, oracle=services.name_oracle(provider=provider, model=model), articles=passed)
    assert any(sentence in one for one in found.refusals), found.refusals
    assert not vendor.ledger


@pytest.mark.parametrize(
    ("provider", "by"), [("openai", "estimated from the words"), ("gemini", "counted by gemini on 20 articles")]
)
def test_every_provider_has_a_plan(version, passed, vendor, provider: str, by: str):
    found = plan(version=version, oracle=services.name_oracle(provider=provider), articles=passed)
    assert (found.refusals, found.tokens_by) == ([], by) and 0 < found.usd < found.worst_usd


def test_parameters_that_do_not_work_are_said(version, passed, vendor):
    oracle = services.name_oracle(provider="anthropic", params={"effort": "huge", "mood": "good"})
    (sentence,) = plan(version=version, oracle=oracle, articles=passed).refusals
    assert "unknown parameter mood" in sentence and "effort must be one of" in sentence


def test_an_article_over_the_context_is_said(version, passed, vendor, settings, monkeypatch):
    monkeypatch.setattr("labeling.planning.plans.context_window", lambda provider, model: 4_100)
    (sentence,) = plan(version=version, oracle=services.name_oracle(provider="anthropic"), articles=passed).refusals
    assert "The longest article takes about" in sentence and "claude-haiku-5-5 holds 4,100." in sentence


def test_filters_that_show_different_parts_are_not_asked_together(version, passed, vendor, claude):
    other = world.version(slug="other", name="Other", view={"fields": ["text"], "max_words": 50})
    assert "can't be asked in one prompt" in plan(version=version, oracle=claude, articles=passed, also=[other]).refusals[0]


def test_no_article_that_passed_is_said(version, claude):
    found = Wanted(version, claude).plan()
    assert "run the prefilter first" in found.refusals[0] and found.articles == 0


def test_a_filter_s_cap_that_leaves_less_than_the_worst_case_is_noted(version, claude, passed, vendor):
    services.set_filter_cap(filter=version.filter, budget_usd=0.05)
    version.filter.refresh_from_db()
    found = plan(version=version, oracle=claude, articles=passed)
    assert not found.refusals and "leaves $0.0500, less than the worst case" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("worst", "cap"), [("0.0312", "0.04"), ("0.0300", "0.03"), ("0.312", "0.32"), ("10.37", "11"), ("1234", "1300")]
)
def test_the_proposed_cap_is_the_worst_case_rounded_up(worst: str, cap: str):
    from decimal import Decimal

    assert suggested_cap(Decimal(worst)) == Decimal(cap)


def test_a_pilot_is_a_random_part_in_which_each_stands_for_its_share(version, claude, passed):
    wanted = Wanted(version, claude, kind=Kind.PILOT, size=10)
    assert len(wanted.articles) == 10 and wanted.sampling == {"how": "random", "size": 10, "pool": 40, "seed": 0}
    run = wanted.start(planned={}, budget_usd=1, agreed=True)
    assert run.kind == "pilot" and set(run.items.values_list("weight", flat=True)) == {4.0}


def test_fifty_times_the_articles_cost_hardly_more_queries(version, claude, vendor, django_assert_max_num_queries):
    Article.objects.bulk_create(
        Article(source="many", external_id=str(n), title=f"Title {n}", text=f"word {n}", words=450, text_sha256=f"{n:064}")
        for n in range(5_000)
    )
    articles = list(Article.objects.values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as few:
        plan(version=version, oracle=claude, articles=articles[:100])
    with django_assert_max_num_queries(len(few) + 10):
        assert plan(version=version, oracle=claude, articles=articles).ask == 5_000
