"""Default deny: every route and method, tried as nobody and as each group."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from distillery_site import permissions
from distillery_site.common.roles import COVERS
from distillery_site.permissions import ADMIN, NOBODY, ROLES, TABLE, role_of, rule_for

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
DOORS = ("login", "logout")  # open to all, and using them changes who asks
SAMPLES = {"pk": 7, "number": 1, "app_label": "labeling", "url": "x", "content_type_id": 1, "object_id": "7"}


def routes() -> Iterator[tuple[str, URLPattern]]:
    """(view name, pattern) of everything that can be opened; Django's own catch-all has no name."""

    def walk(patterns: list[Any], namespace: str) -> Iterator[tuple[str, URLPattern]]:
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                yield f"{namespace}{pattern.name or ''}", pattern
            else:
                yield from walk(pattern.url_patterns, f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace)

    return walk(get_resolver().url_patterns, "")


def named_routes() -> list[tuple[str, str]]:
    """(view name, an address); objects of that number needn't exist, for permission is asked first."""
    found = {}
    for name, pattern in routes():
        if name and not name.endswith(":"):
            keys = [*pattern.pattern.converters, *getattr(pattern.pattern, "regex", pattern.pattern.regex).groupindex]
            found[name] = reverse(name, kwargs={key: SAMPLES.get(key, "x") for key in keys}) if keys else reverse(name)
    return sorted(found.items())


@pytest.fixture
def people(db: None, django_user_model: Any) -> dict[str, Client]:
    """A signed-in client for each role, and "stranger": an account without a group."""
    clients = {NOBODY: Client()}
    for role in (*ROLES[1:], "stranger"):
        user = django_user_model.objects.create_user(role)
        if role in ROLES:
            user.groups.add(Group.objects.get_or_create(name=role)[0])
        clients[role] = Client()
        clients[role].force_login(user)
    return clients


def is_denied(response: Any) -> bool:
    to_login = response.status_code == 302 and response["Location"].startswith("/login")
    return to_login or response.status_code in (401, 403, 405)


def may(role: str, route: str, method: str) -> bool:
    rule = (rule_for(route) or {}).get("GET" if method == "HEAD" else method)
    return rule is not None and (rule == NOBODY or rule in COVERS.get(role, ()))


def test_every_route_is_in_the_table_and_every_line_of_the_table_is_a_route():
    names = {name for name, _ in named_routes()}
    assert sorted(name for name in names if rule_for(name) is None) == []
    assert sorted(name for name in TABLE if not name.endswith(":*") and name not in names) == []


def test_every_route_has_a_name():
    nameless = {name for name, _ in routes() if not name or name.endswith(":")}
    assert nameless == {"admin:"}, "redirects and the catch-all of Django's admin, which its namespace covers"


def surprises(client: Client, role: str, addresses: list[tuple[str, str]], methods: Sequence[str]) -> list[str]:
    """Where the site's answer isn't what the table says."""
    wrong = []
    for route, address in addresses:
        for method in methods:
            response = client.generic(method, address)
            if is_denied(response) == may(role, route, method):
                wrong.append(f"{role} {method} {route}: {response.status_code}")
    return wrong


@pytest.mark.parametrize("role", (*ROLES, "stranger"))
def test_each_role_opens_what_the_table_gives_it_and_nothing_else(role: str, people: dict[str, Client]):
    pages = [(route, address) for route, address in named_routes() if not route.startswith("admin:") and route not in DOORS]
    assert surprises(people[role], role, pages, METHODS) == []


@pytest.mark.parametrize("role", (NOBODY, "stranger", "operator"))
def test_no_role_but_admin_opens_any_of_djangos_admin(role: str, people: dict[str, Client]):
    raw = [(route, address) for route, address in named_routes() if route.startswith("admin:")]
    assert surprises(people[role], role, raw, ("GET", "POST")) == []


def test_the_admin_role_sees_every_table(people: dict[str, Client]):
    tables = [(route, address) for route, address in named_routes() if route.endswith("_changelist")]
    assert len(tables) > 20
    assert surprises(people[ADMIN], ADMIN, tables, ("GET",)) == []


def test_someone_who_is_not_signed_in_is_sent_to_the_login_and_back(client: Client, db: None):
    response = client.get("/articles/?q=water")
    assert (response.status_code, response["Location"]) == (302, "/login?next=/articles/%3Fq%3Dwater")


def test_a_live_fragment_sends_the_whole_page_to_the_login(client: Client, db: None):
    response = client.get("/labels/7/live", headers={"HX-Request": "true"})
    assert response["HX-Redirect"] == "/login"


def test_the_api_answers_json_to_those_it_keeps_out(people: dict[str, Client]):
    assert people[NOBODY].get("/api/v1/models").json()["error"]["code"] == "not_authenticated"
    refused = people["stranger"].get("/api/v1/models")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_denied")


def test_a_refusal_names_the_role_that_is_needed(people: dict[str, Client]):
    response = people["viewer"].get("/labels/new")
    assert response.status_code == 403
    assert "This needs the role lead; yours is viewer." in response.content.decode()


def test_an_account_without_a_group_is_told_what_to_do(people: dict[str, Client]):
    assert "Ask an administrator to put it into a group." in people["stranger"].get("/").content.decode()


def test_a_route_that_is_not_in_the_table_is_denied_even_to_the_admin(people: dict[str, Client], monkeypatch: Any):
    monkeypatch.delitem(permissions.TABLE, "glossary")
    assert people[ADMIN].get("/glossary").status_code == 403


def test_raw_rows_are_for_the_admin_role_only(people: dict[str, Client]):
    assert people[ADMIN].get("/admin/labeling/article/").status_code == 200
    assert people["operator"].get("/admin/").status_code == 403
    assert people[NOBODY].get("/admin/").status_code == 302


def test_raw_rows_cannot_be_changed_where_services_write_them(people: dict[str, Client]):
    assert people[ADMIN].get("/admin/labeling/oraclelabel/add/").status_code == 403
    assert people[ADMIN].get("/admin/common/auditentry/add/").status_code == 403


def test_a_closed_account_has_no_role(people: dict[str, Client], django_user_model: Any):
    admin = django_user_model.objects.get(username=ADMIN)
    admin.is_active = False
    assert role_of(admin) == NOBODY


def test_a_superuser_needs_no_group(db: None, django_user_model: Any):
    assert role_of(django_user_model.objects.create_superuser("root")) == ADMIN
