"""Invitations: a link that makes one account, once, with no more than its giver holds."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import Client
from django.utils import timezone

from distillery_site.common.errors import BadInput
from distillery_site.common.models import AuditEntry, Invitation
from distillery_site.common.roles import role_of
from distillery_site.people import invitations
from distillery_site.people.granting import grantable
from tests.labeling import world
from tests.site.cast import PASSWORD, page, person, signed_in

pytestmark = pytest.mark.django_db
JOIN = {"username": "nina", "password": PASSWORD, "again": PASSWORD}


@pytest.fixture
def tiny() -> Any:
    return world.version().filter


@pytest.fixture
def lead(tiny: Any) -> Any:
    return person("lead", "lead", filters=[tiny])


@pytest.fixture
def link(lead: Any, tiny: Any) -> str:
    """Made on the page, as a lead makes it."""
    asked = {"role": "reviewer", "filters": "tiny", "days": "7", "email": "nina@example.org"}
    answer = signed_in(lead).post("/people/invitations/", asked)
    return re.search(r"http://testserver(/join/[\w-]+/)", answer.content.decode()).group(1)


def test_a_link_makes_an_account_with_its_role_and_filters(link: str, tiny: Any):
    stranger = Client()
    assert "invites you as reviewer of tiny" in page(stranger, link)
    answer = stranger.post(link, JOIN, follow=True)
    assert answer.redirect_chain[-1][0] == "/review/", "signed in, at the queue"
    nina = get_user_model().objects.get(username="nina")
    assert (role_of(nina), nina.email, nina.filter_access.get().filter) == ("reviewer", "nina@example.org", tiny)
    told = AuditEntry.objects.get(action="invitation accepted")
    assert (told.actor, told.after["roles"], told.after["filters"]) == (nina, ["reviewer"], ["tiny"])


def test_it_works_once(link: str):
    Client().post(link, JOIN)
    assert "makes only one" in page(Client(), link, 410)
    assert Client().post(link, {**JOIN, "username": "otto"}).status_code == 410
    assert not get_user_model().objects.filter(username="otto").exists()


def test_looking_at_it_uses_nothing_up(link: str):
    for _ in range(3):
        page(Client(), link)
    assert Invitation.objects.get().used_at is None


def test_only_a_digest_is_kept(link: str):
    secret = link.split("/")[2]
    assert len(secret) > 40 and not [value for value in Invitation.objects.values().get().values() if secret in str(value)]
    assert secret not in str(AuditEntry.objects.values_list("after", "before", "target"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"expires_at": timezone.now() - timedelta(hours=1)}, "This link expired on"),
        ({"revoked_at": timezone.now()}, "This invitation was taken back"),
        ({"digest": "0" * 64}, "This link isn&#x27;t known here"),
    ],
)
def test_a_link_that_is_no_use_says_why(link: str, change: dict[str, Any], sentence: str):
    Invitation.objects.update(**change)
    assert sentence in page(Client(), link, 410)


def test_it_is_worth_what_its_giver_could_still_give(link: str, lead: Any):
    lead.filter_access.all().delete()
    assert "lead may not give this access any more" in page(Client(), link, 410)


def test_a_closed_account_invites_nobody(link: str, lead: Any):
    lead.is_active = False
    lead.save()
    assert Client().post(link, JOIN).status_code == 410


def test_nobody_gives_more_than_they_hold(lead: Any, tiny: Any):
    foreign = world.version(slug="foreign").filter
    assert grantable(lead) == ["reviewer", "lead"], "a sight of every filter isn't theirs to give"
    assert grantable(person("operator", "operator")) == ["viewer", "reviewer", "lead", "operator"]
    with pytest.raises(BadInput, match="The role operator is more than lead holds"):
        invitations.invite(actor=lead, role="operator", filters=[], days=1)
    with pytest.raises(BadInput, match="lead doesn't lead foreign"):
        invitations.invite(actor=lead, role="reviewer", filters=[tiny, foreign], days=1)
    answer = signed_in(lead).post("/people/invitations/", {"role": "admin", "filters": "foreign", "days": "7"})
    assert answer.status_code == 400 and not Invitation.objects.exists()


def test_it_can_be_taken_back_by_its_giver_and_by_an_admin_only(link: str, lead: Any, tiny: Any):
    address = f"/people/invitations/{Invitation.objects.get().pk}/revoke"
    assert signed_in(person("other", "lead", filters=[tiny])).post(address).status_code == 404
    assert signed_in(person("root", "admin")).post(address).status_code == 302
    assert "taken back" in page(signed_in(lead), "/people/invitations/")
    assert AuditEntry.objects.get(action="invitation revoked").actor.username == "root"


def test_what_is_wrong_with_a_name_or_password_is_told_and_uses_nothing_up(link: str):
    person("Nina")
    assert "This name is taken" in Client().post(link, JOIN).content.decode()
    assert "The two passwords differ" in Client().post(link, {**JOIN, "again": "another-one-77"}).content.decode()
    assert "too short" in Client().post(link, {**JOIN, "password": "short", "again": "short"}).content.decode()
    assert Invitation.objects.get().used_at is None


def test_who_is_signed_in_already_is_told_so(link: str, lead: Any):
    assert "You are signed in as lead" in page(signed_in(lead), link, 409)


def test_it_goes_by_e_mail_where_the_host_can_send_some(settings: Any, lead: Any, tiny: Any):
    settings.EMAIL_HOST = "mail.example.org"
    asked = {"role": "reviewer", "filters": "tiny", "days": "1", "email": "nina@example.org"}
    answer = signed_in(lead).post("/people/invitations/", asked)
    (letter,) = mail.outbox
    assert letter.to == ["nina@example.org"] and "http://testserver/join/" in letter.body
    assert "It went to nina@example.org as well" in answer.content.decode()
