import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, transaction

from distillery_site.common.models import AuditEntry, record


@pytest.fixture
def lead(db: None):
    return get_user_model().objects.create_user("lead")


@pytest.fixture
def entry(lead) -> AuditEntry:
    return record(lead, "rename", lead, before={"name": "old"}, after={"name": "new"})


def test_it_says_who_changed_what_from_what_to_what(entry, lead):
    row = AuditEntry.objects.get()
    assert (row.actor, row.action, row.target) == (lead, "rename", f"auth.user:{lead.pk}")
    assert (row.before, row.after) == ({"name": "old"}, {"name": "new"})


def test_postgres_refuses_to_change_an_entry(entry):
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        AuditEntry.objects.update(action="nothing happened")


def test_postgres_refuses_to_remove_an_entry(entry):
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        entry.delete()
