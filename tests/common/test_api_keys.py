from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from distillery_site.common.models import ApiKey, hash_key


@pytest.fixture
def analyst(db: None):
    return get_user_model().objects.create_user("analyst")


@pytest.fixture
def issued(analyst) -> tuple[ApiKey, str]:
    return ApiKey.objects.issue(user=analyst, name="notebook")


def test_a_key_is_found_by_the_hash_of_its_secret(issued):
    key, secret = issued
    assert ApiKey.objects.usable().get(digest=hash_key(secret)) == key


def test_the_secret_itself_is_stored_nowhere(issued):
    key, secret = issued
    row = ApiKey.objects.values().get(pk=key.pk)
    assert not [value for value in row.values() if secret in str(value)]
    assert secret.startswith(row["prefix"])


def test_two_keys_never_share_a_secret(analyst, issued):
    assert ApiKey.objects.issue(user=analyst, name="again")[1] != issued[1]


@pytest.mark.parametrize("change", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now() - timedelta(seconds=1)}])
def test_a_revoked_or_expired_key_is_not_usable(issued, change):
    ApiKey.objects.update(**change)
    assert not ApiKey.objects.usable().exists()


def test_a_key_ends_with_its_user(analyst, issued):
    get_user_model().objects.update(is_active=False)
    assert not ApiKey.objects.usable().exists()
