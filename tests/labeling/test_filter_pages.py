"""The filters' pages: rubric, policy, prefilter counts, and whose labels hang on them."""

from typing import Any

import pytest
from django.test import Client

from labeling import services
from labeling.demo import recordings
from labeling.rubrics.packages import load_package
from tests.labeling import world


@pytest.fixture
def lead(client: Client, db: None, django_user_model: Any) -> Client:
    client.force_login(django_user_model.objects.create_superuser("lead"))
    return client


@pytest.fixture
def uplifting(db: None) -> Any:
    return services.import_package(package=load_package(recordings.FOLDER / "uplifting"))


def test_it_shows_anchors_weights_tiers_and_gatekeepers(lead: Client, uplifting: Any):
    shown = lead.get("/filters/uplifting/").content.decode()
    for part in ("small or few people", "Human wellbeing impact", "0.25", "feature", "Hopes and promises are not yet good done."):
        assert part in shown


def test_it_counts_what_the_prefilter_drops_and_why(lead: Client):
    version = world.version(prefilter={"exclude": ["word1x"]})
    world.articles(3)
    services.run_prefilter(policy=version.policies.get())
    world.rows(1)
    shown = lead.get("/filters/tiny/").content.decode()
    assert "2 passed" in shown and ">excluded</a>" in shown


def test_it_says_plainly_whose_judgements_are_replayed(lead: Client, uplifting: Any):
    oracle = services.get_oracle(provider="recorded")
    article = world.articles(1)[0]
    uplifting.labels.create(
        article=article,
        oracle=oracle,
        scores=[1.0] * 6,
        text_sha256=article.text_sha256,
        rubric_hash=uplifting.rubric_hash,
        request_hash="x",
    )
    shown = lead.get("/filters/uplifting/").content.decode()
    assert "Claude, November 2026 (recorded)" in shown
    assert "one joint reading of each article for both filters, so the reasoning is shared" in shown


def test_a_person_runs_the_prefilter_anew(lead: Client):
    version = world.version()
    world.articles(3)
    answer = lead.post("/filters/tiny/prefilter", follow=True)
    assert "3 articles passed, 0 were dropped." in answer.content.decode()
    assert version.policies.get().verdicts.count() == 3


def test_opening_a_filter_makes_it_the_current_one(lead: Client, uplifting: Any):
    world.version()
    lead.get("/filters/uplifting/")
    assert lead.session["filter"] == "uplifting"
    assert lead.get("/articles/").context["current_filter"].slug == "uplifting"


def test_an_unknown_filter_is_a_404_in_sentences(lead: Client):
    answer = lead.get("/filters/nonsense/")
    assert answer.status_code == 404 and "There is no such page" in answer.content.decode()


def test_the_list_says_how_to_import_the_first_one(lead: Client):
    assert "python manage.py import_filter" in lead.get("/filters/").content.decode()


def test_the_list_counts_labelled_articles(lead: Client, uplifting: Any):
    shown = lead.get("/filters/").content.decode()
    assert "Uplifting" in shown and "Does the article document real good" in shown
