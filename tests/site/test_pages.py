"""The pages that span the apps, and what every page has in common."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from distillery_site.common.runs import RunState
from labeling.models import LabelingRun, PrefilterVerdict, ReviewTask
from scoring import services as scoring
from tests.scoring import world
from training.services import promote

LISTS = (
    "/",
    "/articles/",
    "/labels/",
    "/review/",
    "/data-sets/",
    "/training/",
    "/bases/",
    "/models/",
    "/scoring/",
    "/filters/",
    "/oracles/",
    "/glossary",
)
FORMS = ("/filters/new", "/articles/import", "/labels/new", "/data-sets/new", "/training/new", "/scoring/keys/new")


@pytest.fixture
def admin(client: Client, db: None, django_user_model: Any) -> Client:
    client.force_login(django_user_model.objects.create_superuser("admin"))
    return client


@pytest.fixture
def measured(dataset: Any, model: Any, root: Path) -> Any:
    """A champion with a finished test benchmark."""
    run = scoring.start_benchmark(model=model)
    scoring.run_benchmark(run_id=run.pk, through=world.engine(root, dataset))
    promote(model=model, filter=dataset.versions[0].filter)
    return model


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, f"{address}: {response.status_code}"
    return response.content.decode()


def check_form(shown: str, address: str) -> None:
    """What every page owes its readers."""
    assert shown.count("<h1") == 1, f"{address} needs one h1"
    assert shown.count("button primary") <= 1, f"{address} fills more than one button"
    assert re.search(r"<title>\S.* · Distillery</title>", shown), f"{address} has no title"
    assert not re.search(r">\s*None\s*<", shown), f"{address} shows None"
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=", shown), f"{address} has a script inside"


@pytest.mark.parametrize("address", LISTS + FORMS)
def test_every_page_opens_on_an_empty_site(admin: Client, address: str):
    check_form(text_of(admin, address), address)


def test_every_page_opens_with_a_student_in_service(admin: Client, measured: Any):
    story = measured.dataset.items.first().article_id
    objects = (
        f"/articles/{story}/",
        "/filters/uplifting/",
        "/filters/uplifting/edit",
        "/data-sets/news/",
        "/models/news-ridge/v1/",
    )
    for address in LISTS + FORMS + objects:
        check_form(text_of(admin, address), address)


def test_an_empty_overview_starts_with_articles(admin: Client):
    shown = text_of(admin, "/")
    assert "Import articles" in shown and 'data-state="next"' in shown


def test_the_overview_shows_each_champions_distance_to_the_oracle(admin: Client, measured: Any):
    shown = text_of(admin, "/")
    assert "news-ridge v1</a> misses the oracle by" in shown and "asked twice, the oracle misses itself by" in shown
    assert shown.count("track-small") == 2, "one track a dimension"


def test_the_overview_offers_what_comes_next(admin: Client, measured: Any, dataset: Any):
    policy = dataset.versions[0].policies.get()
    assert "Run the prefilter" in text_of(admin, "/")
    PrefilterVerdict.objects.create(policy=policy, article=dataset.items.first().article, passed=True)
    assert ">Score an article</a>" in text_of(admin, "/")


def test_the_overview_watches_what_runs(admin: Client, measured: Any, oracle: Any):
    run = LabelingRun.objects.create(version=measured.dataset.versions[0], oracle=oracle)
    shown = text_of(admin, "/")
    assert f'href="/labels/{run.pk}/"' in shown and "every 5s" in shown
    run.request_cancel()
    assert "every 30s" in text_of(admin, "/?part=1")


def test_the_overview_says_what_needs_attention(admin: Client, measured: Any, oracle: Any):
    version = measured.dataset.versions[0]
    LabelingRun.objects.create(version=version, oracle=oracle, state=RunState.PAUSED, error="The cap of $1 is reached.")
    ReviewTask.objects.create(version=version, article=measured.dataset.items.first().article, reason="worst")
    shown = text_of(admin, "/")
    assert "paused: The cap of $1 is reached." in shown
    assert "1 article waits for a person&#x27;s scores by Uplifting." in shown
    assert "The scoring process does not answer" in shown


def test_a_person_who_may_not_import_is_not_asked_to(client: Client, db: None):
    client.force_login(world.person("viewer", "viewer"))
    assert "button primary" not in text_of(client, "/")


def test_the_filter_stays_with_the_person(admin: Client, dataset: Any):
    from tests.training import world as newsroom

    newsroom.version("investment_risk")
    answer = admin.post("/switch", {"filter": "uplifting", "next": "/articles/?q=water"})
    assert answer["Location"] == "/articles/?q=water"
    assert admin.get("/models/").context["current_filter"].slug == "uplifting"


def test_on_a_filters_page_the_switch_goes_to_the_other_filters_page(admin: Client, dataset: Any):
    assert admin.post("/switch", {"filter": "uplifting", "next": "/filters/other/"})["Location"] == "/filters/uplifting/"


@pytest.mark.parametrize("away", ["https://example.org/", "//example.org/", "javascript:alert(1)", ""])
def test_the_switch_never_leads_away_from_the_site(admin: Client, away: str):
    assert admin.post("/switch", {"filter": "nonsense", "next": away})["Location"] == "/"


def test_health_is_public_and_terse(client: Client, db: None):
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "degraded", "database": "ok", "redis": "ok", "engine": "down"}


def test_health_is_down_without_redis(client: Client, db: None, settings: Any):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["redis"]) == (503, "down")


def test_errors_are_sentences(admin: Client):
    missing = admin.get("/nonsense/")
    assert missing.status_code == 404 and "There is no such page" in missing.content.decode()


def test_a_stale_form_is_told_so(db: None, django_user_model: Any):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(django_user_model.objects.create_superuser("admin"))
    answer = strict.post("/switch", {"filter": "uplifting"})
    assert answer.status_code == 403 and "This form is too old" in answer.content.decode()


def test_a_bug_is_told_in_a_sentence_and_not_shown(admin: Client, monkeypatch: Any):
    monkeypatch.setattr("distillery_site.views.cards", lambda: 1 / 0)
    admin.raise_request_exception = False
    answer = admin.get("/")
    assert answer.status_code == 500
    assert "Something broke here" in answer.content.decode() and "ZeroDivision" not in answer.content.decode()


def test_a_wrong_password_keeps_the_name(client: Client, db: None):
    shown = client.post("/login", {"username": "ana", "password": "wrong"}).content.decode()
    assert "don&#x27;t match" in shown or "don't match" in shown
    assert 'value="ana"' in shown


def test_ten_wrong_passwords_lock_the_name_for_a_while(client: Client, db: None):
    for _ in range(10):
        answer = client.post("/login", {"username": "ana", "password": "wrong"})
    assert answer.status_code == 429 and "Locked for a while" in answer.content.decode()


def test_signing_in_leads_to_the_page_that_was_asked_for(client: Client, db: None, django_user_model: Any):
    django_user_model.objects.create_superuser("ana", password="right-enough")
    answer = client.post("/login", {"username": "ana", "password": "right-enough", "next": "/models/"})
    assert answer["Location"] == "/models/"


def test_pages_allow_no_script_but_their_own(admin: Client):
    policy = admin.get("/")["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy.split("script-src")[1].split(";")[0]
