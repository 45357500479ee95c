"""What is Gemini's own: how it is asked, what its counts mean, and the many ways in which it says no."""

from collections.abc import Iterator
from typing import Any

import pytest

from distillery_site.common.errors import BadInput
from labeling.oracles import gemini_replies as replies
from labeling.oracles import registry
from labeling.oracles.base import OracleError, Reply, Tokens
from labeling.oracles.gemini import ordered
from labeling.oracles.prices import Prices
from labeling.prompting.prompts import repair
from tests.contracts.oracles import PROMPT, ask, call, make, question, run
from tests.fakes.plain_server import PlainServer, Said
from tests.fakes.vendor import FakeVendor

MODEL = "gemini-3.5-flash-lite"
PRICES = Prices.of("gemini", MODEL)
USED = {"promptTokenCount": 900, "candidatesTokenCount": 200, "thoughtsTokenCount": 60, "totalTokenCount": 1160}
VIOLATION = "type.googleapis.com/google.rpc.QuotaFailure"


@pytest.fixture
def server() -> Iterator[FakeVendor]:
    with FakeVendor() as running:
        yield running


def said(**changes: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": "{}"}]}
    whole = {"candidates": [{"content": content, "finishReason": "STOP"}], "usageMetadata": USED, "modelVersion": MODEL}
    return {**whole, **changes}


def read(value: Any) -> Reply | OracleError:
    try:
        return replies.reply(value, PRICES, sdk="")
    except OracleError as error:
        return error


def quota(quota_id: str) -> dict[str, Any]:
    return {"@type": VIOLATION, "violations": [{"quotaId": quota_id, "quotaMetric": "…"}]}


def refusal(code: int, message: str, *facts: dict[str, Any]) -> OracleError:
    return replies.failure(code, {"error": {"code": code, "message": message, "details": list(facts)}}, MODEL)


# How it is asked


def test_it_is_asked_for_evidence_before_reasoning_before_scores(server: FakeVendor):
    ask(make("gemini", server), question())
    (request,) = server.calls
    config = request["generationConfig"]
    assert config["responseJsonSchema"]["propertyOrdering"] == ["evidence", "reasoning", "scores"]
    assert config["responseJsonSchema"]["properties"]["scores"]["propertyOrdering"] == ["good", "bad"]
    assert config["responseMimeType"] == "application/json" and config["maxOutputTokens"] == 1000
    assert request["systemInstruction"]["parts"][0]["text"] == PROMPT.system
    assert not {"temperature", "seed", "thinkingConfig"} & config.keys(), "what isn't set isn't sent"


def test_the_order_reaches_into_a_joint_prompts_parts():
    joint = {"type": "object", "properties": {"one": PROMPT.schema, "two": PROMPT.schema}}
    assert ordered(joint)["properties"]["two"]["propertyOrdering"] == ["evidence", "reasoning", "scores"]
    assert "propertyOrdering" not in PROMPT.schema, "the prompt's own schema, and so its hash, stays as it is"


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ({"temperature": 0}, {"temperature": 0}),
        ({"seed": 7}, {"seed": 7}),
        ({"thinking_level": "low"}, {"thinkingConfig": {"thinkingLevel": "LOW"}}),
        ({"thinking_budget": 0}, {"thinkingConfig": {"thinkingBudget": 0}}),
    ],
)
def test_parameters_are_sent_where_they_are_set(server: FakeVendor, params: dict[str, Any], sent: dict[str, Any]):
    ask(make("gemini", server, params=params), question())
    assert sent.items() <= server.calls[0]["generationConfig"].items()


def test_a_repair_is_a_conversation(server: FakeVendor):
    ask(make("gemini", server), repair(question(), "{}", "The scores are missing."))
    assert [content["role"] for content in server.calls[0]["contents"]] == ["user", "model", "user"]


def test_parameters_that_don_t_work_are_named_together(server: FakeVendor):
    with pytest.raises(BadInput) as caught:
        make("gemini", server, params={"temperature": 3, "effort": "low", "max_tokens": 10, "thinking_level": "deep"})
    for name in ("unknown parameter effort", "temperature must be", "max_tokens must be", "thinking_level must be"):
        assert name in str(caught.value)


def test_thinking_is_limited_in_one_way_only(server: FakeVendor):
    with pytest.raises(BadInput, match="not both"):
        make("gemini", server, params={"thinking_level": "low", "thinking_budget": 0})


def test_it_counts_all_that_costs_input(server: FakeVendor):
    count = call(make("gemini", server), "count_tokens", question())
    assert count > len(PROMPT.system + question().user) // 4


def test_a_model_that_is_not_there_is_named(server: FakeVendor):
    assert "gemini-3.8-flash" in call(make("gemini", server, model="gemini-3.8-flash"), "probe")
    lost = make("gemini", server, model="gemini-2.0-flash", prices=["gemini-2.0-flash=1/2"])
    error = call(lost, "probe")
    assert error.kind == "request" and "no model gemini-2.0-flash" in str(error)


# What its counts mean


def test_thoughts_are_paid_as_output_and_the_cache_is_part_of_the_prompt():
    reply = read(said(usageMetadata={**USED, "cachedContentTokenCount": 400}))
    assert reply.tokens == Tokens(fresh=500, cache_read=400, output=260)
    assert reply.cost_usd == PRICES.cost(reply.tokens)


def test_a_count_of_zero_is_left_out():
    assert read(said(usageMetadata={"promptTokenCount": 900})).tokens == Tokens(fresh=900)


def test_thoughts_are_no_part_of_the_answer():
    parts = [{"text": "Hm, let me see.", "thought": True}, {"text": '{"a"'}, {"text": ": 1}"}]
    assert read(said(candidates=[{"content": {"parts": parts}, "finishReason": "STOP"}])).text == '{"a": 1}'


@pytest.mark.parametrize(
    "value", [{}, [], "text", None, {"usageMetadata": None}, {"usageMetadata": {"promptTokenCount": "many"}}]
)
def test_what_carries_no_count_is_not_geminis(value: Any):
    error = read(value)
    assert (error.kind, error.lost, error.cost_usd) == ("server", True, 0) and "GEMINI_BASE_URL" in str(error)


# How it says no, and is paid for it


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("SAFETY", "refusal: safety"),
        ("RECITATION", "refusal: recitation"),
        ("BLOCKLIST", "refusal: blocklist"),
        ("PROHIBITED_CONTENT", "refusal: prohibited_content"),
        ("SPII", "refusal: spii"),
        ("LANGUAGE", "refusal: language"),
        ("OTHER", "refusal: other"),
        ("SOMETHING_NEW", "refusal: something_new"),
        ("MAX_TOKENS", "truncated"),
        ("MALFORMED_RESPONSE", "invalid"),
        ("PUP_LIMITED_DISABLED", "auth"),
    ],
)
def test_each_way_to_stop_has_its_name_and_its_price(reason: str, label: str):
    error = read(said(candidates=[{"finishReason": reason}]))
    assert error.label == label and error.tokens.output == 260 and error.cost_usd > 0 and error.raw


def test_a_blocked_article_is_a_refusal_too(server: FakeVendor):
    server.fault("refusal", category="blocked")
    error = ask(make("gemini", server), question())
    assert error.label == "refusal: prohibited_content" and error.cost_usd > 0


def test_no_candidate_at_all_is_the_servers_fault():
    error = read(said(candidates=[]))
    assert (error.kind, error.lost) == ("server", False) and error.cost_usd > 0


@pytest.mark.parametrize(
    ("code", "message", "facts", "kind"),
    [
        (400, "API key not valid. Please pass a valid API key.", [{"reason": "API_KEY_INVALID"}], "auth"),
        (400, "API key expired. Please renew the API key.", [], "auth"),
        (403, "Your API key was reported as leaked.", [], "auth"),
        (403, "This API method requires billing to be enabled.", [{"reason": "BILLING_DISABLED"}], "payment"),
        (400, "Please enable billing on your project.", [], "payment"),
        (400, "Invalid JSON payload received.", [], "request"),
        (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", [], "context"),
        (404, "models/x is not found for API version v1", [], "request"),
        (429, "Check your plan and billing details.", [quota("GenerateRequestsPerMinutePerProjectPerModel")], "rate"),
        (429, "Check your plan and billing details.", [quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")], "payment"),
        (429, "Check your plan and billing details.", [], "rate"),
        (429, "Your prepayment credits are depleted.", [], "payment"),
        (429, "Your project has exceeded its monthly spending cap.", [{"retryDelay": "5s"}], "payment"),
        (500, "Internal error", [], "server"),
        (503, "The model is overloaded.", [], "rate"),
        (504, "Deadline expired.", [], "server"),
    ],
)
def test_its_errors_are_told_apart(code: int, message: str, facts: list[dict[str, Any]], kind: str):
    error = refusal(code, message, *facts)
    assert (error.kind, error.lost) == (kind, False) and message in str(error)


def test_how_long_to_wait_stands_in_the_body():
    assert refusal(429, "Slow down.", {"@type": "…RetryInfo", "retryDelay": "34.5s"}).retry_after == 34.5
    assert refusal(429, "Slow down.", {"retryDelay": "soon"}).retry_after is None


def test_or_in_a_header():
    with PlainServer(Said({"error": {"code": 429, "message": "Slow down."}}, 429, {"retry-after": "12"})) as plain:
        assert ask(elsewhere(plain), question()).retry_after == 12


def elsewhere(plain: PlainServer) -> Any:
    return registry.make("gemini", MODEL, {"max_tokens": 1000}, api_key="secret", base_url=plain.url, timeout=5)


def test_a_gateway_that_gave_up_may_hide_a_bill():
    with PlainServer(Said("<html>504 Gateway Time-out</html>", 504, {"content-type": "text/html"})) as plain:
        error = ask(elsewhere(plain), question())
    assert (error.kind, error.lost) == ("server", True)


def test_a_redirect_is_not_followed_and_the_key_goes_nowhere():
    with PlainServer(Said(said())) as other, PlainServer(Said("", 307, {"location": other.url})) as plain:
        error = ask(elsewhere(plain), question())
        assert error.kind == "request" and "redirect" in str(error) and not other.heard


def test_a_slow_answer_may_be_billed(server: FakeVendor):
    server.fault("hang", seconds=5)
    error = ask(make("gemini", server, timeout=0.3), question())
    assert (error.kind, error.lost) == ("network", True)


# Batches


def test_an_error_in_a_batch_may_carry_details_that_the_sdk_chokes_on():
    status = {"code": 8, "message": "Quota exceeded.", "details": [{"@type": "…RetryInfo", "retryDelay": "3s"}]}
    key, error = replies.batch_line({"key": "k", "error": status}, PRICES, MODEL, "")
    assert (key, error.kind, error.retry_after, error.cost_usd) == ("k", "rate", 3.0, 0)


@pytest.mark.parametrize(
    ("state", "ended", "failed"),
    [
        ("PENDING", False, False),
        ("RUNNING", False, False),
        ("SUCCEEDED", True, False),
        ("PARTIALLY_SUCCEEDED", True, False),
        ("CANCELLED", True, False),
        ("EXPIRED", True, False),
        ("FAILED", True, True),
    ],
)
def test_a_batch_is_in_one_of_these_states(state: str, ended: bool, failed: bool):
    stats = {"requestCount": "5", "successfulRequestCount": "2", "failedRequestCount": "1"}
    operation = {"name": "batches/b", "metadata": {"state": f"BATCH_STATE_{state}", "batchStats": stats}}
    with PlainServer(
        Said({**operation, "error": {"code": 3, "message": "Line 7 is no JSON."}} if failed else operation)
    ) as plain:
        status = call(elsewhere(plain), "poll", "batches/b")
    assert (status.ended, status.done, bool(status.failed)) == (ended, 3, failed)
    assert not failed or "Line 7 is no JSON." in status.failed


def test_results_that_end_early_are_not_taken_for_all():
    metadata = {
        "state": "BATCH_STATE_SUCCEEDED",
        "batchStats": {"successfulRequestCount": "2"},
        "output": {"responsesFile": "files/r"},
    }
    with PlainServer(Said({"name": "batches/b", "metadata": metadata}), Said('{"key": "a", "response": null}\n')) as plain:
        oracle = elsewhere(plain)

        async def read_all() -> None:
            async for _ in oracle.results("batches/b"):
                pass

        (error,) = run(oracle, read_all())
    assert error.kind == "server" and "Only 1 of the batch's 2" in str(error) and not error.lost


def test_calling_back_fails_only_where_the_batch_still_goes_on():
    refused = Said({"error": {"code": 400, "message": "Can't cancel."}}, 400)
    operation = {"name": "batches/b", "metadata": {"state": "BATCH_STATE_RUNNING"}}
    with PlainServer(refused, Said(operation)) as plain:
        error = call(elsewhere(plain), "cancel", "batches/b")
    assert error.kind == "request"
