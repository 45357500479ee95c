"""Every answer says how long the server worked on it."""

import re

from django.test import Client


def test_it_tells_the_milliseconds_of_every_answer(db: None, client: Client):
    for path in ("/login", "/no/such/page"):
        assert re.fullmatch(r"app;dur=\d+\.\d", client.get(path)["Server-Timing"])
