"""What every oracle keeps to when it is asked, run over each: recorded ones, and every vendor through its real SDK."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from labeling.oracles import registry
from labeling.oracles.base import Oracle, OracleError, Reply, usd
from labeling.prompting.prompts import read, repair
from tests.contracts.oracles import KEYS, PAID, PROMPT, ask, make, question, run
from tests.fakes.vendor import FakeVendor


@pytest.fixture
def server() -> Iterator[FakeVendor]:
    with FakeVendor() as running:
        yield running


@pytest.fixture
def recorded(tmp_path: Path) -> Oracle:
    rows = [{"article_id": str(number), "scores": {"good": 7, "bad": None}, "reasoning": "Well."} for number in (1, 2)]
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return registry.make("recorded", "claude", {}, folder=tmp_path, source="desk")


@pytest.fixture(params=PAID)
def paid(request: pytest.FixtureRequest, server: FakeVendor) -> Oracle:
    return make(request.param, server)


@pytest.fixture(params=["recorded", *PAID])
def oracle(request: pytest.FixtureRequest, server: FakeVendor) -> Oracle:
    return request.getfixturevalue("recorded") if request.param == "recorded" else make(request.param, server)


# Whoever is asked


def test_it_answers_with_json_that_the_rubric_can_be_read_from(oracle: Oracle):
    reply = ask(oracle, question())
    assert isinstance(reply, Reply), reply
    (parsed,) = read(reply.text, PROMPT, question().text)
    assert len(parsed.scores) == len(KEYS) and parsed.reasoning
    assert all(score is None or 0 <= score <= 10 for score in parsed.scores)


def test_the_same_question_gets_the_same_scores(oracle: Oracle):
    first, second = ask(oracle, question(), question())
    assert json.loads(first.text)["scores"] == json.loads(second.text)["scores"]


def test_a_call_never_costs_more_than_its_worst_case(oracle: Oracle):
    worst = oracle.worst_cost(question())
    assert isinstance(worst, Decimal) and ask(oracle, question()).cost_usd <= worst
    assert oracle.worst_cost(question(), batch=True) <= worst


def test_an_oracle_says_how_it_wants_to_be_asked(oracle: Oracle):
    assert oracle.concurrency >= 1 and oracle.provider in registry.PROVIDERS


def test_one_tiny_call_says_in_a_sentence_that_all_works(oracle: Oracle):
    (sentence,) = run(oracle, oracle.probe())
    assert isinstance(sentence, str) and sentence[0].isupper() and sentence.endswith("."), sentence


# Recordings


def test_a_recording_that_is_not_there_is_absent_and_no_failure(recorded: Oracle):
    answer = ask(recorded, question(3))
    assert isinstance(answer, OracleError) and answer.kind == "absent" and not answer.pauses_run


def test_a_recording_of_another_reading_is_absent_too(recorded: Oracle):
    assert ask(recorded, question(1, reading=2)).kind == "absent"


def test_null_stays_null_and_nothing_is_quoted(recorded: Oracle):
    (parsed,) = read(ask(recorded, question()).text, PROMPT, question().text)
    assert parsed.scores == (7.0, None) and parsed.evidence == ()


# Vendors


def test_the_books_say_what_the_vendor_bills(paid: Oracle, server: FakeVendor):
    reply = ask(paid, question())
    (entry,) = server.ledger
    assert usd(reply.cost_usd) == usd(entry.cost_usd) > 0
    assert reply.tokens == type(reply.tokens)(**vars(entry.tokens))


def test_a_reply_can_be_traced(paid: Oracle):
    reply = ask(paid, question())
    assert reply.request_id and reply.model == paid.model and reply.seconds > 0
    assert reply.sdk.split()[1][0].isdigit()


def test_what_leaves_is_the_question_and_nothing_that_nobody_asked_for(paid: Oracle, server: FakeVendor):
    ask(paid, question())
    sent = json.dumps(server.calls)
    assert "How good, how bad?" in sent and "word1x0" in sent
    assert not any(f'"{name}"' in sent for name in ("temperature", "seed", "key-1", "desk:1"))


def test_a_repair_shows_the_model_its_answer_and_what_is_wrong_with_it(paid: Oracle, server: FakeVendor):
    reply = ask(paid, repair(question(), "Seven, I would say.", "It is no JSON."))
    assert isinstance(reply, Reply), reply
    sent = json.dumps(server.calls)
    assert sent.index("word1x0") < sent.index("Seven, I would say.") < sent.index("It is no JSON.")


@pytest.mark.parametrize(
    ("fault", "kind", "costs", "lost"),
    [
        ("401", "auth", False, False),
        ("402", "payment", False, False),
        ("spend_limit", "payment", False, False),
        ("400", "request", False, False),
        ("404", "request", False, False),
        ("413", "context", False, False),
        ("context", "context", False, False),
        ("429", "rate", False, False),
        ("529", "rate", False, False),
        ("500", "server", False, False),
        ("refusal", "refusal", True, False),
        ("max_tokens", "truncated", True, False),
        ("html", "server", False, True),
        ("other_json", "server", False, True),
        ("truncated_json", "server", False, True),
        ("drop", "network", False, True),
        ("drop_middle", "network", False, True),
    ],
)
def test_it_names_what_went_wrong(paid: Oracle, server: FakeVendor, fault: str, kind: str, costs: bool, lost: bool):
    server.fault(fault)
    error = ask(paid, question())
    assert isinstance(error, OracleError), error
    assert (error.kind, error.cost_usd > 0, error.lost) == (kind, costs, lost), str(error)
    assert (error.tokens.output > 0) == costs
    assert str(error)[0].isupper(), str(error)
    assert len(server.calls) == 1, "the SDK must not try again by itself"


def test_an_answer_that_takes_too_long_is_given_up_and_may_have_been_billed(server: FakeVendor):
    server.fault("hang", times=len(PAID), seconds=30)
    for name in PAID:
        error = ask(make(name, server, timeout=0.3), question())
        assert (error.kind, error.lost) == ("network", True), name
    assert len(server.calls) == len(PAID)


def test_a_long_retry_after_is_handed_on_and_not_slept_out(paid: Oracle, server: FakeVendor):
    server.fault("429", retry_after="3600")
    assert ask(paid, question()).retry_after == 3600


def test_a_refusal_is_counted_by_its_category(paid: Oracle, server: FakeVendor):
    server.fault("refusal")
    error = ask(paid, question())
    assert error.label.startswith("refusal: ") and error.category


def test_an_answer_that_was_cut_off_gets_twice_the_room(paid: Oracle, server: FakeVendor):
    first, again = question(), question(room=1)
    ask(paid, first, again)
    sent = sorted(int(found) for call in server.calls for found in _limits(call))
    assert sent == [1000, 2000]
    assert paid.worst_cost(again) > paid.worst_cost(first)


def _limits(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name in ("max_tokens", "maxOutputTokens", "max_completion_tokens"):
                yield part
            yield from _limits(part)


def test_nobody_listening_is_a_network_error_that_cost_nothing(paid: Oracle, server: FakeVendor):
    address = {"anthropic": "http://127.0.0.1:9", "gemini": "http://127.0.0.1:9", "openai": "http://127.0.0.1:9/v1"}
    error = ask(make(paid.provider, server, base_url=address[paid.provider]), question())
    assert (error.kind, error.lost) == ("network", False)


def test_a_wrong_key_is_the_operators_business(paid: Oracle, server: FakeVendor):
    error = ask(make(paid.provider, server, api_key="stolen"), question())
    assert error.kind == "auth" and "stolen" not in str(error) + error.raw


def test_no_key_is_said_before_anything_is_sent(paid: Oracle, server: FakeVendor):
    setting = registry.provider(paid.provider).key_setting
    with pytest.raises(OracleError, match=f"{setting} is not set") as caught:
        make(paid.provider, server, api_key="", base_url="https://example.org/v1")
    assert caught.value.pauses_run and not server.calls


def test_many_answers_are_awaited_at_once(paid: Oracle, server: FakeVendor):
    server.state.seconds = 0.5
    replies = ask(make(paid.provider, server, concurrency=100), *(question(number) for number in range(100)))
    assert all(isinstance(reply, Reply) for reply in replies)
    assert server.state.most_busy >= 90


def test_tokens_are_counted_by_the_vendor_where_it_can(paid: Oracle):
    (count,) = run(paid, paid.count_tokens(question()))
    assert count is None or count > 0


def test_a_model_nobody_has_is_named_in_the_sentence(paid: Oracle, server: FakeVendor):
    error = ask(make(paid.provider, server, model="unheard-of", prices=["unheard-of=1/5"]), question())
    assert error.kind == "request" and "unheard-of" in str(error)
