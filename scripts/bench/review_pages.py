"""Every page of the site, in light and dark, at 320 px and at 200 % zoom: what axe-core and a narrow screen find wrong."""

import os
from argparse import Namespace
from typing import Any

from django.urls import Resolver404, resolve
from playwright.sync_api import sync_playwright

from distillery_site.permissions import TABLE
from scripts.bench import review_rooms as rooms
from scripts.bench import review_world as world
from scripts.bench.review_crawl import crawl
from scripts.bench.review_look import LOOKS, faults, screen
from scripts.bench.review_people import Person
from scripts.bench.review_site import Newsroom
from scripts.bench.say import tell

NAME = "looker"
OUTSIDE = ("/login", "/join/", "/password/")  # seen by who isn't signed in
PAINTED = 100  # ms until scripts have dressed a page


def pages(place: Newsroom, options: Namespace) -> dict[str, Any]:
    lead = world.person(NAME, "admin")
    more = [] if options.folder else rooms.furnish(world.version(), lead)
    person = Person(place.url, NAME, world.PASSWORD)
    person.sign_in()
    try:
        return looked_at(place.url, more, person)
    finally:
        world.close(lead)


def looked_at(url: str, more: list[str], person: Person) -> dict[str, Any]:
    inside = crawl(person.page, name_of, starts=["/", "/no-such-page", *(one for one in more if not one.startswith(OUTSIDE))])
    outside = ["/login", "/password/", *(one for one in more if one.startswith(OUTSIDE))]
    tell(f"pages: {len(inside)} inside, {len(outside)} outside; no link led to {', '.join(missed(inside + outside))}")
    found = [*look(url, outside, None), *look(url, inside, person)]
    return {
        "pages": len(inside) + len(outside),
        "axe_serious": sum(": axe " in line for line in found),
        "narrow_faults": sum(": narrow " in line for line in found),
    }


def name_of(path: str) -> str:
    """The route of a page of ours; Django's own admin is left out."""
    try:
        name = resolve(path).view_name
    except Resolver404:
        return ""
    return name if "GET" in TABLE.get(name, {}) else ""


def missed(seen: list[str]) -> list[str]:
    """Routes that can be read and weren't: fragments, files, and pages that need what this site doesn't have."""
    met = {name_of(address.partition("?")[0]) for address in seen}
    return sorted(name for name, rule in TABLE.items() if "GET" in rule and name not in met)


def look(url: str, addresses: list[str], person: Person | None) -> list[str]:
    found = []
    cookies = [{"name": one.name, "value": one.value or "", "url": url} for one in person.session.cookies] if person else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("DISTILLERY_BROWSER"), args=["--no-sandbox"])
        for one in LOOKS:
            context = screen(browser, url, one, cookies)
            page = context.new_page()
            page.set_default_timeout(120_000)
            for address in addresses:
                page.goto(address)
                page.wait_for_timeout(PAINTED)
                for line in faults(page, one):
                    found.append(f"{one.name} {address}: {line}")
                    tell(f"pages: {found[-1]}")
            context.close()
            tell(f"pages: {one.name} done")
        browser.close()
    return found
