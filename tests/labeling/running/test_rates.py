"""The shared bucket: limits hold over all who take from it, and a provider that wants patience gets it."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from distillery_site.common.errors import BadInput
from labeling.oracles.base import Limits
from labeling.running import rates
from labeling.running.rates import Bucket, told_limits
from tests.labeling import world

NAME = "anthropic/test"


@pytest.fixture(autouse=True)
def fresh(services: None) -> Iterator[None]:
    world.forget_rates()
    yield
    world.forget_rates()


def bucket(requests: int | None = None, **more: int) -> Bucket:
    return Bucket(NAME, Limits(requests, **more) if requests else None)


def test_no_more_go_at_once_than_a_short_burst():
    granted = bucket(600).take(1_000, 0, 0)
    assert granted.count == int(600 * rates.HEADROOM / 60 * rates.BURST_SECONDS)


def test_two_buckets_of_one_name_share_their_limit():
    first, second = bucket(6_000), bucket(6_000)
    assert first.take(1_000, 0, 0).count > 10 and second.take(1_000, 0, 0).count <= 1


def test_what_was_not_used_is_given_back():
    one = bucket(6_000)
    count = one.take(15, 0, 0).count
    one.use(-count, 0, 0)
    assert one.take(15, 0, 0).count == count == 15


def test_output_tokens_bind_where_they_are_scarcer():
    one = bucket(6_000, output_tokens=60_000)
    one.use(0, 0, 10_000)
    grant = one.take(5, 0, 1_000)
    assert grant.count == 0 and 5 < grant.wait < 15


def test_a_question_larger_than_the_burst_goes_alone():
    assert bucket(600, input_tokens=6_000).take(5, 1_000, 0).count == 1


def test_nothing_goes_while_the_provider_wants_patience():
    one = bucket(600)
    one.slow_down(5)
    grant = one.take(5, 0, 0)
    assert grant.count == 0 and 4 < grant.wait <= 5


def test_without_a_limit_it_starts_carefully_and_takes_over_what_the_provider_says():
    one = bucket()
    assert one.take(1_000, 0, 0).count <= rates.UNKNOWN / 60 * rates.BURST_SECONDS
    one.learn(Limits(requests=60_000))
    one.take(1, 0, 0)
    assert one.limits.requests == 60_000


def test_headers_do_not_overrule_the_operator():
    one = bucket(60)
    one.learn(Limits(requests=60_000))
    assert one.limits.requests == 60


def test_nothing_is_granted_while_nobody_can_count():
    away = Bucket(NAME, client=redis.Redis(port=1, socket_connect_timeout=0.1))
    assert away.take(5, 0, 0) == rates.Grant(0, 1.0)


def test_the_operators_limits_are_read_by_model():
    assert told_limits("a/b", ["a/b=10/0/30"]) == Limits(10, None, 30)
    assert told_limits("a/c", ["a/b=10"]) is None


@pytest.mark.parametrize("entry", ["a/b=ten", "a/b=1/2/3/4", "a/b="])
def test_limits_that_are_no_numbers_are_refused(entry: Any):
    with pytest.raises(BadInput, match="ORACLE_LIMITS"):
        told_limits("a/b", [entry])
