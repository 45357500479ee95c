"""A labelling run against Claude's protocol: what it spends, what stops it, and how it goes on."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from distillery_site.common.errors import BadInput
from labeling import figures, services
from labeling.asking import Asking
from labeling.models import Article, FilterVersion, LabelingItem, LabelingRun, OracleLabel
from labeling.oracles import anthropic, base
from tests.fakes.vendor import KEY, FakeVendor, score
from tests.labeling import world

pytestmark = pytest.mark.django_db
PLENTY = Decimal(1)


@pytest.fixture(autouse=True)
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVendor]:
    monkeypatch.setattr(base, "BACKOFF_SECONDS", 0.0)
    with FakeVendor() as running:
        settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = running.url, KEY
        yield running


@pytest.fixture
def one_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """One question at a time, where a test counts them."""
    monkeypatch.setattr(anthropic.AnthropicOracle, "concurrency", 1)


def start(version: FilterVersion, count: int = 4, budget: Decimal = PLENTY, **how: Any) -> LabelingRun:
    oracle = services.get_oracle(provider="anthropic")
    return services.start_labeling(
        version=version, oracle=oracle, articles=world.keys(world.articles(count)), budget_usd=budget, **how
    )


def work(run: LabelingRun) -> figures.RunCounts:
    LabelingRun.objects.filter(pk=run.pk).update(not_before=None)
    services.run_labeling(run_id=run.pk)
    run.refresh_from_db()
    assert run.reserved_usd == 0 and not run.items.exclude(reserved_usd=None).exists()
    return figures.run_counts(run)


def test_it_labels_every_article_and_books_what_it_cost(version: FilterVersion, server: FakeVendor):
    server.state.seconds = 0.05
    run = start(version, 20)
    assert work(run) == figures.RunCounts(labelled=20)
    label = OracleLabel.objects.get(article__external_id="3")
    asked = next(call["messages"][0]["content"] for call in server.calls if "word3x" in call["messages"][0]["content"])
    assert label.scores == [score("good", asked), score("bad", asked)]
    assert run.cost_usd == sum(OracleLabel.objects.values_list("cost_usd", flat=True)) > 0
    assert label.input_tokens and label.output_tokens and label.request_id and label.seconds > 0
    assert 1 < server.state.most_busy <= 8


def test_it_asks_the_rubric_and_the_first_words_of_the_view(server: FakeVendor):
    short = world.version(view={"fields": ["title", "text"], "max_words": 5})
    work(start(short, 1))
    (call,) = server.calls
    assert "how good" in call["system"] and "Title 0" in call["messages"][0]["content"]
    assert "word0x4" in call["messages"][0]["content"] and "word0x5" not in call["messages"][0]["content"]


def test_what_was_answered_before_is_not_asked_again(version: FilterVersion, server: FakeVendor):
    work(start(version, 3))
    assert work(start(version, 5)) == figures.RunCounts(labelled=2, stored=3)
    assert len(server.calls) == OracleLabel.objects.count() == 5


def test_a_second_reading_asks_again(version: FilterVersion, server: FakeVendor):
    work(start(version, 2))
    assert work(start(version, 2, reading=2)) == figures.RunCounts(labelled=2)
    assert len(services.repeat_pairs(version, services.get_oracle(provider="anthropic"))) == 2


def test_an_edited_article_is_asked_about_again(version: FilterVersion):
    work(start(version, 1))
    services.import_articles(source="desk", rows=[{**world.rows(1)[0], "title": "Corrected"}])
    run = services.start_labeling(
        version=version,
        oracle=services.get_oracle(provider="anthropic"),
        budget_usd=PLENTY,
        articles=list(Article.objects.values_list("pk", flat=True)),
    )
    assert work(run) == figures.RunCounts(labelled=1)
    assert OracleLabel.objects.count() == 2 and OracleLabel.objects.current().count() == 1


def test_a_paid_oracle_never_starts_without_a_cap(version: FilterVersion):
    oracle = services.get_oracle(provider="anthropic")
    with pytest.raises(BadInput, match="give a cap in USD"):
        services.start_labeling(version=version, oracle=oracle, articles=world.keys(world.articles(1)))


def test_a_model_without_a_price_never_starts(version: FilterVersion, settings: Any):
    oracle = services.get_oracle(provider="anthropic", model="claude-unheard-of")
    articles = world.keys(world.articles(1))
    with pytest.raises(BadInput, match="No price is known for claude-unheard-of"):
        services.start_labeling(version=version, oracle=oracle, articles=articles, budget_usd=PLENTY)
    settings.ORACLE_PRICES = ["claude-unheard-of=1/5"]
    assert services.start_labeling(version=version, oracle=oracle, articles=articles, budget_usd=PLENTY)


def test_a_run_pauses_at_its_cap_and_goes_on_under_a_higher_one(version: FilterVersion, server: FakeVendor, analyst: Any):
    run = start(version, 30, Decimal("0.003"))
    counts = work(run)
    assert run.state == "paused" and "The cap of $0.0030 is reached" in run.error
    assert 0 < counts.labelled < 30 and run.cost_usd + run.lost_usd <= run.budget_usd
    services.resume_labeling(run=run, budget_usd=PLENTY, actor=analyst)
    assert work(run).labelled == 30
    assert run.state == "done" and len(server.calls) == 30


def test_a_cap_below_one_call_sends_nothing(version: FilterVersion, server: FakeVendor):
    run = start(version, 3, Decimal("0.000001"))
    assert work(run) == figures.RunCounts(waiting=3)
    assert run.state == "paused" and server.calls == []


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("401", "does not accept the key"),
        ("402", "wants payment"),
        ("spend_limit", "wants payment"),
        ("400", "refused the"),
    ],
)
def test_what_only_a_person_can_mend_pauses_the_run(version: FilterVersion, server: FakeVendor, fault: str, sentence: str):
    server.fault(fault, times=20)
    run = start(version, 3)
    assert work(run) == figures.RunCounts(waiting=3)
    assert run.state == "paused" and sentence in run.error
    server.state.faults.clear()
    services.resume_labeling(run=run)
    assert work(run).labelled == 3


def test_no_key_pauses_the_run_with_a_sentence(version: FilterVersion, settings: Any):
    settings.ANTHROPIC_API_KEY = ""
    run = start(version, 1)
    work(run)
    assert (run.state, run.error) == ("paused", "ANTHROPIC_API_KEY is not set; set it and resume the run.")


def test_a_key_is_never_sent_into_the_own_network(version: FilterVersion, settings: Any, server: FakeVendor):
    settings.ANTHROPIC_BASE_URL = "https://169.254.169.254"
    run = start(version, 1)
    work(run)
    assert run.state == "failed" and "private network" in run.error and server.calls == []


def test_a_rate_limit_sends_the_run_back_to_the_queue(version: FilterVersion, server: FakeVendor, one_lane: None):
    server.fault("429", marker="word1x", retry_after="3600")
    run = start(version, 3)
    assert work(run) == figures.RunCounts(waiting=2, labelled=1)
    assert run.state == "queued" and run.not_before > timezone.now() + timedelta(minutes=59)
    services.run_labeling(run_id=run.pk)
    assert len(server.calls) == 2, "nothing is asked before its time"
    assert work(run).labelled == 3


def test_patience_is_not_used_up_while_there_is_progress(version: FilterVersion, server: FakeVendor, one_lane: None):
    run = start(version, 8)
    for number in range(1, 8):
        server.fault("529", marker=f"word{number}x")
        assert work(run).labelled == number
    assert work(run).labelled == 8 and run.state == "done"


def test_a_server_error_is_tried_again_at_once(version: FilterVersion, server: FakeVendor):
    server.fault("500", times=2, marker="word0x")
    assert work(start(version, 2)) == figures.RunCounts(labelled=2)
    assert len(server.calls) == 4


def test_an_article_that_breaks_the_server_fails_alone(version: FilterVersion, server: FakeVendor, one_lane: None):
    server.fault("500", times=3, marker="word1x")
    run = start(version, 3)
    assert work(run) == figures.RunCounts(labelled=2, failed=1)
    (problem,) = figures.run_problems(run)
    assert (problem.error_class, problem.count, problem.article.external_id) == ("server", 1, "1")


def test_an_outage_fails_no_more_than_one_article(version: FilterVersion, server: FakeVendor, one_lane: None):
    server.fault("500", times=100)
    run = start(version, 10)
    assert work(run) == figures.RunCounts(waiting=9, failed=1)
    assert run.state == "queued" and "Anthropic failed (500)" in run.error


def test_a_lost_reply_is_booked_and_asked_again(version: FilterVersion, server: FakeVendor):
    server.fault("drop", marker="word0x")
    run = start(version, 2)
    assert work(run) == figures.RunCounts(labelled=2)
    assert run.lost_usd > run.cost_usd > 0 and run.state == "done"


def test_a_dead_network_sends_the_run_back_and_fails_nothing(version: FilterVersion, settings: Any):
    settings.ANTHROPIC_BASE_URL = "http://127.0.0.1:9"
    run = start(version, 2)
    assert work(run) == figures.RunCounts(waiting=2)
    assert (run.state, run.lost_usd) == ("queued", 0) and "can't be reached" in run.error


def test_an_answer_that_was_cut_off_is_asked_once_more_with_more_room(version: FilterVersion, server: FakeVendor):
    server.fault("max_tokens", marker="word0x")
    run = start(version, 1)
    assert work(run) == figures.RunCounts(labelled=1)
    assert [call["max_tokens"] for call in server.calls] == [4000, 8000]
    assert run.cost_usd > OracleLabel.objects.get().cost_usd, "the first try was paid for too"


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        ("refusal", "refusal: cyber"),
        ("missing_dimension", "invalid"),
        ("out_of_range", "invalid"),
        ("413", "invalid"),
    ],
)
def test_what_one_article_does_wrong_fails_that_article(version: FilterVersion, server: FakeVendor, fault: str, error_class: str):
    server.fault(fault, marker="word1x")
    run = start(version, 3)
    assert work(run) == figures.RunCounts(labelled=2, failed=1)
    item = run.items.get(state=LabelingItem.State.FAILED)
    assert (run.state, item.error_class) == ("done", error_class) and item.error and item.raw_answer
    assert run.stage == "2 labelled, 1 failed"


def test_a_run_that_was_cancelled_before_it_began_asks_nothing(version: FilterVersion, server: FakeVendor):
    run = start(version, 2)
    services.cancel_labeling(run=run)
    assert work(run) == figures.RunCounts(waiting=2)
    assert run.state == "cancelled" and server.calls == []


def test_cancelling_keeps_the_answers_that_are_paid_for(
    version: FilterVersion, server: FakeVendor, one_lane: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("labeling.asking.BEAT_SECONDS", 0.05)
    server.state.seconds = 0.1
    run = start(version, 50)
    cancel_after(run, monkeypatch, answers=3)
    counts = work(run)
    assert run.state == "cancelled" and 0 < counts.labelled == len(server.calls) < 50


def cancel_after(run: LabelingRun, monkeypatch: pytest.MonkeyPatch, answers: int) -> None:
    """Have a person cancel the run when this many answers are stored."""
    settle = Asking._settle

    def settle_and_cancel(self: Asking, replies: Any) -> Any:
        done = settle(self, replies)
        if OracleLabel.objects.count() == answers:
            LabelingRun.objects.get(pk=run.pk).request_cancel()
        return done

    monkeypatch.setattr(Asking, "_settle", settle_and_cancel)
