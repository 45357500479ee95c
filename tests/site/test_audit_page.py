"""The audit log: narrowed, with before and after, and taken away whole."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from distillery_site.common.models import AuditEntry, record
from labeling import services
from labeling.models import FilterAccess
from tests.labeling import world
from tests.site.cast import page, person, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> Any:
    return person("root", "admin")


@pytest.fixture
def desk(root: Any) -> Client:
    return signed_in(root)


@pytest.fixture
def log(root: Any) -> list[AuditEntry]:
    """A person's change, a command's, and one from last week with a name that a spreadsheet would run."""
    week = AuditEntry(actor=person("=HYPERLINK(1)"), action="key revoked", target="common.apikey:3", before={"name": "old"})
    week.at = timezone.now() - timedelta(days=7)
    week.save()
    command = record(None, "training started", root, after={"kind": "ridge"})
    return [week, command, record(root, "renamed", root, before={"name": "Ann", "n": 1}, after={"name": "Åsa", "n": 1})]


def ids(client: Client, query: str) -> list[int]:
    return [entry.pk for entry, *_ in client.get(f"/audit/?{query}").context["lines"]]


def test_it_shows_what_changed_from_what_to_what(desk: Client, log: list[AuditEntry]):
    shown = page(desk, "/audit/")
    assert "<del>Ann</del> → <ins>Åsa</ins>" in shown and "a command" in shown
    assert ">1<" not in shown, "what stayed is no change"


def test_it_is_narrowed_by_who_what_when_and_words(desk: Client, log: list[AuditEntry], root: Any):
    old, command, renamed = (entry.pk for entry in log)
    today = timezone.localdate()
    assert ids(desk, "") == [renamed, command, old]
    assert ids(desk, "actor=root") == [renamed] and ids(desk, "actor=-") == [command]
    assert ids(desk, "action=key+revoked") == [old] == ids(desk, "kind=common.apikey")
    assert ids(desk, "text=ridge") == [command] and ids(desk, f"text=auth.user:{root.pk}") == [renamed, command]
    assert ids(desk, f"since={today}") == [renamed, command] and ids(desk, f"until={today - timedelta(days=1)}") == [old]
    assert ids(desk, "actor=root&action=key+revoked") == []
    assert "Nothing like this" in page(desk, "/audit/?text=nonsense")


@pytest.mark.parametrize("query", ["since=nonsense", "since=2026-99-99", "page=x", "text=%00", "actor=%00"])
def test_what_cannot_be_read_is_left_out(desk: Client, log: list[AuditEntry], query: str):
    assert len(ids(desk, query)) == 3


def test_an_export_holds_what_is_shown_and_is_a_line_itself(desk: Client, log: list[AuditEntry]):
    answer = desk.get("/audit/export.json?action=renamed")
    assert "attachment" in answer["Content-Disposition"]
    (row,) = json.loads(answer.getvalue())
    assert (row["actor"], row["before"], row["after"]) == ("root", {"name": "Ann", "n": 1}, {"name": "Åsa", "n": 1})
    told = AuditEntry.objects.latest("pk")
    assert (told.action, told.after) == ("audit log exported", {"form": "json", "action": "renamed"})


def test_a_table_of_it_runs_nothing_in_a_spreadsheet(desk: Client, log: list[AuditEntry]):
    rows = list(csv.DictReader(io.StringIO(desk.get("/audit/export.csv").getvalue().decode())))
    assert [row["actor"] for row in rows] == ["root", "", "'=HYPERLINK(1)"]
    assert json.loads(rows[0]["after"])["name"] == "Åsa"


def test_an_empty_export_is_an_empty_list_and_another_form_isnt_there(desk: Client):
    assert json.loads(desk.get("/audit/export.json?text=nonsense").getvalue()) == []
    assert desk.get("/audit/export.xml").status_code == 404


def test_raw_rows_that_an_admin_changes_are_in_it_without_secrets(desk: Client):
    nina = person("nina", "viewer")
    fields = {"username": "nina", "is_active": "on", "email": "n@example.org", "date_joined_0": "2026-01-01"}
    answer = desk.post(f"/admin/auth/user/{nina.pk}/change/", {**fields, "date_joined_1": "12:00:00", "groups": []})
    assert answer.status_code == 302
    told = AuditEntry.objects.get(action="raw row changed")
    assert (told.before["email"], told.after["email"]) == ("", "n@example.org")
    assert (told.before["groups"], told.after["groups"], told.after["password"]) == (["viewer"], [], "(secret)")


def test_doors_that_change_something_write_it_down(desk: Client, root: Any):
    policy = world.version().policies.get()
    services.import_package(package=world.package(name="Tiny two"), actor=root)
    desk.post("/filters/tiny/prefilter")
    desk.post("/filters/tiny/cap", {"budget_usd": "5"})
    told = {entry.action: entry for entry in AuditEntry.objects.all()}
    assert told["filter made"].actor is None and told["filter renamed"].before["name"] == "Tiny"
    assert told["prefilter run"].target == f"labeling.policy:{policy.pk}" and told["prefilter run"].actor == root
    cap = told["filter's cap changed"]
    assert (cap.before, cap.after) == ({"budget_usd": None}, {"budget_usd": "5"})


def test_a_lead_who_makes_a_filter_leads_it():
    from labeling.rubrics import editor

    lead = person("lead", "lead")
    version = editor.save(package=world.package(), filter_=None, actor=lead)
    assert FilterAccess.objects.get().user == lead and version.filter.slug == "tiny"
