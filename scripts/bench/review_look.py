"""A page as people with other eyes, hands and screens meet it: axe in light and dark, 320 px, 200 % zoom."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from playwright.sync_api import Browser, BrowserContext, Page

from scripts.shots import violations


class Look(NamedTuple):
    """A screen of so many CSS pixels; a zoom of 200 % leaves half of 1280 × 900."""

    name: str
    width: int
    height: int
    theme: str
    zoom: int = 1


LOOKS = (
    Look("light", 1280, 900, "light"),
    Look("dark", 1280, 900, "dark"),
    Look("320 px", 320, 640, "light"),
    Look("200 %", 640, 450, "light", zoom=2),
)
UNFOLD = "document.querySelectorAll('details').forEach(one => one.open = true)"
# What sticks out to the side and can't be scrolled to in a box of its own, what is cut off, and what stays in the way of
# more than two thirds of the screen.
NARROW = """() => {
  const wide = innerWidth, found = [];
  const root = document.documentElement;
  if (root.scrollWidth > wide) found.push(`the page is ${root.scrollWidth} px wide`);
  const boxed = one => { for (let up = one.parentElement; up && up !== document.body; up = up.parentElement)
    if (/auto|scroll/.test(getComputedStyle(up).overflowX)) return true; return false; };
  const name = one => one.outerHTML.replace(/\\s+/g, ' ').slice(0, 120);
  for (const one of document.querySelectorAll('body *')) {
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    if (!box.width || !box.height || style.visibility === 'hidden' || one.closest('.visually-hidden, .skip, svg')) continue;
    if ((box.right > wide + 1 || box.left < -1) && !boxed(one)) found.push(`sticks out: ${name(one)}`);
    const text = [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (text && /hidden|clip/.test(style.overflowX) && one.scrollWidth > one.clientWidth + 1) found.push(`cut off: ${name(one)}`);
    const stays = style.position === 'fixed' || (style.position === 'sticky' && box.width > wide * 0.8);
    if (stays && box.height > innerHeight * 2 / 3) found.push(`hides two thirds of the screen: ${name(one)}`);
  }
  return found.slice(0, 6);
}"""


def faults(page: Page, look: Look) -> Iterator[str]:
    """What is wrong with the page that shows, seen so."""
    page.evaluate(UNFOLD)
    for line in violations(page):
        yield f"axe {line}"
    if look.width < 1000:
        for line in page.evaluate(NARROW):
            yield f"narrow {line}"


def screen(browser: Browser, url: str, look: Look, cookies: Sequence = ()) -> BrowserContext:
    context = browser.new_context(
        base_url=url,
        viewport={"width": look.width, "height": look.height},
        color_scheme=look.theme,  # type: ignore[arg-type]
        device_scale_factor=look.zoom,
        reduced_motion="reduce",
    )
    context.add_cookies(list(cookies))
    return context
