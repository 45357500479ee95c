"""A person in real Chromium: looks at the student, reviews an article, scores one of their own, leaves."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def page(loop, site, chromium: Browser) -> Iterator[Page]:
    """Signed in as the first admin, at the overview."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, base_url=site.url)
    tab = context.new_page()
    tab.set_default_timeout(30_000)
    tab.goto("/")
    tab.fill("[name=username]", "admin")
    tab.fill("[name=password]", site.password())
    tab.click("button.primary")
    yield tab
    context.close()


def test_the_overview_says_how_close_the_student_is(page):
    page.goto("/")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.locator("main")).to_contain_text("misses the oracle by")


def test_the_table_of_versions_puts_the_baselines_first(page):
    page.goto("/models/")
    rows = page.locator("table tbody th, table tbody td:first-child").all_inner_texts()
    assert rows[0].startswith("Best constant")
    assert any("gate-stack" in row for row in rows)


def test_the_model_page_shows_where_its_figures_come_from(page, loop):
    page.goto("/models/gate-stack/v1/")
    expect(page.locator("main")).to_contain_text(loop["benchmark stack"]["report"]["hashes"]["manifest"][:12])


def test_a_reviewer_scores_before_seeing_the_oracle(page):
    page.goto("/articles/")
    page.locator("main tbody th a").first.click()
    page.get_by_role("button", name="Send it to review").click()
    page.goto("/review/")
    page.locator("main tbody th a").first.click()
    expect(page.locator("main")).to_contain_text("appears once yours is in")
    for scale in page.locator("fieldset.scale").all():
        scale.locator("label").nth(5).click()
    page.get_by_role("button", name="Keep these scores").click()
    expect(page.locator("main")).not_to_contain_text("appears once yours is in")


def test_an_article_of_ones_own_gets_scores_and_a_tier(page):
    page.goto("/scoring/")
    page.fill("[name=title]", "A house by the river")
    page.fill("[name=text]", "people water house school bread light river work day friend road garden child song bridge " * 3)
    page.get_by_role("button", name="Score it").click()
    expect(page.locator("#answers")).to_contain_text(re.compile("clear|passable|unclear"))


def test_signing_out_closes_the_door(page):
    page.goto("/")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/models/")
    expect(page).to_have_url(re.compile("/login"))
