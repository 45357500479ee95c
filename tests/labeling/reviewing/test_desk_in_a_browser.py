"""The review desk in real Chromium: by keyboard alone, next articles at once, and no work lost when the world goes away.

Playwright's loop and Django's tables can't share a thread, so a browser lives in a thread of its own and tests run there.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

Scene = Callable[[Page], None]
PATIENCE = 60_000  # ms; machines that run tests are busy


def with_tables(work: Callable[[], Any]) -> Any:
    """Done in another thread than the browser's."""
    from django.db import connections

    def alone() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(alone).result()


@pytest.fixture(scope="module")
def thread() -> Iterator[tuple[ThreadPoolExecutor, Browser]]:
    path = os.environ.get("DISTILLERY_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    with ThreadPoolExecutor(1) as pool:
        playwright = pool.submit(sync_playwright().start).result()
        browser = pool.submit(playwright.chromium.launch, executable_path=path, args=["--no-sandbox"]).result()
        yield pool, browser
        pool.submit(browser.close).result()
        pool.submit(playwright.stop).result()


@pytest.fixture
def sitting(live_server: Any, thread: tuple[ThreadPoolExecutor, Browser]) -> Callable[[Scene], None]:
    """Plays a scene: a reviewer has signed in and sits at the first article, the second one is loaded ahead."""
    cookies = made()
    pool, browser = thread
    expect.set_options(timeout=PATIENCE)

    def play(scene: Scene) -> None:
        context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900})
        context.add_cookies([{"name": name, "value": value, "url": live_server.url} for name, value in cookies.items()])
        context.set_default_timeout(PATIENCE)
        try:
            scene(open_first(context.new_page()))
        finally:
            context.close()

    return lambda scene: pool.submit(play, scene).result()


def in_a_browser(scene: Scene) -> Callable[..., None]:
    def test(sitting: Callable[[Scene], None]) -> None:
        sitting(scene)

    test.__name__ = scene.__name__
    return test


def made() -> dict[str, str]:
    """Three articles in the queue of a reviewer; the first two have an oracle's scores. Returns their session's cookie."""
    from django.contrib.auth.models import Group, User
    from django.test import Client

    from labeling import services
    from labeling.models import FilterAccess, ReviewRules
    from tests.labeling import world
    from tests.labeling.comparing import judges

    version, client = world.version(), Client()
    found = world.articles(3)
    judges.says(judges.oracle(), version, [(article, (8.5, 1.0)) for article in found[:2]], reasoning="Because of the water.")
    ReviewRules.objects.create(filter=version.filter, unblinded=0)
    for place, article in enumerate(found):
        services.open_review(version=version, article=article, reason="random", priority=-place)
    reviewer = User.objects.create_user("reviewer")
    reviewer.groups.add(Group.objects.get_or_create(name="reviewer")[0])
    FilterAccess.objects.create(user=reviewer, filter=version.filter)
    client.force_login(reviewer)
    return {name: morsel.value for name, morsel in client.cookies.items()}


def kept() -> list[Any]:
    from labeling.models import Review

    return with_tables(lambda: list(Review.objects.order_by("pk")))


def open_first(tab: Page) -> Page:
    with tab.expect_response(lambda answer: answer.url.endswith("/review/next")):
        tab.goto(f"/review/{first()}/")
    return tab


def first() -> int:
    from labeling.models import ReviewTask

    return with_tables(lambda: ReviewTask.objects.earliest("pk").pk)


def press(page: Page, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)


def heading(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


@in_a_browser
def test_an_hour_of_reviews_takes_nothing_but_keys(page: Page):
    press(page, "7 ArrowRight k ArrowRight u j n")  # 7, back to it, 7.5, and back again; the second isn't applicable
    expect(page.get_by_role("button", name="Keep these scores")).to_be_focused()
    press(page, "c y Escape Enter e ArrowUp l Enter")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".panel")).to_contain_text("Oracle: 8.5")
    expect(page.get_by_role("button", name=re.compile("Confirm"))).to_be_focused()
    press(page, "k k 8")
    expect(page.get_by_role("button", name=re.compile("Keep the changes"))).to_be_visible()
    page.wait_for_timeout(200)
    page.route("**/review/next", lambda route: route.abort())  # the next article is here already
    page.keyboard.press("Control+Enter")
    heading(page, "Title 1")
    page.unroute("**/review/next")
    press(page, "3 5 Enter")
    expect(page.locator(".panel")).to_contain_text("Oracle: 8.5")
    with page.expect_response("**/finish"):  # the next article doesn't wait for it
        page.keyboard.press("Enter")
    heading(page, "Title 2")
    first_one, second = kept()
    assert (first_one.scores[1], first_one.comment, first_one.blind) == (None, "y", True) and first_one.seconds > 0
    assert second.scores == second.final == [3.0, 5.0]


@in_a_browser
def test_drafts_outlive_a_closed_tab_and_reviews_a_lost_connection(page: Page):
    press(page, "6 ArrowLeft")
    again = page.context.new_page()
    page.close()
    open_first(again)
    expect(again.locator("[data-notice]")).to_contain_text("Taken up from your draft")
    press(again, "4")
    again.context.set_offline(True)
    again.keyboard.press("Control+Enter")
    expect(again.locator("#unsent")).to_contain_text("not sent yet, and safe in this browser")
    assert kept() == []
    again.context.set_offline(False)
    expect(again.locator(".panel")).to_contain_text("Oracle: 8.5")
    expect(again.locator("#unsent")).to_be_hidden()
    assert len(kept()) == 1


@in_a_browser
def test_a_session_that_ended_keeps_the_review_until_one_is_back(page: Page):
    cookies = page.context.cookies()
    press(page, "6 4")
    page.context.clear_cookies(name=re.compile("distillery_"))
    page.keyboard.press("Enter")
    expect(page.locator("#unsent")).to_contain_text("You are signed out.")
    expect(page.get_by_role("link", name="Sign in in a new tab")).to_have_attribute("href", "/login")
    page.context.add_cookies(cookies)
    expect(page.locator(".panel")).to_contain_text("Oracle: 8.5")
    assert [review.scores for review in kept()] == [[6.0, 4.0]]


@in_a_browser
def test_a_remark_far_too_long_is_said_before_it_is_sent(page: Page):
    page.locator("#id_comment").evaluate("(place) => { place.value = '<script>alert(1)</script>'.repeat(4000); }")
    press(page, "6 4 Enter")
    expect(page.locator("[data-notice]")).to_contain_text("The remark is too long. Nothing is lost")
    assert len(page.locator("#id_comment").input_value()) == 100_000 and kept() == []


@in_a_browser
def test_it_fits_a_small_dark_screen_and_speaks_to_those_who_do_not_see_it(page: Page):
    page.set_viewport_size({"width": 320, "height": 640})
    page.emulate_media(color_scheme="dark")
    seen = []
    for keys in ("", "6 4 Enter"):
        press(page, keys)
        expect(page.locator(f"#desk[data-state={'settle' if keys else 'score'}]")).to_be_visible()
        seen += [found["id"] for found in Axe().run(page).response["violations"] if found["impact"] in ("serious", "critical")]
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert seen == []
    expect(page.locator("#said")).to_contain_text("Good: Oracle: 8.5")
