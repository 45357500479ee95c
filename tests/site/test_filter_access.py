"""Object permissions: a role says what a person does, a row in FilterAccess says on which filter."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import URLPattern, get_resolver

from distillery_site import objects
from distillery_site.common.roles import MEMBER, REVIEWER, VIEWER, covers, role_of
from labeling import services
from labeling.models import FilterAccess, LabelingRun, ReviewTask
from labeling.reviewing import access
from tests.labeling import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def theirs() -> Any:
    return world.version()


@pytest.fixture
def foreign() -> Any:
    return world.version(slug="foreign", name="Foreign")


@pytest.fixture
def person(theirs: Any, foreign: Any, django_user_model: Any) -> Any:
    """Makes an account with these roles and the filter `tiny`."""

    def make(*roles: str) -> Any:
        user = django_user_model.objects.create_user("-".join(roles) or "stranger")
        user.groups.set(Group.objects.get_or_create(name=role)[0] for role in roles)
        FilterAccess.objects.create(user=user, filter=theirs.filter)
        return user

    return make


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def slugs(filters: Any) -> list[str]:
    return [filter_.slug for filter_ in filters]


@pytest.mark.parametrize(
    ("roles", "sees", "reviews", "leads"),
    [
        (("viewer",), ["foreign", "tiny"], [], []),
        (("reviewer",), ["tiny"], ["tiny"], []),
        (("viewer", "reviewer"), ["foreign", "tiny"], ["tiny"], []),
        (("lead",), ["tiny"], ["tiny"], ["tiny"]),
        (("operator",), ["foreign", "tiny"], ["foreign", "tiny"], ["foreign", "tiny"]),
        (("admin",), ["foreign", "tiny"], ["foreign", "tiny"], ["foreign", "tiny"]),
        ((), [], [], []),
    ],
)
def test_rows_give_reviewers_and_leads_their_filters(person: Any, roles: Any, sees: Any, reviews: Any, leads: Any):
    user = person(*roles)
    found = access.filters_for(user), access.filters_to_review(user), access.filters_to_lead(user)
    assert [slugs(filters) for filters in found] == [sees, reviews, leads]
    assert access.may_lead(user, world.version().filter) == ("tiny" in leads)


def test_a_reviewer_is_no_viewer_and_two_groups_add_up(person: Any):
    assert not covers(person("reviewer"), VIEWER) and covers(person("viewer"), MEMBER)
    both = person("reviewer", "viewer")
    assert covers(both, VIEWER) and covers(both, REVIEWER) and role_of(both) == "reviewer"


def test_every_address_that_names_a_thing_says_whose_it_is():
    places = {match for match in addresses() if "<" in match}
    assert sorted(place for place in places if not place.startswith((*objects.OWNED, *objects.FREE))) == []


def addresses() -> set[str]:
    def walk(patterns: list[Any], before: str) -> Any:
        for pattern in patterns:
            place = before + str(pattern.pattern)
            yield from [place] if isinstance(pattern, URLPattern) else walk(pattern.url_patterns, place)

    return set(walk(get_resolver().url_patterns, ""))


def test_a_lead_opens_and_changes_their_own_filter_only(person: Any):
    lead = signed_in(person("lead"))
    assert lead.get("/filters/tiny/").status_code == 200
    refused = lead.get("/filters/foreign/")
    assert refused.status_code == 403 and "belongs to a filter that isn&#x27;t among yours" in refused.content.decode()
    assert lead.post("/filters/foreign/prefilter").status_code == 403
    assert lead.post("/filters/tiny/prefilter").status_code == 302


def test_a_viewer_reads_every_filter(person: Any):
    assert signed_in(person("viewer")).get("/filters/foreign/").status_code == 200


def test_reviewing_goes_by_rows_even_for_those_who_see_everything(person: Any, theirs: Any, foreign: Any):
    article = world.articles(1)[0]
    mine, other = (ReviewTask.objects.create(version=one, article=article, reason="random") for one in (theirs, foreign))
    desk = signed_in(person("viewer", "reviewer"))
    assert desk.get(f"/review/{mine.pk}/").status_code == 200
    assert desk.get(f"/review/{other.pk}/").status_code == 403


def test_raising_a_cap_takes_an_operator(person: Any):
    assert signed_in(person("lead")).post("/filters/tiny/cap", {"budget_usd": "5"}).status_code == 403
    assert signed_in(person("operator")).post("/filters/foreign/cap", {"budget_usd": "5"}).status_code == 302


def test_a_reviewer_finds_the_queue_and_nothing_else(person: Any):
    desk = signed_in(person("reviewer"))
    assert desk.get("/")["Location"] == "/review/"
    assert desk.get("/articles/").status_code == desk.get("/filters/tiny/").status_code == 403
    page = desk.get("/review/")
    assert [entry["name"] for entry in page.context["nav"]] == ["Review"]
    assert "Foreign" not in page.content.decode()


def test_the_switch_offers_and_keeps_a_persons_own_filters(person: Any):
    lead = signed_in(person("lead"))
    assert slugs(lead.get("/").context["all_filters"]) == ["tiny"]
    lead.post("/switch", {"filter": "foreign"})
    assert lead.get("/").context["current_filter"].slug == "tiny"


def test_require_says_what_is_missing(person: Any, theirs: Any, foreign: Any):
    lead, reviewer = person("lead"), person("reviewer")
    access.require(lead, theirs.filter, "lead")
    with pytest.raises(PermissionDenied, match="foreign is not among your filters"):
        access.require(lead, foreign.filter, "lead")
    with pytest.raises(PermissionDenied, match="On tiny this needs the role lead"):
        access.require(reviewer, theirs.filter, "lead")


def test_forms_offer_a_lead_their_own_filters_and_refuse_others(person: Any, theirs: Any, foreign: Any):
    lead = signed_in(person("lead"))
    shown = lead.get("/labels/new")
    assert slugs(shown.context["form"].fields["filter"].queryset) == ["tiny"]
    answer = lead.post("/labels/new", {"filter": "foreign", "provider": "recorded", "draw": "all", "mode": "direct"})
    assert answer.status_code == 400 and "filter" in answer.context["form"].errors


def test_lists_show_a_lead_their_own_filters_only(person: Any, theirs: Any, foreign: Any):
    lead = signed_in(person("lead"))
    oracle = services.get_oracle(provider="external", model="A judge")
    runs = [LabelingRun.objects.create(version=one, oracle=oracle) for one in (theirs, foreign)]
    shown = lead.get("/labels/").content.decode()
    assert f"/labels/{runs[0].pk}/" in shown and f"/labels/{runs[1].pk}/" not in shown
    assert "/filters/foreign/" not in lead.get("/filters/").content.decode()
    assert lead.get(f"/labels/{runs[1].pk}/").status_code == 403 == lead.post(f"/labels/{runs[1].pk}/cancel").status_code


def test_spending_takes_an_operator(person: Any, theirs: Any):
    oracle = services.get_oracle(provider="anthropic")
    run = LabelingRun.objects.create(version=theirs, oracle=oracle, state="paused", budget_usd=1)
    answer = signed_in(person("lead")).post(f"/labels/{run.pk}/resume", {"budget_usd": "50"}, follow=True)
    run.refresh_from_db()
    assert run.state == "paused" and "spending it needs the role operator" in answer.content.decode()
