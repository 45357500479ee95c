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
    expect(page.locator("#desk[data-live]")).to_be_visible()
    blind = page.locator("#desk").get_attribute("data-reveals") == "yes"  # one in ten is drawn to be shown open
    expect(page.locator(".said")).to_have_count(0) if blind else expect(page.locator(".panel")).to_contain_text("Shown open.")
    for _ in page.locator("fieldset.scale").all():
        page.keyboard.press("6")
    page.keyboard.press("Enter")
    expect(page.locator(".panel")).to_contain_text("Your scores are kept." if blind else "reviewed today")


def test_nothing_is_asked_before_its_plan_was_looked_at_and_agreed_to(page, vendor):
    page.goto("/labels/new")
    page.select_option("[name=provider]", "gemini")
    page.get_by_label("A pilot").check()
    page.fill("[name=size]", "30")
    asked = len(vendor.calls)
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator("#plan")).to_contain_text("counted by gemini")
    expect(page.locator("#departure")).to_contain_text("Nothing leaves this machine")
    page.get_by_label("In batches").check()
    expect(page.locator("#plan")).to_contain_text("1–24 h")  # the plan follows the choices
    page.get_by_label("Directly").check()
    expect(page.locator("#plan")).not_to_contain_text("1–24 h")
    page.locator("#start-run").click()
    expect(page.locator("#plan")).to_contain_text("Nothing is sent before you agree to it.")
    assert len(vendor.calls) == asked
    page.get_by_label("I have checked the terms").check()
    page.locator("#start-run").click()
    expect(page.get_by_role("heading", name="What the pilot says")).to_be_visible(timeout=60_000)
    expect(page.locator("#next")).to_be_visible()


def test_an_article_of_ones_own_gets_scores_and_a_tier(page):
    page.goto("/scoring/")
    page.fill("[name=title]", "A house by the river")
    page.fill("[name=text]", "people water house school bread light river work day friend road garden child song bridge " * 3)
    page.get_by_role("button", name="Score it").click()
    expect(page.locator("#answers")).to_contain_text(re.compile("clear|passable|unclear"))


def test_a_filter_is_written_beside_what_an_oracle_would_be_sent(page):
    page.goto("/filters/")
    page.get_by_role("link", name="Write a filter").click()
    page.get_by_label("Name", exact=True).first.fill("Calm news")
    page.get_by_label("Prompt", exact=True).fill("How calmly does it report?")
    expect(page.locator("#preview")).to_contain_text("How calmly does it report?")
    describe(page, 0, "Calm", ("written to alarm", "sober throughout"))
    page.get_by_role("button", name="Add a dimension").click()
    expect(page.locator("#in-dimension-1-name")).to_be_focused()
    describe(page, 1, "Grounded", ("no source", "every claim sourced"))
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator("#dimensions > fieldset").first).to_have_id("in-dimension-1")
    page.get_by_role("button", name="Make them add up to 1").click()
    expect(page.locator("#preview")).to_contain_text(re.compile("- grounded: .*- calm: ", re.DOTALL))
    expect(page.locator("#preview")).to_contain_text("together, about")


def test_what_was_typed_is_there_when_one_comes_back(page):
    page.goto("/filters/")
    page.goto("/filters/new")
    page.get_by_role("button", name="Go on with them").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("How calmly does it report?")


def test_saving_says_what_it_does_and_leads_to_five_steps(page):
    expect(page.locator("#outcome")).to_contain_text("makes the filter calm_news, version 1")
    page.get_by_role("button", name="Save the filter").click()
    expect(page).to_have_url(re.compile("/filters/calm_news/$"))
    expect(page.locator(".stations.five > li")).to_have_count(5)
    expect(page.locator("#next-step")).to_have_text("Go to the prefilter")


def describe(page: Page, number: int, name: str, ends: tuple[str, str]) -> None:
    """Fill in one dimension of the editor: its name, and what a 0 and a 9-10 look like."""
    place = f"#in-dimension-{number}"
    page.fill(f"{place}-name", name)
    page.fill(f"{place}-description", f"how {name.lower()} it is")
    for anchor, text in ((0, ends[0]), (3, ends[1])):
        page.fill(f"{place}-anchor-{anchor}-text", text)


def test_signing_out_closes_the_door(page):
    page.goto("/")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/models/")
    expect(page).to_have_url(re.compile("/login"))
