"""The five steps on a filter's page: where each stands, which comes next, and its command."""

from typing import Any

import pytest
from django.test import Client

from distillery_site.common.runs import RunState
from distillery_site.steps import Step, steps
from labeling import services
from labeling.models import Filter, FilterVersion, LabelingRun
from tests.labeling import world as desk
from tests.scoring import world


@pytest.fixture
def admin(db: None, django_user_model: Any) -> Any:
    return django_user_model.objects.create_superuser("admin")


@pytest.fixture
def version(db: None) -> FilterVersion:
    return desk.version()


@pytest.fixture
def passed(version: FilterVersion) -> FilterVersion:
    """Three articles that passed."""
    desk.articles(3)
    services.run_prefilter(policy=version.policies.get())
    return version


def a_run(version: FilterVersion, kind: str, state: str = RunState.DONE, labelled: int = 0) -> LabelingRun:
    run = LabelingRun.objects.create(version=version, oracle=services.get_oracle(provider="anthropic"), kind=kind, state=state)
    for article in desk.articles(3)[:labelled]:
        run.items.create(article=article, state="labelled")
        known = {"text_sha256": article.text_sha256, "rubric_hash": version.rubric_hash, "request_hash": f"{run.pk} {article.pk}"}
        version.labels.create(run=run, article=article, oracle=run.oracle, scores=[1, 2], prompt_hash=kind, **known)
    return run


def states(version: FilterVersion, user: Any) -> str:
    return " ".join(step.state for step in steps(version.filter, user))


def the_next(version: FilterVersion, user: Any) -> Step:
    return next(step for step in steps(version.filter, user) if step.state == "next")


def test_it_begins_with_the_rubric(admin: Any):
    (only,) = steps(Filter.objects.create(slug="bare"), admin)
    assert (only.state, only.todo) == ("next", "/filters/bare/edit")


def test_a_rubric_wants_articles_and_articles_their_prefilter(version: FilterVersion, admin: Any):
    assert the_next(version, admin).todo == "/articles/import"
    desk.articles(3)
    assert (the_next(version, admin).todo, the_next(version, admin).what) == ("#prefilter", "3 imported, not prefiltered yet")


def test_articles_that_passed_want_a_pilot(passed: FilterVersion, admin: Any):
    assert states(passed, admin) == "done done next idle idle"
    assert the_next(passed, admin).commands == ("python manage.py label tiny --provider anthropic --pilot --budget 1 --agree",)


def test_while_an_oracle_reads_nothing_is_next(passed: FilterVersion, admin: Any):
    a_run(passed, "pilot", RunState.RUNNING)
    assert states(passed, admin) == "done done busy idle idle"


def test_a_run_that_paused_is_what_to_look_at(passed: FilterVersion, admin: Any):
    run = a_run(passed, "pilot", RunState.PAUSED)
    assert the_next(passed, admin).todo == f"/labels/{run.pk}/"


def test_a_pilot_is_followed_by_the_rest(passed: FilterVersion, admin: Any):
    run = a_run(passed, "pilot", labelled=2)
    assert states(passed, admin) == "done done done next idle"
    assert the_next(passed, admin).todo == f"/labels/new?run={run.pk}"


def test_labels_want_a_data_set(passed: FilterVersion, admin: Any):
    a_run(passed, "pilot", labelled=1)
    a_run(passed, "full", labelled=3)
    assert states(passed, admin) == "done done done done next"
    assert the_next(passed, admin).todo == "/data-sets/new"


def test_a_pilot_may_be_left_out(passed: FilterVersion, admin: Any):
    a_run(passed, "full", labelled=3)
    assert states(passed, admin) == "done done skipped done next"


def test_a_cancelled_run_is_as_if_it_never_was(passed: FilterVersion, admin: Any):
    a_run(passed, "pilot", RunState.CANCELLED)
    assert the_next(passed, admin).words == "Try a pilot"


def test_with_a_student_all_is_done(dataset: Any, model: Any, admin: Any):
    version = dataset.versions[0]
    assert steps(version.filter, admin)[4].what == "newest: news-ridge v1"


def test_a_viewer_is_asked_to_do_nothing(passed: FilterVersion):
    assert "next" not in states(passed, world.person("viewer", "viewer"))


def test_the_page_fills_one_button_and_says_the_command(client: Client, passed: FilterVersion, admin: Any):
    client.force_login(admin)
    page = client.get("/filters/tiny/").content.decode()
    assert page.count("button primary") == 1 and ">Try a pilot</a>" in page
    assert "python manage.py freeze first --filter tiny" in page
