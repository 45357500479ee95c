#!/usr/bin/env python3
"""Look at the pages: sign in to a running site and photograph them, light and dark, wide and narrow.

    python scripts/shots.py --url http://127.0.0.1:8000 --password … --out var/shots [--axe] [PATH …]

Without paths it takes every page the navigation leads to. With --axe it also lists serious accessibility violations
and ends with status 1 if there are any. The browser is Playwright's own, or the one named by --browser.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

PAGES = (
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
    "/filters/new",
    "/oracles/",
    "/glossary",
)
THEMES = ("light", "dark")
WIDTHS = (1280, 360)
SERIOUS = {"serious", "critical"}


def sign_in(page: Page, url: str, user: str, password: str) -> None:
    page.goto(f"{url}/login")
    page.fill("[name=username]", user)
    page.fill("[name=password]", password)
    page.click("button.primary")
    if "/login" in page.url:
        sys.exit(f"{user} could not sign in: {page.locator('.notice').all_inner_texts()}")


def violations(page: Page) -> Iterator[str]:
    for found in Axe().run(page).response["violations"]:
        if found["impact"] in SERIOUS:
            for node in found["nodes"][:3]:
                yield f"{found['id']} ({found['impact']}): {node['html'][:160]}"


def shoot(browser: Browser, args: argparse.Namespace, theme: str, width: int) -> list[str]:
    """Photograph every path at one theme and width; returns what is wrong with them."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    page, wrong = context.new_page(), list[str]()
    page.on("console", lambda message: wrong.append(f"{page.url} console: {message.text}") if message.type == "error" else None)
    sign_in(page, args.url, args.user, args.password)
    for path in args.paths or PAGES:
        answer = page.goto(args.url + path)
        page.wait_for_timeout(args.wait)
        name = re.sub(r"\W+", "-", path).strip("-") or "overview"
        page.screenshot(path=args.out / f"{name}-{theme}-{width}.png", full_page=not args.fold)
        if answer is None or answer.status != 200:
            wrong.append(f"{path} answered {answer.status if answer else 'nothing'}")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"{path} is wider than {width} px")
        if args.axe:
            wrong += [f"{path} {theme} {width}: {line}" for line in violations(page)]
    context.close()
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password", required=True)
    parser.add_argument("--out", type=Path, default=Path("var/shots"))
    parser.add_argument("--browser", default=None, help="Path of a Chromium; Playwright's own if not given.")
    parser.add_argument("--theme", choices=THEMES, action="append")
    parser.add_argument("--width", type=int, action="append")
    parser.add_argument("--wait", type=int, default=300, help="Milliseconds before each picture.")
    parser.add_argument("--fold", action="store_true", help="Only what shows without scrolling.")
    parser.add_argument("--axe", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=args.browser, args=["--no-sandbox"])
        looks = [(theme, width) for theme in args.theme or THEMES for width in args.width or WIDTHS]
        wrong = [line for look in looks for line in shoot(browser, args, *look)]
        browser.close()
    print("\n".join(dict.fromkeys(wrong)) or "Nothing wrong was seen.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
