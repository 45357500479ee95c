"""Raw rows: an administrator may look at every table of labelling and write in none that money hangs on."""

from typing import Any

import pytest
from django.test import Client

from labeling.models import FilterVersion, LabelingBatch, Purse
from tests.labeling import paid

TABLES = (
    "labelingrun",
    "labelingshard",
    "labelingbatch",
    "labelingitem",
    "oraclecall",
    "oraclelabel",
    "purse",
    "oracle",
    "filter",
)


@pytest.fixture
def admin(client: Client, version: FilterVersion, django_user_model: Any) -> Client:
    """One row in every table."""
    client.force_login(django_user_model.objects.create_superuser("admin"))
    run = paid.run(version)
    paid.labelled(run.items.first(), flags=("repaired",))
    LabelingBatch.objects.create(run=run, marker="m1")
    Purse.objects.create(name="month 2026-11")
    return client


@pytest.mark.parametrize("table", TABLES)
def test_every_table_can_be_looked_at_and_not_added_to(admin: Client, table: str):
    listed = admin.get(f"/admin/labeling/{table}/")
    assert listed.status_code == 200
    row = listed.context["cl"].queryset.first()
    assert admin.get(f"/admin/labeling/{table}/{row.pk}/change/").status_code == 200
    assert admin.get(f"/admin/labeling/{table}/add/").status_code == 403


@pytest.mark.parametrize("table", sorted({*TABLES} - {"filter"}))
def test_no_row_that_money_hangs_on_can_be_changed(admin: Client, table: str):
    row = admin.get(f"/admin/labeling/{table}/").context["cl"].queryset.first()
    assert admin.post(f"/admin/labeling/{table}/{row.pk}/change/", {"cost_usd": "0"}).status_code == 403
    assert admin.post(f"/admin/labeling/{table}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
