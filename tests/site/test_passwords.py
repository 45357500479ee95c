"""New passwords by a link, by e-mail and by oneself; and too many wrong ones."""

import re
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import authenticate
from django.core import mail
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.utils import timezone

from distillery_site.common.models import AuditEntry
from tests.site.cast import PASSWORD, page, person, signed_in

pytestmark = pytest.mark.django_db
NEW = {"new_password1": "heron-lantern-40", "new_password2": "heron-lantern-40"}
ADDRESS = re.compile(r"http://testserver(/password/\w+/[\w-]+/)")


@pytest.fixture
def nina() -> Any:
    user = person("nina", "reviewer")
    user.email = "nina@example.org"
    user.save()
    return user


@pytest.fixture
def link(nina: Any) -> str:
    answer = signed_in(person("root", "admin")).post(f"/people/{nina.pk}/reset")
    return ADDRESS.search(answer.content.decode()).group(1)


def set_by(link: str) -> Any:
    client = Client()
    return client.post(client.get(link)["Location"], NEW)


def opens(name: str, password: str) -> bool:
    return authenticate(RequestFactory().post("/login"), username=name, password=password) is not None


def test_a_link_of_an_admin_sets_a_new_password_once(link: str, nina: Any):
    assert set_by(link)["Location"] == "/login"
    assert opens("nina", NEW["new_password1"]) and not opens("nina", PASSWORD)
    assert "used up or too old" in page(Client(), link)
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", "actor__username"))
    assert actions == [("password link made", "root"), ("password set by link", "nina")]


def test_a_link_ends_when_its_person_signs_in(link: str):
    Client().post("/login", {"username": "nina", "password": PASSWORD})
    assert "used up or too old" in page(Client(), link)


def test_a_link_ends_after_a_day(link: str, settings: Any):
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "used up or too old" in page(Client(), link)


def test_without_a_mail_host_the_page_says_whom_to_ask(nina: Any):
    assert "This site sends no letters" in page(Client(), "/password/")
    Client().post("/password/", {"email": nina.email})
    assert mail.outbox == []


def test_with_one_a_letter_goes_out_and_one_address_gets_one_in_a_while(nina: Any, settings: Any):
    cache.clear()
    settings.EMAIL_HOST = "mail.example.org"
    for address in (nina.email, nina.email, "nobody@example.org"):
        said = Client().post("/password/", {"email": address}, follow=True).content.decode()
        assert "If an account has this address" in said, "the same for known and unknown ones"
    (letter,) = mail.outbox
    assert letter.to == [nina.email] and set_by(ADDRESS.search(letter.body).group(1))["Location"] == "/login"


def test_one_changes_ones_own_password_knowing_the_old_one(nina: Any):
    client = signed_in(nina)
    assert client.post("/account/password", {"old_password": "wrong", **NEW}).status_code == 200
    assert client.post("/account/password", {"old_password": PASSWORD, **NEW})["Location"] == "/account/"
    assert AuditEntry.objects.get().action == "password changed" and opens("nina", NEW["new_password1"])


def lock(name: str) -> Any:
    for _ in range(10):
        answer = Client().post("/login", {"username": name, "password": "wrong"})
    return answer


def test_too_many_wrong_passwords_say_when_to_try_again(nina: Any):
    answer = lock("nina")
    said = answer.content.decode()
    assert answer.status_code == 429 and "Try again in 15 minutes, at" in said and "get a new password" in said
    assert 800 < int(answer["Retry-After"]) <= 900


def test_trying_while_locked_does_not_make_it_longer(nina: Any):
    lock("nina")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=10))
    answer = Client().post("/login", {"username": "nina", "password": PASSWORD})
    assert answer.status_code == 429 and "Try again in 5 minutes, at" in answer.content.decode()
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert Client().post("/login", {"username": "nina", "password": PASSWORD}).status_code == 302


def test_an_admin_unlocks_a_name(nina: Any):
    lock("nina")
    root = signed_in(person("root", "admin"))
    assert "it is locked for a while" in page(root, f"/people/{nina.pk}/")
    root.post(f"/people/{nina.pk}/unlock")
    assert Client().post("/login", {"username": "nina", "password": PASSWORD}).status_code == 302
    assert AuditEntry.objects.get().action == "sign-in unlocked"


def test_a_new_password_unlocks_its_name(link: str):
    lock("nina")
    set_by(link)
    assert Client().post("/login", {"username": "nina", "password": NEW["new_password1"]}).status_code == 302
