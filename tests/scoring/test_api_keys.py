"""Who may call the API: a good key of a person whose role allows it; everyone else gets a sentence."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from distillery_site.common.models import ApiKey
from scoring.api_urls import urlpatterns
from tests.scoring import world

pytestmark = pytest.mark.django_db
ROUTES = [route.name for route in urlpatterns if route.name != "api_docs"]  # a page: it sends people to the login
MODELS = "/api/v1/models"


@pytest.fixture
def viewer():
    return world.person("viewer", "viewer")


def get(key: str, url: str = MODELS):
    return Client().get(url, headers={"Authorization": f"Bearer {key}"})


def message(response) -> str:
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="Distillery"'
    return response.json()["error"]["message"]


def test_a_key_lets_its_person_in(viewer):
    assert get(world.key(viewer)).json() == {"results": []}


def test_a_session_lets_its_person_in(viewer):
    client = Client()
    client.force_login(viewer)
    assert client.get(MODELS).status_code == 200


def test_no_key_is_told_how_to_send_one(db):
    assert message(Client().get(MODELS)) == "This needs a key: send it as “Authorization: Bearer dk_…”."


def test_a_wrong_key_is_refused(db):
    assert message(get("dk_wrong")) == "This key is not known here; make one on your account's page."


def test_a_key_of_odd_bytes_is_refused(db):
    assert message(Client().get(MODELS, headers={"Authorization": "Bearer \xff"})).startswith("This key is not known")


def test_an_expired_key_says_when(viewer):
    key = world.key(viewer, expires_at=timezone.now() - timedelta(days=1))
    assert "expired on" in message(get(key))


def test_a_revoked_key_says_so(viewer):
    key = world.key(viewer)
    ApiKey.objects.update(revoked_at=timezone.now())
    assert "was revoked on" in message(get(key))


def test_a_closed_account_takes_its_keys_with_it(viewer):
    key = world.key(viewer)
    viewer.is_active = False
    viewer.save()
    assert "is closed" in message(get(key))


def test_an_account_without_a_role_is_told_that_it_has_none():
    outsider = world.key(world.person("outsider"))
    response = get(outsider)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("name", ROUTES)
def test_every_route_refuses_callers_without_a_key_or_a_role(name):
    outsider, changes = world.key(world.person("outsider")), ("api_score", "api_promote", "api_rollback")
    method = "post" if name in changes else "get"
    url = reverse(name, args=["good_news"] if name in changes[1:] else [])
    assert getattr(Client(), method)(url).status_code == 401
    assert getattr(Client(), method)(url, headers={"Authorization": f"Bearer {outsider}"}).status_code == 403


def test_the_last_use_is_noted_once_a_minute(viewer, django_assert_num_queries):
    key = world.key(viewer)
    get(key)
    first = ApiKey.objects.get().last_used_at
    get(key)
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    get(key)
    assert ApiKey.objects.get().last_used_at > first


def test_another_method_is_answered_in_json(viewer):
    response = get(world.key(viewer), "/api/v1/score")
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")


def test_an_address_that_does_not_exist_is_answered_in_json(viewer):
    response = get(world.key(viewer), "/api/v1/nothing")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


def test_a_session_without_a_csrf_token_may_not_post(viewer):
    client = Client(enforce_csrf_checks=True)
    client.force_login(viewer)
    response = client.post("/api/v1/score", "{}", content_type="application/json")
    assert (response.status_code, response.json()["error"]["code"]) == (403, "permission_denied")
