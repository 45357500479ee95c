"""What is Claude's own: its cache, its limits, models on their way out, and batches that have no name."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import anthropic
import httpx2
import pytest

from labeling.oracles import claude
from labeling.oracles.base import Limits, Oracle, OracleError, Question, Reply
from labeling.oracles.prices import Prices
from tests.contracts.oracles import ask, make, question, run
from tests.fakes.vendor import FakeVendor

LONG = "The rubric goes on. " * 400
HAIKU = Prices.of("anthropic", "claude-haiku-5-5")


@pytest.fixture
def server() -> Iterator[FakeVendor]:
    with FakeVendor() as running:
        yield running


@pytest.fixture
def oracle(server: FakeVendor) -> Oracle:
    return make("anthropic", server)


def batch(oracle: Oracle, *questions: Question) -> tuple[str, dict[str, Any]]:
    """Handed over, waited for and read: its id, and the results by key."""

    async def through() -> tuple[str, dict[str, Any]]:
        made = await oracle.submit("marker", questions)
        while not (await oracle.poll(made)).ended:
            await asyncio.sleep(0.01)
        return made, {key: answer async for key, answer in oracle.results(made)}

    (found,) = run(oracle, through())
    assert not isinstance(found, BaseException), found
    return found


# The cache


def test_a_long_rubric_is_kept_by_the_vendor_and_paid_as_such(oracle: Oracle):
    first, second = run(oracle, _one_after_the_other(oracle, question(1, system=LONG), question(2, system=LONG)))[0]
    assert first.tokens.cache_write > 0 and second.tokens.cache_read == first.tokens.cache_write
    assert second.cost_usd < first.cost_usd <= oracle.worst_cost(question(system=LONG))


async def _one_after_the_other(oracle: Oracle, *questions: Question) -> list[Reply]:
    return [await oracle.ask(each) for each in questions]


def test_a_short_rubric_carries_no_mark_and_is_reserved_as_plain_input(oracle: Oracle, server: FakeVendor):
    ask(oracle, question())
    assert isinstance(server.calls[0]["system"], str)
    assert oracle.worst_cost(question(system=LONG)) > oracle.worst_cost(question(system="", user=LONG + question().user))


def test_a_batch_carries_no_mark_for_its_parts_do_not_see_each_others_cache(oracle: Oracle, server: FakeVendor):
    batch(oracle, question(1, system=LONG), question(2, system=LONG))
    assert "cache_control" not in json.dumps(server.calls)
    assert {entry.tokens.cache_write for entry in server.ledger} == {0}


@pytest.mark.parametrize(
    ("model", "tokens"), [("claude-haiku-4-5", 4096), ("claude-opus-5-5", 512), ("claude-haiku-5-5", 1024), ("claude-x", 1024)]
)
def test_each_family_has_its_own_shortest_prefix(model: str, tokens: int):
    assert claude.cache_minimum(model) == tokens


# Limits


def test_the_limits_in_the_headers_are_handed_on(oracle: Oracle, server: FakeVendor):
    server.state.limit(requests=4000, input=2_000_000, output=400_000)
    assert ask(oracle, question()).limits == Limits(4000, 2_000_000, 400_000)


def test_they_are_handed_on_with_a_refusal_to_hurry_too(oracle: Oracle, server: FakeVendor):
    server.state.limit(requests=60)
    answers = ask(oracle, question(1), question(2), question(3))
    refused = next(answer for answer in answers if isinstance(answer, OracleError))
    assert refused.kind == "rate" and refused.limits == Limits(60) and refused.retry_after


# Errors


@pytest.mark.parametrize(
    ("status", "type", "code", "said", "kind"),
    [
        (429, "rate_limit_error", "contract_spend_limit_reached", "no", "payment"),
        (402, "billing_error", "linked_organization_spend_limit_reached", "no", "payment"),
        (400, "invalid_request_error", "", "Your credit balance is too low", "payment"),
        (429, "rate_limit_error", "ramp_limit_exceeded", "no", "rate"),
        (403, "permission_error", "", "no", "auth"),
        (400, "invalid_request_error", "organization_on_hold", "no", "request"),
        (400, "invalid_request_error", "request_body_timeout", "no", "server"),
        (400, "invalid_request_error", "", "input length and `max_tokens` exceed context limit: 199 + 4 > 200", "context"),
        (400, "invalid_request_error", "", "metadata.user_id: string too long", "request"),
        (504, "timeout_error", "", "no", "server"),
    ],
)
def test_a_refusal_is_known_by_its_code_before_its_words(status: int, type: str, code: str, said: str, kind: str):
    error = {"type": type, "message": said, "details": {"error_code": code} if code else None}
    found = claude.refused(_said(status, json.dumps({"type": "error", "error": error})), "claude-haiku-5-5")
    assert (found.kind, found.lost) == (kind, False), str(found)


def test_a_gateway_that_gave_up_may_have_left_a_bill_behind():
    assert claude.refused(_said(504, "<html>Gateway timeout</html>"), "claude-haiku-5-5").lost
    error = {"type": "error", "error": {"type": "timeout_error", "message": "timed out"}}
    assert not claude.refused(_said(504, json.dumps(error)), "claude-haiku-5-5").lost


def test_a_redirect_is_not_followed_and_said():
    error = claude.refused(_said(302, ""), "claude-haiku-5-5")
    assert error.kind == "request" and "redirect" in str(error)


def test_a_wait_can_be_told_in_milliseconds_or_as_a_date():
    soon = claude.refused(_said(429, "{}", {"retry-after-ms": "1500", "retry-after": "9"}), "m")
    later = claude.refused(_said(529, "{}", {"retry-after": "Wed, 21 Oct 2099 07:28:00 GMT"}), "m")
    assert soon.retry_after == 1.5 and later.retry_after and later.retry_after > 1e9
    assert claude.refused(_said(429, "{}", {"retry-after": "soon"}), "m").retry_after is None


def _said(status: int, body: str, headers: dict[str, str] | None = None) -> anthropic.APIStatusError:
    request = httpx2.Request("POST", "https://api.anthropic.com/v1/messages")
    response = httpx2.Response(status, text=body, headers=headers, request=request)
    try:
        value = json.loads(body)
    except ValueError:
        value = body
    return anthropic.APIStatusError(body, response=response, body=value)


# Models


def test_a_model_that_is_on_its_way_out_is_said_with_its_last_day(oracle: Oracle, server: FakeVendor):
    server.state.models["claude-haiku-5-5"] = {"lifecycle": "deprecated", "retires_at": "2027-01-31T00:00:00Z"}
    (sentence,) = run(oracle, oracle.probe())
    assert "31 January 2027" in sentence


def test_a_model_that_is_gone_is_an_error_before_it_is_asked(oracle: Oracle, server: FakeVendor):
    server.state.models["claude-haiku-5-5"] = {"lifecycle": "retired"}
    (error,) = run(oracle, oracle.probe())
    assert isinstance(error, OracleError) and "retired" in str(error) and not server.calls


def test_the_sdk_knows_some_that_leave_too(server: FakeVendor, caplog: pytest.LogCaptureFixture):
    leaving = make("anthropic", server, model="claude-sonnet-4-5")
    assert "November 30th, 2026" in leaving.notice and leaving.notice in caplog.text
    assert not make("anthropic", server).notice


# Batches


def test_what_went_wrong_in_a_batch_is_said_of_each_article(oracle: Oracle, server: FakeVendor):
    for number, fault in enumerate(("errored", "expired", "refusal", "max_tokens", "context"), start=1):
        server.fault(fault, marker=f"word{number}x0")
    _, found = batch(oracle, *(question(number) for number in range(1, 7)))
    kinds = [answer.kind if isinstance(answer, OracleError) else "answered" for _, answer in sorted(found.items())]
    assert kinds == ["server", "expired", "refusal", "truncated", "context", "answered"]
    assert sum(answer.cost_usd for answer in found.values()) == sum(entry.cost_usd for entry in server.ledger)


@pytest.mark.parametrize(
    ("error", "kind"),
    [("billing_error", "payment"), ("overloaded_error", "rate"), ("invalid_request_error", "request"), ("unheard_of", "server")],
)
def test_an_error_of_one_part_is_of_the_kind_it_would_be_alone(error: str, kind: str):
    line = {
        "custom_id": "k",
        "result": {"type": "errored", "error": {"type": "error", "error": {"type": error, "message": "no"}}},
    }
    key, answer = claude.result(line, HAIKU, "claude-haiku-5-5", "sdk")
    assert isinstance(answer, OracleError) and (key, answer.kind, answer.cost_usd) == ("k", kind, 0)


def test_results_that_break_off_are_an_error_and_not_a_short_batch(oracle: Oracle, server: FakeVendor):
    server.fault("results_cut")
    with pytest.raises(AssertionError, match="broke off"):
        batch(oracle, *(question(number) for number in range(10)))


def test_a_batch_whose_reply_was_lost_is_found_by_its_size_and_age(oracle: Oracle, server: FakeVendor):
    server.fault("lost_submit")
    error, found = run(oracle, *_lost(oracle, question(1), question(2)))
    assert error.lost and found is not None
    assert found.startswith("msgbatch_")


def _lost(oracle: Oracle, *questions: Question) -> list[Any]:
    async def submit() -> str:
        return await oracle.submit("marker", questions)

    async def find() -> str | None:
        await asyncio.sleep(0.2)
        return await _find(oracle, [each.key for each in questions])

    return [submit(), find()]


async def _find(oracle: Oracle, keys: list[str], known: tuple[str, ...] = (), age: float = 1.0) -> str | None:
    since = datetime.now(UTC) - timedelta(minutes=age)
    return await oracle.find("marker", keys=set(keys), since=since, known=set(known))


def test_one_that_never_arrived_is_not_found(oracle: Oracle, server: FakeVendor):
    server.fault("submit_drop")
    error, found = run(oracle, *_lost(oracle, question(1)))
    assert error.lost and found is None


def test_batches_of_others_are_not_taken_for_ours(oracle: Oracle, server: FakeVendor):
    made, _ = batch(oracle, question(1), question(2))
    oracle = make("anthropic", server)
    calls = [_find(oracle, ["a", "b"]), _find(oracle, ["key-1"]), _find(oracle, ["key-1", "key-2"], known=(made,))]
    assert run(oracle, *calls) == [None, None, None]
    oracle = make("anthropic", server)
    assert run(oracle, _find(oracle, ["key-2", "key-1"]), _find(oracle, ["key-1", "key-2"], age=-10)) == [made, None]


def test_between_two_that_are_under_way_nobody_guesses(oracle: Oracle, server: FakeVendor):
    server.state.polls = 100

    async def two() -> None:
        for number in (1, 2):
            await oracle.submit("marker", [question(number)])
        await _find(oracle, ["key-2"])

    (error,) = run(oracle, two())
    assert isinstance(error, OracleError) and error.kind == "server" and error.retry_after


def test_cancelling_what_has_ended_meanwhile_is_no_error(oracle: Oracle, server: FakeVendor):
    made, _ = batch(oracle, question())
    oracle = make("anthropic", server)
    assert run(oracle, oracle.cancel(made), oracle.cancel("msgbatch_gone")) == [None, None]
