"""Addresses that the site may call, and those it may not."""

import socket

import pytest

from distillery_site.common.errors import BadInput, Transient
from distillery_site.common.net import check_outbound

PUBLIC = {"api.example": "93.184.215.14", "inside.example": "10.1.2.3", "mapped.example": "::ffff:10.1.2.3"}


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service that needs no network."""

    def look_up(host: str, port: object, **how: object) -> list:
        if host == "nowhere.example":
            raise socket.gaierror("unknown")
        return [(0, 0, 0, "", (PUBLIC.get(host, host), 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize("url", ["https://api.example/v1", "http://127.0.0.1:9100", "http://[::1]:9100", "https://127.0.0.1"])
def test_it_lets_public_https_and_this_machine_through(url: str):
    assert check_outbound(url) == url


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://api.example", "must be called by https"),
        ("https://inside.example", "inside a private network"),
        ("https://mapped.example", "inside a private network"),
        ("https://192.168.1.5", "inside a private network"),
        ("https://169.254.169.254/latest/meta-data", "inside a private network"),
        ("https://0.0.0.0", "inside a private network"),
        ("file:///etc/passwd", "not an http or https address"),
        ("api.example", "not an http or https address"),
        ("https://user:secret@api.example", "must not carry a user name"),
    ],
)
def test_it_refuses_everything_else_in_a_sentence(url: str, complaint: str):
    with pytest.raises(BadInput, match=complaint):
        check_outbound(url)


def test_a_host_that_a_person_allowed_may_be_inside():
    assert check_outbound("http://inside.example:8080", allow=["inside.example"])


def test_a_name_that_cannot_be_found_may_be_found_later():
    with pytest.raises(Transient, match="is there a network"):
        check_outbound("https://nowhere.example")
