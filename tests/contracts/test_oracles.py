"""What every oracle keeps to, run over each of them: the recorded one and Claude through the real SDK."""

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from labeling.oracles import registry
from labeling.oracles.base import Judgement, Oracle, OracleError, Question
from labeling.prompts import build
from tests.fakes.vendor import KEY, FakeVendor

KEYS = ("good", "bad")
DIMENSIONS = [{"key": key, "name": key, "description": f"how {key}", "anchors": {"0": "not", "10": "very"}} for key in KEYS]
PARAMS = {"effort": "low", "max_tokens": 1000}


def question(number: int = 1, **changes: Any) -> Question:
    text = " ".join(f"word{number}x{place}" for place in range(70))
    system, user, schema = build(DIMENSIONS, "How good, how bad?", text)
    asked = Question(f"desk:{number}", text, system, user, schema, KEYS)
    return dataclasses.replace(asked, **changes)


def ask(oracle: Oracle, *questions: Question) -> Any:
    """The judgement, or the error as it was raised; the oracle is closed afterwards."""

    async def both() -> list[Any]:
        try:
            return await asyncio.gather(*(oracle.judge(each) for each in questions), return_exceptions=True)
        finally:
            await oracle.aclose()

    answers = asyncio.run(both())
    return answers[0] if len(answers) == 1 else answers


@pytest.fixture
def server() -> Iterator[FakeVendor]:
    with FakeVendor() as running:
        yield running


@pytest.fixture
def claude(server: FakeVendor) -> Oracle:
    return make_claude(server)


def make_claude(server: FakeVendor, **changes: Any) -> Oracle:
    needs = {"api_key": KEY, "base_url": server.url, "prices": [], **changes}
    return registry.make("anthropic", "claude-haiku-5-5", PARAMS, **needs)


@pytest.fixture
def recorded(tmp_path: Path) -> Oracle:
    rows = [{"article_id": str(number), "scores": {"good": 7, "bad": None}, "reasoning": "Well."} for number in (1, 2)]
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return registry.make("recorded", "claude", {}, folder=tmp_path, source="desk")


@pytest.fixture(params=["recorded", "claude"])
def oracle(request: pytest.FixtureRequest) -> Oracle:
    return request.getfixturevalue(request.param)


def test_it_scores_every_dimension_in_the_order_asked(oracle: Oracle):
    judgement = ask(oracle, question())
    assert isinstance(judgement, Judgement)
    assert len(judgement.scores) == len(KEYS)
    assert all(score is None or 0 <= score <= 10 for score in judgement.scores)
    assert judgement.reasoning and json.loads(judgement.raw)["scores"].keys() == set(KEYS)


def test_the_same_question_gets_the_same_scores(oracle: Oracle):
    first, second = ask(oracle, question(), question())
    assert first.scores == second.scores


def test_a_call_never_costs_more_than_its_worst_case(oracle: Oracle):
    worst = oracle.worst_cost(question())
    assert isinstance(worst, Decimal) and ask(oracle, question()).cost_usd <= worst


def test_an_oracle_says_how_it_wants_to_be_asked(oracle: Oracle):
    assert oracle.concurrency >= 1 and oracle.chunk >= 1 and oracle.provider in registry.PROVIDERS


def test_a_recording_that_is_not_there_is_absent_and_no_failure(recorded: Oracle):
    answer = ask(recorded, question(3))
    assert isinstance(answer, OracleError) and answer.kind == "absent" and not answer.pauses_run


def test_a_recording_of_another_reading_is_absent_too(recorded: Oracle):
    assert ask(recorded, question(1, reading=2)).kind == "absent"


def test_null_stays_null(recorded: Oracle):
    assert ask(recorded, question()).scores == (7.0, None)


def test_claude_is_asked_in_the_words_of_today(claude: Oracle, server: FakeVendor):
    judgement = ask(claude, question())
    (request,) = server.calls
    assert request["output_config"]["format"]["schema"]["properties"]["scores"]["required"] == list(KEYS)
    assert request["output_config"]["effort"] == "low" and "temperature" not in request
    assert judgement.request_id.startswith("req_") and judgement.model == "claude-haiku-5-5"
    assert judgement.input_tokens > 0 and judgement.output_tokens > 0 and judgement.cost_usd > 0


@pytest.mark.parametrize(
    ("fault", "kind", "pauses", "costs", "lost"),
    [
        ("401", "auth", True, False, False),
        ("402", "payment", True, False, False),
        ("spend_limit", "payment", True, False, False),
        ("400", "request", True, False, False),
        ("413", "invalid", False, False, False),
        ("429", "rate", False, False, False),
        ("529", "rate", False, False, False),
        ("500", "server", False, False, False),
        ("refusal", "refusal", False, True, False),
        ("max_tokens", "truncated", False, True, False),
        ("missing_dimension", "invalid", False, True, False),
        ("out_of_range", "invalid", False, True, False),
        ("html", "server", False, False, True),
        ("other_json", "server", False, False, True),
        ("truncated_json", "server", False, False, True),
        ("drop", "network", False, False, True),
    ],
)
def test_claude_names_what_went_wrong(
    claude: Oracle, server: FakeVendor, fault: str, kind: str, pauses: bool, costs: bool, lost: bool
):
    server.fault(fault)
    error = ask(claude, question())
    assert isinstance(error, OracleError), error
    assert (error.kind, error.pauses_run, error.cost_usd > 0, error.lost) == (kind, pauses, costs, lost)
    assert str(error)[0].isupper() and len(server.calls) == 1, "the SDK must not try again by itself"


def test_a_long_retry_after_is_handed_on_and_not_slept_out(claude: Oracle, server: FakeVendor):
    server.fault("429", retry_after="3600")
    assert ask(claude, question()).retry_after == 3600


def test_a_refusal_is_counted_by_its_category(claude: Oracle, server: FakeVendor):
    server.fault("refusal", category="frontier_llm")
    assert ask(claude, question()).label == "refusal: frontier_llm"


def test_an_answer_that_was_cut_off_gets_twice_the_room(claude: Oracle, server: FakeVendor):
    first, again = question(), question().again()
    ask(claude, first, again)
    assert sorted(call["max_tokens"] for call in server.calls) == [1000, 2000]
    assert claude.worst_cost(again) > claude.worst_cost(first)


def test_nobody_listening_is_a_network_error_that_cost_nothing(server: FakeVendor):
    error = ask(make_claude(server, base_url="http://127.0.0.1:9"), question())
    assert (error.kind, error.lost) == ("network", False)


def test_a_wrong_key_is_the_operators_business(server: FakeVendor):
    assert ask(make_claude(server, api_key="stolen"), question()).kind == "auth"


def test_no_key_is_said_before_anything_is_sent(server: FakeVendor):
    with pytest.raises(OracleError, match="ANTHROPIC_API_KEY is not set") as caught:
        make_claude(server, api_key="")
    assert caught.value.pauses_run
