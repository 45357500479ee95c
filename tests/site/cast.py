"""People of the account tests; models are imported inside, for conftest files load before Django does."""

from typing import Any

from django.test import Client

PASSWORD = "sparrow-kettle-91"  # as good as the validators want it


def person(name: str, *roles: str, filters: Any = ()) -> Any:
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group

    user = get_user_model().objects.create_user(name, password=PASSWORD)
    user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
    for filter_ in filters:
        user.filter_access.create(filter=filter_)
    return user


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, f"{address}: {answer.status_code}"
    return answer.content.decode()
