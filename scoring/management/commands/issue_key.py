"""manage.py issue_key: let a program in, as the person it acts for."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model

from distillery_site.common.commands import Answering
from distillery_site.common.errors import BadInput
from scoring.keys import issue_key


class Command(Answering):
    help = "Make a key for the API. It may do what its person may, and is shown this once only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help="What the key is for, to know it again.")
        parser.add_argument("--user", required=True, help="The account that it acts for.")
        parser.add_argument("--days", type=int, help="It expires after so many days (default: never).")

    def handle(self, *, name: str, user: str, days: int | None, json: bool, **_: Any) -> None:
        person = get_user_model().objects.filter(username=user, is_active=True).first()
        if person is None:
            raise BadInput(f"There is no account {user!r} that may sign in.")
        if days is not None and days < 1:
            raise BadInput("A key lives for a day at least.")
        key, secret = issue_key(name=name[:100], days=days, actor=person)
        expires = key.expires_at.isoformat() if key.expires_at else None
        value = {"secret": secret, "name": key.name, "user": user, "expires_at": expires}
        self.answer(value, f"{secret}\nSend it as “Authorization: Bearer {secret[:6]}…”. It can't be shown again.", as_json=json)
