"""The HTTP client under the SDKs."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from labeling.oracles.pool import LANE, Lanes, lines
from tests import coroutines
from tests.fakes.plain_server import PlainServer, Said

KEY = {"x-goog-api-key": "secret"}


def fetch(url: str, method: str = "GET", times: int = 1) -> list[httpx2.Response]:
    async def both() -> list[httpx2.Response]:
        client = Lanes(timeout=5, concurrency=64)
        try:
            return list(await asyncio.gather(*(client.request(method, url, headers=KEY) for _ in range(times))))
        finally:
            await client.aclose()

    return coroutines.run(both())


def split(*pieces: bytes) -> list[bytes]:
    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def all_of_it() -> list[bytes]:
        return [line async for line in lines(stream())]

    return coroutines.run(all_of_it())


def test_it_asks_many_at_once():
    with PlainServer(Said("{}")) as server:
        assert {response.status_code for response in fetch(server.url, times=3 * LANE)} == {200}
        assert len(server.heard) == 3 * LANE


def test_a_redirect_to_another_host_is_not_followed_so_the_key_stays_here():
    with PlainServer(Said("{}")) as elsewhere, PlainServer(Said("", 302, {"location": elsewhere.url})) as server:
        assert fetch(server.url)[0].status_code == 302
        assert not elsewhere.heard


def test_a_download_is_led_on_once_on_the_same_host():
    with PlainServer(Said("", 302, {"location": "/download/it"}), Said('{"a": 1}')) as server:
        assert fetch(f"{server.url}/it")[0].json() == {"a": 1}
        assert [heard.path for heard in server.heard] == ["/it", "/download/it"]
        assert all(heard.headers["x-goog-api-key"] == "secret" for heard in server.heard)


def test_it_is_not_led_in_circles():
    with PlainServer(Said("", 302, {"location": "/again"})) as server:
        assert fetch(server.url)[0].status_code == 302
        assert len(server.heard) == 2


def test_what_is_posted_is_never_led_on():
    with PlainServer(Said("", 307, {"location": "/there"})) as server:
        assert fetch(server.url, "POST")[0].status_code == 307
        assert len(server.heard) == 1


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        ((b'{"a": 1}\n{"b"', b": 2}\n"), [b'{"a": 1}', b'{"b": 2}']),
        ((b'{"a": 1}\n\n', b'{"b": 2}'), [b'{"a": 1}', b'{"b": 2}']),
        (('{"a": "one\u2028line\x85still"}\n'.encode(),), ['{"a": "one\u2028line\x85still"}'.encode()]),
        ((b"",), []),
    ],
)
def test_lines_are_split_at_newlines_alone(pieces: tuple[bytes, ...], whole: list[bytes]):
    assert split(*pieces) == whole
