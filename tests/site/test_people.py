"""The people page: who may do what, closed accounts, and one's own account."""

from typing import Any

import pytest

from distillery_site.common.models import ApiKey, AuditEntry
from distillery_site.common.roles import roles_of
from tests.labeling import world
from tests.site.cast import page, person, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> Any:
    return person("root", "admin")


@pytest.fixture
def nina() -> Any:
    return person("nina", "viewer")


def test_an_admin_gives_roles_and_filters_with_a_line_in_the_log(root: Any, nina: Any):
    world.version()
    asked = {"roles": ["reviewer", "viewer"], "filters": ["tiny"], "is_open": "on"}
    assert signed_in(root).post(f"/people/{nina.pk}/", asked).status_code == 302
    assert roles_of(nina) == {"viewer", "reviewer"} and nina.filter_access.get().filter.slug == "tiny"
    told = AuditEntry.objects.get(action="access changed")
    assert (told.actor, told.before) == (root, {"roles": ["viewer"], "filters": [], "open": True})
    assert told.after == {"roles": ["viewer", "reviewer"], "filters": ["tiny"], "open": True}
    shown = page(signed_in(root), "/people/")
    assert "viewer, reviewer" in shown and "Tiny" in shown


def test_saving_what_is_there_writes_nothing(root: Any, nina: Any):
    signed_in(root).post(f"/people/{nina.pk}/", {"roles": ["viewer"], "is_open": "on"})
    assert not AuditEntry.objects.exists()


def test_a_closed_account_is_out_at_once(root: Any, nina: Any):
    inside = signed_in(nina)
    signed_in(root).post(f"/people/{nina.pk}/", {"roles": ["viewer"]})
    assert inside.get("/articles/")["Location"].startswith("/login")


def test_an_admin_cannot_lock_themselves_out(root: Any):
    answer = signed_in(root).post(f"/people/{root.pk}/", {"roles": ["viewer"], "is_open": "on"})
    assert answer.status_code == 400 and "another administrator can" in answer.content.decode()
    assert roles_of(root) == {"admin"}


def test_taking_the_admin_role_takes_a_superusers_too(root: Any, django_user_model: Any):
    other = django_user_model.objects.create_superuser("other")
    signed_in(root).post(f"/people/{other.pk}/", {"roles": ["lead"], "is_open": "on"})
    other.refresh_from_db()
    assert not other.is_superuser and roles_of(other) == {"lead"}


def test_people_are_for_admins(nina: Any):
    operator = signed_in(person("operator", "operator"))
    for address in ("/people/", f"/people/{nina.pk}/", "/audit/", "/audit/export.csv"):
        assert operator.get(address).status_code == 403


def test_a_reviewer_makes_and_revokes_their_own_keys_and_nobody_elses():
    desk, other = signed_in(person("desk", "reviewer")), person("other", "reviewer")
    shown = desk.post("/account/", {"name": "notebook", "days": "30"}).content.decode()
    key = ApiKey.objects.get()
    assert key.user.username == "desk" and "export DISTILLERY_KEY=dk_" in shown
    assert signed_in(other).post(f"/account/keys/{key.pk}/revoke").status_code == 404
    assert desk.post(f"/account/keys/{key.pk}/revoke").status_code == 302
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == ["key issued", "key revoked"]
    assert "No key yet." in page(desk, "/account/")


def test_the_account_says_what_one_may_do():
    shown = page(signed_in(person("desk", "reviewer", filters=[world.version().filter])), "/account/")
    assert "scores articles of the filters below" in shown and "Tiny" in shown
