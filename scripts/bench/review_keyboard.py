"""One reviewer in real Chromium who never touches the mouse: eight scales an article, by keys."""

import os
import random
import statistics
import time
from argparse import Namespace
from typing import Any

from playwright.sync_api import Page, sync_playwright

from scripts.bench import review_world as world
from scripts.bench.review_books import Said, books
from scripts.bench.review_site import Newsroom, Served
from scripts.bench.say import tell
from scripts.shots import sign_in

NAME = "keyboard"
READING, BETWEEN = 1.0, 0.06  # seconds before the first key, and between two
PATIENCE = 60_000  # ms
# From the last key pressed to the next article painted, measured beside the page's own code.
WATCH = """
let pressed = 0, task = null;
window.waits = [];
addEventListener("keydown", event => pressed = event.timeStamp, true);
new MutationObserver(() => {
  const now = document.querySelector("#desk")?.dataset.task ?? task;
  if (now !== task && task !== null)
    requestAnimationFrame(() => setTimeout(() => window.waits.push(performance.now() - pressed)));
  task = now;
}).observe(document, {childList: true, subtree: true});
"""


def keyboard(place: Newsroom, options: Namespace) -> dict[str, Any]:
    version = world.version()
    found = world.articles("keyboard", options.reviews + 5)
    world.label(version, [one for one_place, one in enumerate(found) if one_place % 4])
    world.queue(version, found)
    world.reviewer(NAME, version)
    before, cpu = len(place.requests()), place.cpu_seconds()
    sent, waits = browse(place.url, options.reviews)
    cpu = (place.cpu_seconds() - cpu) * 1000 / len(sent)
    return {**books(version, sent), **figures(waits, place.requests()[before:]), "server_cpu_ms": round(cpu, 1)}


def browse(url: str, count: int) -> tuple[list[Said], list[float]]:
    """What was given for so many articles, and the milliseconds from each last key to the next article."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("DISTILLERY_BROWSER"), args=["--no-sandbox"])
        page = browser.new_page(base_url=url, viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.add_init_script(WATCH)
        sign_in(page, url, NAME, world.PASSWORD)
        open_first(page)
        hands = Hands(page)
        for number in range(count):
            hands.review()
            tell(f"keyboard: {number + 1} of {count}") if number % 10 == 9 else None
        page.wait_for_function("!Object.keys(localStorage).some(key => key.includes(' unsent '))")
        waits = page.evaluate("window.waits")
        browser.close()
    return hands.sent, waits


def open_first(page: Page) -> None:
    """From the queue's page, by Tab and Enter."""
    page.goto("/review/")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("!!document.activeElement.closest('main .button.primary')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#desk[data-live]")


class Hands:
    """`sent` is what the keys meant, kept beside what the page made of them."""

    def __init__(self, page: Page):
        self.page, self.sent, self.dice = page, list[Said](), random.Random(0)  # noqa: S311 (must be repeatable)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            time.sleep(BETWEEN)

    def review(self) -> None:
        task, state, reveals = self.desk()
        time.sleep(READING)
        said = Said(NAME, int(task), [self.score(place) for place in range(len(world.KEYS))])
        self.sent.append(said)
        self.remark()
        self.press("Enter")
        if reveals == "yes":
            self.page.wait_for_selector("#desk[data-state=settle]")
            said.final = self.settled(said.scores)
            self.press("Enter")
        self.page.wait_for_function("task => document.querySelector('#desk').dataset.task !== task", arg=task)

    def desk(self) -> tuple[str, str, str]:
        desk = self.page.locator("#desk")
        return tuple(desk.get_attribute(f"data-{name}") for name in ("task", "state", "reveals"))  # type: ignore[return-value]

    def score(self, place: int) -> float | None:
        """By a digit, `t` for ten, `n` for not applicable, or a digit and half a point more with the arrow."""
        kind = self.dice.random()
        if kind < 0.05:
            self.press("n")
            return None
        points = self.dice.randrange(11)
        self.press("t" if points == 10 else str(points))
        if kind < 0.3 and points < 10:
            self.press("k", "ArrowRight", "j")
            return points + 0.5
        if kind < 0.35:  # a slip: taken back and given again
            self.press("u", "t")
            return 10.0
        return float(points)

    def remark(self) -> None:
        if self.dice.random() < 0.1:
            self.press("c")
            self.page.keyboard.type("Worth a second look.")
            self.press("Escape")  # back at the button

    def settled(self, first: list[float | None]) -> list[float | None]:
        """Confirmed as it is, or with the last scale changed."""
        if self.dice.random() < 0.7:
            return first
        self.press("k", "3", *([] if self.at_the_end() else ["Enter"]))
        return [*first[:-1], 3.0]

    def at_the_end(self) -> bool:
        return bool(self.page.evaluate("document.activeElement.matches('[data-keep]')"))


def figures(waits: list[float], served: list[Served]) -> dict[str, Any]:
    reviews = by_review(served)
    return {
        "keyboard_reviews": len(reviews),
        "median_server_ms": round(statistics.median(sum(one.ms for one in found) for found in reviews), 1),
        "server_ms_by_request": {
            name: round(statistics.median(one.ms for found in reviews for one in found if kind(one) == name), 1)
            for name in sorted({kind(one) for found in reviews for one in found})
        },
        "next_article_ms": round(statistics.quantiles(waits, n=20, method="inclusive")[-1], 1),
        "next_article_median_ms": round(statistics.median(waits), 1),
        "next_article_worst_ms": round(max(waits), 1),
    }


def by_review(served: list[Served]) -> list[list[Served]]:
    """The requests to review pages up to and with each kept review; a settling belongs to the one before it."""
    found, now = list[list[Served]](), list[Served]()
    for one in served:
        if kind(one) == "finish" and found:
            found[-1].append(one)
        elif one.path.startswith("/review/"):
            now.append(one)
            if kind(one) == "keep" and one.status < 400:
                found.append(now)
                now = []
    return found


def kind(one: Served) -> str:
    last = one.path.rstrip("/").rpartition("/")[2]
    return ("keep" if one.method == "POST" else "open") if last.isdigit() else last
