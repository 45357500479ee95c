"""Words typed into the rubric editor stay, whatever happens between two of them: slow answers, slow files, failing saves."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.e2e.conftest import FILTER

pytestmark = pytest.mark.timeout(600)
EDITOR = re.compile("/filters/new$")
SLOW = 1.0  # seconds that an answer takes: longer than a person needs for the next word


@pytest.fixture(scope="module")
def signed_in(site, chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=site.url)
    context.set_default_timeout(60_000)
    tab = context.new_page()
    tab.goto("/")
    tab.fill("[name=username]", "admin")
    tab.fill("[name=password]", site.password())
    tab.click("button.primary")
    expect(tab.get_by_role("heading", name="Overview")).to_be_visible()
    yield context
    context.close()


@pytest.fixture
def page(signed_in: BrowserContext) -> Iterator[Page]:
    """The editor of a new filter, nothing kept."""
    tab = signed_in.new_page()
    tab.goto("/filters/new")
    tab.evaluate("localStorage.clear()")
    yield tab
    tab.close()


def write(page: Page, words: str) -> None:
    page.get_by_label("Prompt", exact=True).fill(words)


def slowly(do: Callable[[Route], None] = Route.continue_) -> Callable[[Route], None]:
    def answer(route: Route) -> None:
        time.sleep(SLOW)
        do(route)

    return answer


def kept(page: Page) -> int:
    """How many drafts the page offers; its script has run when it is loaded."""
    return page.get_by_role("button", name="Go on with them").count()


def test_what_is_typed_while_an_answer_comes_is_carried_over(page):
    page.route(EDITOR, slowly())
    page.get_by_role("button", name="Add a dimension").click()
    write(page, "Typed meanwhile")
    expect(page.locator("#in-dimension-1-name")).to_be_visible()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("Typed meanwhile")
    page.goto("/filters/new")
    page.get_by_role("button", name="Go on with them").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("Typed meanwhile")


def test_what_is_sent_shows_the_last_word_typed(page):
    page.route(EDITOR, slowly())
    with page.expect_request(EDITOR):
        write(page, "The first words")
    page.wait_for_timeout(SLOW * 1000 - 200)  # the second are waited with when the answer to the first comes
    write(page, "The last words")
    expect(page.locator("#preview")).to_contain_text("The last words")


def test_words_typed_before_the_script_came_are_kept(page):
    page.route("**/editor.js", slowly())
    page.goto("/filters/new", wait_until="commit")
    write(page, "Faster than the script")
    page.wait_for_load_state()
    page.goto("/filters/new")
    assert kept(page) == 1


def test_a_later_visit_does_not_write_over_an_earlier_one(page):
    write(page, "The first visit")
    page.goto("/filters/new")
    write(page, "The second visit")
    page.goto("/filters/new")
    assert kept(page) == 2
    page.get_by_role("button", name="Throw them away").first.click()
    page.get_by_role("button", name="Go on with them").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("The first visit")


def test_a_save_that_failed_throws_nothing_away(page, site):
    site.manage("import_filter", FILTER)
    write(page, "Sent and lost")
    page.route(
        EDITOR, lambda route: route.fulfill(status=503, body="Not now.") if route.request.method == "POST" else route.continue_()
    )
    with page.expect_response(lambda answer: answer.status == 503):
        page.get_by_role("button", name="Save").click()
    page.get_by_text("Not now.").wait_for()
    page.goto("/filters/clear_writing/")  # the page that a save leads to, but it came from elsewhere
    page.goto("/filters/new")
    assert kept(page) == 1
