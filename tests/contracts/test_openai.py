"""What is OpenAI's own, and what compatible servers make of it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from distillery_site.common.errors import BadInput
from labeling.oracles import openai_replies as replies
from labeling.oracles import registry
from labeling.oracles.base import Limits, OracleError, Reply, Tokens
from labeling.oracles.prices import Prices
from labeling.prompting.prompts import repair
from tests.contracts.oracles import PROMPT, ask, call, make, question, run
from tests.fakes.plain_server import PlainServer, Said
from tests.fakes.vendor import FakeVendor

MODEL = "gpt-6.1-terra"
PRICES = Prices.of("openai", MODEL)
USED = {"prompt_tokens": 900, "completion_tokens": 200, "total_tokens": 1100}


@pytest.fixture
def server() -> Iterator[FakeVendor]:
    with FakeVendor() as running:
        yield running


def said(finish: str = "stop", usage: Any = USED, **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "{}", **message}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "model": MODEL, "choices": [choice], **({"usage": usage} if usage else {})}


def read(value: Any, **how: Any) -> Reply | OracleError:
    try:
        return replies.reply(value, PRICES, {}, sdk="openai 0", **how)
    except OracleError as error:
        return error


def local(plain: PlainServer, **changes: Any) -> Any:
    needs = {"api_key": "", "base_url": f"{plain.url}/v1", "prices": ["llama=0.5/1.5"], "timeout": 5, **changes}
    return registry.make("openai", "llama", {"max_tokens": 1000}, **needs)


# How it is asked


def test_it_is_asked_by_a_strict_schema(server: FakeVendor):
    ask(make("openai", server), question())
    (request,) = server.calls
    schema = request["response_format"]["json_schema"]
    assert schema["strict"] and schema["schema"] == PROMPT.schema
    assert request["max_completion_tokens"] == 1000 and "max_tokens" not in request
    assert not {"temperature", "seed", "reasoning_effort"} & request.keys(), "what isn't set isn't sent"


@pytest.mark.parametrize("params", [{"temperature": 0.2}, {"seed": 7}, {"reasoning_effort": "low"}])
def test_parameters_are_sent_where_they_are_set(server: FakeVendor, params: dict[str, Any]):
    ask(make("openai", server, params=params), question())
    assert params.items() <= server.calls[0].items()


def test_a_repair_is_a_conversation(server: FakeVendor):
    ask(make("openai", server), repair(question(), "{}", "The scores are missing."))
    assert [message["role"] for message in server.calls[0]["messages"]] == ["system", "user", "assistant", "user"]


def test_parameters_that_don_t_work_are_named_together(server: FakeVendor):
    with pytest.raises(BadInput) as caught:
        make("openai", server, params={"temperature": "hot", "effort": "low", "seed": 1.5, "reasoning_effort": "huge"})
    for name in ("unknown parameter effort", "temperature must be", "seed must be", "reasoning_effort must be"):
        assert name in str(caught.value)


def test_it_has_no_counter_of_tokens(server: FakeVendor):
    assert call(make("openai", server), "count_tokens", question()) is None


def test_the_limits_of_the_key_stand_in_the_headers(server: FakeVendor):
    server.state.limit(requests=500, input=200_000)
    assert ask(make("openai", server), question()).limits == Limits(500, 200_000)


# Servers that don't know all of it


def test_a_server_without_schemas_is_told_in_words_and_only_once(server: FakeVendor):
    server.state.takes_schema = False
    oracle = make("openai", server)
    first, second = run(oracle, oracle.ask(question(1)), _later(oracle, 2))
    assert isinstance(first, Reply) and isinstance(second, Reply), (first, second)
    assert server.state.counts["refused 400"] == 1 and len(server.calls) == 2
    sent = server.calls[-1]
    assert sent["response_format"] == {"type": "json_object"} and "JSON schema" in sent["messages"][0]["content"]
    assert first.sdk.endswith("schema in words"), "the call's row says how it was asked"


async def _later(oracle: Any, number: int) -> Reply:
    await asyncio.sleep(0.3)
    return await oracle.ask(question(number))


def test_a_server_that_calls_the_limit_otherwise_is_asked_so():
    refused = Said({"detail": [{"loc": ["body", "max_completion_tokens"], "msg": "extra fields not permitted"}]}, 422)
    with PlainServer(refused, Said(said())) as plain:
        assert isinstance(ask(local(plain), question()), Reply)
        assert plain.heard[0].body["max_completion_tokens"] == plain.heard[1].body["max_tokens"] == 1000
        assert "max_completion_tokens" not in plain.heard[1].body


def test_a_schema_that_is_wrong_is_no_reason_to_do_without():
    wrong = {"error": {"message": "Invalid schema for response_format 'judgement': …", "type": "invalid_request_error"}}
    with PlainServer(Said(wrong, 400)) as plain:
        assert ask(local(plain), question()).kind == "request" and len(plain.heard) == 1


def test_a_limit_that_is_too_large_is_the_articles_business():
    text = "'max_completion_tokens' is too large: 1000. This model's maximum context length is 2048 tokens."
    with PlainServer(Said({"error": {"message": text, "code": 400}}, 400)) as plain:
        assert ask(local(plain), question()).kind == "context" and len(plain.heard) == 1


def test_a_server_that_doesn_t_say_what_was_used_is_booked_at_the_most():
    with PlainServer(Said(said(usage=None))) as plain:
        oracle = local(plain)
        reply, worst = ask(oracle, question()), oracle.worst_cost(question())
    assert reply.cost_usd == worst > 0 and reply.sdk.endswith("tokens not told")


def test_in_a_batch_such_a_result_stays_booked_as_it_was_reserved():
    line = {"custom_id": "k", "response": {"status_code": 200, "body": said(usage=None)}, "error": None}
    key, error = replies.batch_line(line, PRICES, MODEL, "")
    assert (key, error.kind, error.lost) == ("k", "server", True)


def test_a_server_of_ones_own_needs_no_key():
    with PlainServer(Said(said())) as plain:
        assert isinstance(ask(local(plain), question()), Reply)


def test_any_other_server_does():
    with pytest.raises(OracleError, match="OPENAI_API_KEY is not set") as caught:
        registry.make("openai", MODEL, {"max_tokens": 1000}, api_key="", base_url="https://api.openai.com/v1")
    assert caught.value.pauses_run


@pytest.mark.parametrize("name", ["llama", "llama:latest"])
def test_a_local_model_may_be_listed_with_its_tag(name: str):
    with PlainServer(
        Said({"object": "list", "data": [{"id": name, "object": "model", "created": 1, "owned_by": "library"}]})
    ) as plain:
        sentence = call(local(plain), "probe")
    assert sentence == "The server answers and has llama."


def test_a_model_that_is_not_there_is_named():
    with PlainServer(Said({"object": "list", "data": []})) as plain:
        error = call(local(plain), "probe")
    assert error.kind == "request" and "no model llama" in str(error)


@pytest.mark.parametrize("body", ["<html>Log in</html>", {"status": "ok"}, [], "", {"data": "none"}])
def test_a_probe_of_something_else_fails_in_a_sentence(body: Any):
    with PlainServer(Said(body, headers={"content-type": "text/html"} if isinstance(body, str) else {})) as plain:
        error = call(local(plain), "probe")
    assert isinstance(error, OracleError) and not error.lost


# Who it is


def test_the_same_name_at_another_host_is_another_judge():
    openai = registry.provider("openai")
    assert openai.place("https://api.openai.com/v1") == {}
    assert openai.place("http://127.0.0.1:11434/v1") == {"host": "127.0.0.1:11434"}
    assert registry.provider("anthropic").place("https://proxy.example/") == {}


def test_an_oracle_is_not_asked_at_another_host_than_its_own(server: FakeVendor):
    with pytest.raises(BadInput, match="the one at vllm.example:8000"):
        make("openai", server, params={"host": "vllm.example:8000"})


# What its counts mean


def test_the_prompt_s_count_includes_what_the_cache_gave_and_took():
    details = {"cached_tokens": 400, "cache_write_tokens": 100}
    reply = read(said(usage={**USED, "prompt_tokens_details": details}))
    assert reply.tokens == Tokens(fresh=400, cache_read=400, cache_write=100, output=200)
    assert reply.cost_usd == PRICES.cost(reply.tokens)


@pytest.mark.parametrize("value", [{}, [], "text", None, {"choices": []}, {"choices": [{}]}, {"usage": USED}])
def test_what_is_no_completion_is_a_strangers(value: Any):
    error = read(value)
    assert (error.kind, error.lost, error.cost_usd) == ("server", True, 0) and "OPENAI_BASE_URL" in str(error)


# How it says no


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (said(content=None, refusal="I'm sorry, I can't help with that."), "refusal: unnamed"),
        (said("content_filter", content=""), "refusal: content_filter"),
        (said("length"), "truncated"),
        (said("tool_calls", content=None), "invalid"),
    ],
)
def test_each_way_to_stop_has_its_name_and_its_price(value: dict[str, Any], label: str):
    error = read(value)
    assert error.label == label and error.tokens.output == 200 and error.cost_usd > 0 and error.raw


@pytest.mark.parametrize(
    ("status", "body", "label"),
    [
        (401, {"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}, "auth"),
        (403, {"error": {"message": "Country not supported.", "code": "unsupported_country_region_territory"}}, "auth"),
        (402, {"error": {"message": "Insufficient Balance"}}, "payment"),
        (429, {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}, "payment"),
        (429, {"error": {"message": "Rate limit reached.", "code": "rate_limit_exceeded"}}, "rate"),
        (400, {"error": {"message": "Too long.", "code": "context_length_exceeded"}}, "context"),
        (400, {"object": "error", "message": "This model's maximum context length is 4096 tokens."}, "context"),
        (400, {"error": {"message": "Your prompt was flagged.", "code": "invalid_prompt"}}, "refusal: invalid_prompt"),
        (400, {"error": {"message": "Filtered.", "code": "content_filter"}}, "refusal: content_filter"),
        (404, {"error": 'model "llama9" not found, try pulling it first'}, "request"),
        (404, {"detail": "Not Found"}, "request"),
        (422, {"detail": "Unprocessable"}, "request"),
        (500, "Internal Server Error", "server"),
        (503, {"error": {"message": "Overloaded"}}, "rate"),
    ],
)
def test_errors_are_told_apart_whatever_their_form(status: int, body: Any, label: str):
    error = replies.failure(status, body, "llama9")
    assert (error.label, error.lost) == (label, False) and str(error)[0].isupper()


def test_a_missing_model_and_a_missing_api_are_two_things():
    assert "no model llama9" in str(replies.failure(404, {"error": 'model "llama9" not found'}, "llama9"))
    assert "OPENAI_BASE_URL" in str(replies.failure(404, {"detail": "Not Found"}, "llama9"))


def test_a_gateway_that_gave_up_may_hide_a_bill():
    with PlainServer(Said("<html>502 Bad Gateway</html>", 502, {"content-type": "text/html"})) as plain:
        error = ask(local(plain), question())
    assert (error.kind, error.lost) == ("server", True)


def test_a_redirect_is_not_followed_and_the_key_goes_nowhere():
    with PlainServer(Said(said())) as other, PlainServer(Said("", 307, {"location": other.url})) as plain:
        error = ask(local(plain, api_key="secret"), question())
        assert error.kind == "request" and "redirect" in str(error) and not other.heard


def test_a_slow_answer_may_be_billed(server: FakeVendor):
    server.fault("hang", seconds=5)
    error = ask(make("openai", server, timeout=0.3), question())
    assert (error.kind, error.lost) == ("network", True)


# Batches


def batch(status: str = "completed", **more: Any) -> dict[str, Any]:
    counts = {"total": 2, "completed": 2, "failed": 0}
    known = {"id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "file-1", "created_at": 1}
    return {**known, "completion_window": "24h", "status": status, "request_counts": counts, **more}


def test_a_batch_that_was_not_taken_says_which_line_is_wrong():
    problems = {"object": "list", "data": [{"code": "invalid_json_line", "message": "This line is not JSON.", "line": 7}]}
    with PlainServer(Said(batch("failed", errors=problems))) as plain:
        status = call(local(plain), "poll", "batch_1")
    assert status.ended and "This line is not JSON. (line 7)" in status.failed


def test_results_that_end_early_are_not_taken_for_all():
    with PlainServer(
        Said(batch(output_file_id="file-2")), Said('{"custom_id": "a", "error": {"code": "batch_expired"}}\n')
    ) as plain:
        oracle = local(plain)

        async def read_all() -> None:
            async for _ in oracle.results("batch_1"):
                pass

        (error,) = run(oracle, read_all())
    assert error.kind == "server" and "Only 1 of the batch's 2" in str(error) and not error.lost


def test_calling_back_fails_only_where_the_batch_still_goes_on():
    with PlainServer(Said({"error": {"message": "Can't cancel."}}, 409), Said(batch("in_progress"))) as plain:
        error = call(local(plain), "cancel", "batch_1")
    assert error.kind == "server"
    with PlainServer(Said({"error": {"message": "Can't cancel."}}, 409), Said(batch())) as plain:
        assert call(local(plain), "cancel", "batch_1") is None
