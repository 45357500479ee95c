"""The first start: groups, one administrator, one password."""

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import Group
from django.test import RequestFactory

from distillery_site import accounts, permissions

pytestmark = pytest.mark.django_db


def test_it_makes_the_five_groups_and_an_admin_who_can_sign_in() -> None:
    password = accounts.first_start()
    assert set(Group.objects.values_list("name", flat=True)) == {"viewer", "reviewer", "lead", "operator", "admin"}
    admin = authenticate(RequestFactory().post("/login/"), username="admin", password=password)
    assert admin is not None and admin.is_superuser
    assert permissions.role_of(admin) == "admin"


def test_the_password_is_random_long_and_told_once() -> None:
    password = accounts.first_start()
    assert password and len(password) >= 16
    assert accounts.first_start() is None
    get_user_model().objects.all().delete()
    assert accounts.first_start() != password


def test_an_administrator_of_another_name_is_enough() -> None:
    get_user_model().objects.create_superuser("grace", password="a-long-password")
    assert accounts.first_start() is None
    assert not get_user_model().objects.filter(username="admin").exists()


def test_a_group_that_is_there_keeps_its_people() -> None:
    reviewer = get_user_model().objects.create_user("ada")
    reviewer.groups.add(Group.objects.create(name="reviewer"))
    accounts.ensure_groups()
    assert Group.objects.filter(name="reviewer").count() == 1
    assert reviewer.groups.get().name == "reviewer"
