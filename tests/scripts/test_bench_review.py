"""The review bench: which pages it finds, what it calls narrow, and what it counts as lost or doubled."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SITE = {
    "/": '<html><a href="/things/1">one</a><a href="/things/2">two</a><a href="/list">list</a><a href="https://elsewhere.example/">',
    "/things/1": '<html><a href="/hidden">the only way there</a>',
    "/hidden": "<html>",
    "/list": '<html><a href="?page=2">on</a><a href="/file">file</a>',
    "/list?page=2": '<html><a href="?page=3&sort=name">on</a>',
    "/file": "a,b",
}


def name_of(path: str) -> str:
    return path.strip("/").partition("/")[0] or "overview"


def test_it_finds_a_page_of_every_route_and_of_every_kind_of_query() -> None:
    from scripts.bench.review_crawl import crawl

    assert crawl(SITE.get, name_of) == ["/", "/list", "/things/1", "/list?page=2", "/hidden"]


def test_routes_that_are_not_to_be_looked_at_are_left_out() -> None:
    from scripts.bench.review_crawl import crawl

    assert "/list" not in crawl(SITE.get, lambda path: "" if path == "/list" else name_of(path))


@pytest.fixture
def narrow(chromium: "Browser") -> Callable[[str], list[str]]:
    from scripts.bench.review_look import LOOKS, NARROW, screen

    def seen(body: str) -> list[str]:
        page = screen(chromium, "http://localhost", next(one for one in LOOKS if one.width == 320)).new_page()
        page.set_content(f'<meta name="viewport" content="width=device-width">{body}')
        found = page.evaluate(NARROW)
        page.context.close()
        return found

    return seen


def test_what_sticks_out_of_a_narrow_screen_is_named(narrow: Callable[[str], list[str]]) -> None:
    wide = '<table style="width:500px"><tr><td>figures</table>'
    assert narrow(wide)[0].startswith("the page is 5")
    assert narrow(f'<div style="overflow:auto">{wide}</div>') == []  # it can be scrolled to there


def test_what_is_cut_off_or_hides_most_of_the_screen_is_named(narrow: Callable[[str], list[str]]) -> None:
    (cut,) = narrow('<p style="overflow:hidden; white-space:nowrap; width:80px">more words than there is room for</p>')
    assert cut.startswith("cut off")
    (hides,) = narrow('<nav style="position:fixed; inset:0 auto auto 0; height:90vh; width:100%">menu</nav>')
    assert hides.startswith("hides two thirds of the screen")


@pytest.fixture
def task(version: Any) -> Any:
    from labeling import services
    from tests.labeling import world

    return services.open_review(version=version, article=world.articles(1)[0], reason="random")


@pytest.fixture
def version(db: None) -> Any:
    from tests.labeling import world

    return world.version()


@pytest.fixture
def kept(task: Any, django_user_model: Any) -> Any:
    """One review, and what its author says they gave."""
    from labeling import services
    from scripts.bench.review_books import Said

    name = uuid4()
    person = django_user_model.objects.create_user("eager")
    services.submit_review(task=task, reviewer=person, scores=[7.5, None], submission=name)
    return Said("eager", task.pk, [7.5, None], submission=str(name))


def test_what_is_kept_as_it_was_given_is_neither_lost_nor_doubled(version: Any, kept: Any) -> None:
    from scripts.bench.review_books import books

    assert books(version, [kept]) == {"reviews": 1, "lost": 0, "doubled": 0}


@pytest.mark.parametrize("change", [{"scores": [7.0, None]}, {"final": [1.0, 1.0]}, {"submission": "another"}])
def test_a_review_that_says_something_else_is_lost(version: Any, kept: Any, change: dict[str, Any]) -> None:
    from dataclasses import replace

    from scripts.bench.review_books import books

    assert books(version, [replace(kept, **change)])["lost"] == 1


def test_more_reviews_than_wanted_and_rows_nobody_sent_are_doubled(version: Any, kept: Any, task: Any, reviewer: Any) -> None:
    from dataclasses import replace

    from labeling import services
    from scripts.bench.review_books import books

    services.submit_review(task=task, reviewer=reviewer, scores=[1.0, 1.0], extra=True)
    other = replace(kept, person="reviewer", task=task.pk + 1)
    assert books(version, [kept, other]) == {"reviews": 2, "lost": 1, "doubled": 2}


@pytest.fixture
def reviewer(db: None, django_user_model: Any) -> Any:
    return django_user_model.objects.create_user("reviewer")


def test_a_review_s_requests_are_summed_up_to_its_settling() -> None:
    from scripts.bench.review_keyboard import figures
    from scripts.bench.review_site import Served

    one = [
        Served("POST", "/review/next", 200, 10),
        Served("POST", "/review/4/", 200, 20),
        Served("POST", "/review/4/finish", 200, 5),
    ]
    two = [Served("GET", "/articles/", 200, 999), Served("POST", "/review/next", 200, 10), Served("POST", "/review/5/", 200, 30)]
    found = figures([40.0, 60.0], [*one, *two])
    assert found["keyboard_reviews"] == 2
    assert found["median_server_ms"] == 37.5
    assert found["server_ms_by_request"] == {"finish": 5, "keep": 25, "next": 10}


def test_there_is_something_on_every_kind_of_page(db: None, settings: Any, tmp_path: Any) -> None:
    from labeling.reviewing.gold import disputes
    from scripts.bench import review_rooms, review_world

    settings.MODELS_ROOT = tmp_path
    for name in ("reviewer", "admin"):
        review_world.Group.objects.get_or_create(name=name)
    version = review_world.version()
    more = review_rooms.furnish(version, review_world.person("lead", "admin"))
    assert len(more) == 7
    assert len(disputes(version)) == 1
    assert version.decisions.get().guideline
