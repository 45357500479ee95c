"""Who may come in: the five groups, and the first administrator."""

import secrets

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection

from distillery_site.permissions import ADMIN, ROLES

_ALONE = 7_263_001  # any number, the same on every machine that shares the database


def first_start() -> str | None:
    """Bring the database up to date; the password of the admin, if this made one. Machines take turns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_ALONE])
        try:
            call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
            ensure_groups()
            return ensure_admin()
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ALONE])


def ensure_groups() -> None:
    for name in ROLES[1:]:  # the first is nobody
        Group.objects.get_or_create(name=name)


def ensure_admin() -> str | None:
    """Make the account `admin` with a random password where there is no administrator yet; None where there is one."""
    users = get_user_model()
    if users.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    admin = users.objects.create_superuser("admin", password=password)
    admin.groups.add(Group.objects.get(name=ADMIN))
    return password
