"""What every vendor's batch service keeps to, run over each through its real SDK."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from labeling.oracles.base import Oracle, OracleError, Question, Reply, usd
from labeling.prompting.prompts import read
from tests import coroutines
from tests.contracts.oracles import KEYS, PAID, PROMPT, make, question
from tests.fakes.vendor import FakeVendor, score

SINCE = datetime.now(UTC) - timedelta(minutes=1)
MOST = {"anthropic": (100_000, 256 * 10**6), "openai": (50_000, 200 * 10**6), "gemini": (200_000, 2 * 10**9)}  # theirs


@pytest.fixture
def server() -> Iterator[FakeVendor]:
    with FakeVendor() as running:
        yield running


@pytest.fixture(params=PAID)
def engaged(request: pytest.FixtureRequest, server: FakeVendor) -> Callable[[], Oracle]:
    """Makes the oracle anew, as another worker would."""
    return lambda: make(request.param, server)


def run(engaged: Callable[[], Oracle], work: Callable[[Oracle], Awaitable[Any]]) -> Any:
    async def with_oracle() -> Any:
        async with _open(engaged) as oracle:
            return await work(oracle)

    return coroutines.run(with_oracle())


@asynccontextmanager
async def _open(engaged: Callable[[], Oracle]) -> AsyncIterator[Oracle]:
    oracle = engaged()
    try:
        yield oracle
    finally:
        await oracle.aclose()


def questions(count: int = 6) -> list[Question]:
    return [question(number) for number in range(1, count + 1)]


async def ended(oracle: Oracle, batch_id: str) -> Any:
    while not (status := await oracle.poll(batch_id)).ended:
        await asyncio.sleep(0.01)
    return status


async def collected(oracle: Oracle, batch_id: str) -> dict[str, Reply | OracleError]:
    await ended(oracle, batch_id)
    return {key: result async for key, result in oracle.results(batch_id)}


async def lost(oracle: Oracle, marker: str, asked: list[Question]) -> OracleError:
    with pytest.raises(OracleError) as caught:
        await oracle.submit(marker, asked)
    return caught.value


async def whole_batch(oracle: Oracle) -> dict[str, Reply | OracleError]:
    return await collected(oracle, await oracle.submit("m1", questions()))


async def found(oracle: Oracle, marker: str, asked: list[Question], known: tuple[str, ...] = ()) -> str | None:
    return await oracle.find(marker, keys={each.key for each in asked}, since=SINCE, known=known)


def test_it_takes_a_batch_and_brings_back_what_was_said_by_its_key(engaged: Callable[[], Oracle]):
    results = run(engaged, whole_batch)
    assert results.keys() == {each.key for each in questions()}
    for asked in questions():
        (parsed,) = read(results[asked.key].text, PROMPT, asked.text)
        assert parsed.scores == tuple(score(key, asked.text) for key in KEYS), "an answer went to another article"


def test_a_batch_is_not_over_before_the_vendor_says_so(engaged: Callable[[], Oracle], server: FakeVendor):
    server.state.polls = 3

    async def looked_after(oracle: Oracle) -> tuple[Any, Any]:
        batch_id = await oracle.submit("m1", questions())
        return await oracle.poll(batch_id), await ended(oracle, batch_id)

    first, last = run(engaged, looked_after)
    assert not first.ended and last.ended and last.done == len(questions()) and not last.failed


def test_it_costs_half_and_the_books_say_what_the_vendor_bills(engaged: Callable[[], Oracle], server: FakeVendor):
    results = run(engaged, whole_batch)
    assert {entry.custom_id: usd(entry.cost_usd) for entry in server.ledger} == {
        key: usd(reply.cost_usd) for key, reply in results.items()
    }
    oracle = engaged()
    for asked in questions():
        assert 0 < results[asked.key].cost_usd <= oracle.worst_cost(asked, batch=True) < oracle.worst_cost(asked)


def test_a_result_can_be_traced(engaged: Callable[[], Oracle]):
    reply = run(engaged, whole_batch)["key-1"]
    assert reply.request_id and reply.model == engaged().model and reply.sdk.split()[1][0].isdigit()
    assert reply.tokens.input > 0 and reply.tokens.output > 0


def test_a_batch_asks_as_a_single_question_does(engaged: Callable[[], Oracle], server: FakeVendor):
    async def both(oracle: Oracle) -> tuple[Reply, Reply]:
        return await oracle.ask(question()), (await whole_batch(oracle))["key-1"]

    single, in_batch = run(engaged, both)
    assert single.text == in_batch.text and single.tokens == in_batch.tokens


@pytest.mark.parametrize(
    ("fault", "kind", "costs"),
    [
        ("errored", "server", False),
        ("expired", "expired", False),
        ("canceled", "expired", False),
        ("400", "request", False),
        ("refusal", "refusal", True),
        ("max_tokens", "truncated", True),
    ],
)
def test_each_request_ends_for_itself(engaged: Callable[[], Oracle], server: FakeVendor, fault: str, kind: str, costs: bool):
    server.fault(fault, marker="word2x0 ")
    results = run(engaged, whole_batch)
    error = results.pop("key-2")
    assert isinstance(error, OracleError) and (error.kind, error.cost_usd > 0, error.lost) == (kind, costs, False), error
    assert str(error)[0].isupper()
    assert len(results) == 5 and all(isinstance(result, Reply) for result in results.values())


def test_what_a_batch_costs_counts_failed_answers_too(engaged: Callable[[], Oracle], server: FakeVendor):
    server.fault("refusal", marker="word2x0 ")
    server.fault("max_tokens", marker="word3x0 ")
    server.fault("errored", marker="word4x0 ")
    results = run(engaged, whole_batch)
    assert sum(usd(result.cost_usd) for result in results.values()) == sum(usd(entry.cost_usd) for entry in server.ledger)


# Handing over


def test_a_hand_over_whose_reply_was_lost_is_found_again_and_made_once(engaged: Callable[[], Oracle], server: FakeVendor):
    server.fault("lost_submit")

    async def hand_over(oracle: Oracle) -> OracleError:
        return await lost(oracle, "m1", questions())

    async def take_up(oracle: Oracle) -> dict[str, Any]:
        batch_id = await found(oracle, "m1", questions())
        return await collected(oracle, batch_id) if batch_id else {}

    error = run(engaged, hand_over)
    assert error.kind == "network" and error.lost
    assert run(engaged, take_up).keys() == {each.key for each in questions()}
    assert server.state.counts["batches"] == 1, "the SDK must not try again by itself"


def test_a_hand_over_that_never_arrived_is_not_found(engaged: Callable[[], Oracle], server: FakeVendor):
    server.fault("submit_drop")

    async def work(oracle: Oracle) -> tuple[OracleError, str | None]:
        return await lost(oracle, "m1", questions()), await found(oracle, "m1", questions())

    error, batch_id = run(engaged, work)
    assert error.kind == "network" and error.lost and batch_id is None


def test_another_batch_is_not_taken_for_the_one_that_was_lost(engaged: Callable[[], Oracle], server: FakeVendor):
    others = [question(number) for number in (11, 12)]

    async def work(oracle: Oracle) -> tuple[str, str | None, str | None]:
        other = await oracle.submit("m1", others)
        await ended(oracle, other)
        server.fault("lost_submit")
        await lost(oracle, "m2", questions())
        at_first = await found(oracle, "m2", questions(), (other,))
        await ended(oracle, at_first or "")
        return (
            other,
            await found(oracle, "m2", questions(), (other,)),
            await found(oracle, "m2", questions(), (other, at_first or "")),
        )

    other, again, known = run(engaged, work)
    assert again and again != other and known is None


def test_a_lost_batch_is_found_behind_many_others(engaged: Callable[[], Oracle], server: FakeVendor):
    async def work(oracle: Oracle) -> tuple[str | None, list[str]]:
        server.fault("lost_submit")
        await lost(oracle, "m0", questions(1))
        later = [await oracle.submit(f"m{number}", [question(10 + number)]) for number in range(1, 106)]
        return await found(oracle, "m0", questions(1), tuple(later)), later

    batch_id, later = run(engaged, work)
    assert batch_id and batch_id not in later


@pytest.mark.parametrize(
    ("fault", "kind"), [("submit_401", "auth"), ("submit_402", "payment"), ("submit_400", "request"), ("submit_429", "rate")]
)
def test_a_batch_that_is_refused_was_never_made(engaged: Callable[[], Oracle], server: FakeVendor, fault: str, kind: str):
    server.fault(fault, retry_after="3600" if kind == "rate" else "")

    async def hand_over(oracle: Oracle) -> OracleError:
        return await lost(oracle, "m1", questions())

    error = run(engaged, hand_over)
    assert (error.kind, error.lost, server.state.counts["batches"]) == (kind, False, 0)
    assert error.retry_after == (3600 if kind == "rate" else None), "a wait is handed on, not slept out"


def test_our_limits_stay_below_the_vendors(engaged: Callable[[], Oracle]):
    oracle = engaged()
    limits, (requests, size) = oracle.batch_limits, MOST[oracle.provider]
    assert limits is not None and 0 < limits.requests <= requests and 0 < limits.bytes <= size // 2


# Looking after it


def test_a_batch_that_is_called_back_ends_with_what_was_done(engaged: Callable[[], Oracle], server: FakeVendor):
    server.state.polls = 100

    async def call_back(oracle: Oracle) -> tuple[dict[str, Any], Any]:
        batch_id = await oracle.submit("m1", questions())
        await asyncio.sleep(0.1)  # worked on
        await oracle.cancel(batch_id)
        return await collected(oracle, batch_id), await oracle.poll(batch_id)

    results, status = run(engaged, call_back)
    replies = {key for key, result in results.items() if isinstance(result, Reply)}
    assert status.ended and not status.failed and len(replies) == 3
    assert all(result.kind == "expired" for key, result in results.items() if key not in replies)
    assert {entry.custom_id for entry in server.ledger} >= replies


def test_a_batch_that_has_ended_can_t_be_called_back_any_more(engaged: Callable[[], Oracle]):
    async def call_back_late(oracle: Oracle) -> dict[str, Any]:
        batch_id = await oracle.submit("m1", questions())
        await ended(oracle, batch_id)
        await oracle.cancel(batch_id)
        return await collected(oracle, batch_id)

    assert len(run(engaged, call_back_late)) == 6


def test_a_batch_that_ran_out_of_time_costs_nothing_and_may_be_asked_again(engaged: Callable[[], Oracle], server: FakeVendor):
    server.fault("submit_batch_expired")

    async def wait(oracle: Oracle) -> tuple[Any, dict[str, Any]]:
        batch_id = await oracle.submit("m1", questions())
        return await ended(oracle, batch_id), await collected(oracle, batch_id)

    status, results = run(engaged, wait)
    assert status.ended and not status.failed
    assert all(error.kind == "expired" and not error.cost_usd for error in results.values())
    assert not server.ledger


def test_a_batch_that_came_to_nothing_says_so(engaged: Callable[[], Oracle], server: FakeVendor):
    server.fault("submit_batch_failed")

    async def wait(oracle: Oracle) -> tuple[Any, dict[str, Any]]:
        batch_id = await oracle.submit("m1", questions())
        return await ended(oracle, batch_id), await collected(oracle, batch_id)

    status, results = run(engaged, wait)
    if status.failed:
        assert status.failed[0].isupper() and ": " in status.failed
    else:
        assert len(results) == 6 and all(isinstance(result, OracleError) for result in results.values())
    assert not server.ledger


@pytest.mark.parametrize(
    ("fault", "kind"), [("poll_500", "server"), ("poll_429", "rate"), ("poll_401", "auth"), ("poll_drop", "network")]
)
def test_a_look_at_a_batch_may_fail_and_costs_nothing(engaged: Callable[[], Oracle], server: FakeVendor, fault: str, kind: str):
    async def look(oracle: Oracle) -> OracleError:
        batch_id = await oracle.submit("m1", questions())
        server.fault(fault)
        with pytest.raises(OracleError) as caught:
            await oracle.poll(batch_id)
        return caught.value

    error = run(engaged, look)
    assert (error.kind, error.lost, error.cost_usd) == (kind, False, 0)


@pytest.mark.parametrize("fault", ["results_cut", "results_drop", "results_500"])
def test_results_that_break_off_can_be_had_again(engaged: Callable[[], Oracle], server: FakeVendor, fault: str):
    async def read_twice(oracle: Oracle) -> tuple[OracleError, dict[str, Any]]:
        batch_id = await oracle.submit("m1", questions())
        await ended(oracle, batch_id)
        server.fault(fault)
        with pytest.raises(OracleError) as caught:
            await collected(oracle, batch_id)
        return caught.value, await collected(oracle, batch_id)

    error, results = run(engaged, read_twice)
    assert error.kind in ("network", "server") and not error.lost
    assert len(results) == 6 and all(isinstance(result, Reply) for result in results.values())


def test_a_batch_that_is_not_there_is_a_persons_business(engaged: Callable[[], Oracle]):
    async def look(oracle: Oracle) -> OracleError:
        with pytest.raises(OracleError) as caught:
            await oracle.poll("batches/gone" if oracle.provider == "gemini" else "gone")
        return caught.value

    assert run(engaged, look).kind == "request"


def test_results_needn_t_fit_into_memory(engaged: Callable[[], Oracle], server: FakeVendor):
    """While one result is looked at, the others are with the vendor, on the way or on the disk: here 5 to 7 MB of them."""
    server.fault("thinking_first", times=None)  # long ones
    asked = [PROMPT.question(key=f"k{number}", article_key="", text=f"word{number}") for number in range(6_000)]

    async def measure(oracle: Oracle) -> tuple[int, int]:
        batch_id = await oracle.submit("m1", asked)
        await ended(oracle, batch_id)
        count = 0
        tracemalloc.start()
        try:
            async for _ in oracle.results(batch_id):
                count += 1
            return count, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    count, peak = run(engaged, measure)
    assert count == 6_000 and peak < 5_200_000, f"{peak:,} bytes at most"
