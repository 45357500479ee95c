"""Which pages a site has: every route that links lead to from the overview, once without and once with a query."""

import re
from collections.abc import Callable, Iterator, Sequence
from html import unescape
from urllib.parse import urljoin, urlsplit

LINK = re.compile(r'href="([^"#]+)')


def crawl(fetch: Callable[[str], str | None], name_of: Callable[[str], str], starts: Sequence[str] = ("/",)) -> list[str]:
    """Addresses of whole pages: `starts`, and one more of every route and of every set of query names that a page links to.

    `fetch` gives a page's HTML, or None where there is none; `name_of` gives the route's name of a path, empty where it
    is not to be looked at.
    """
    waiting, met, pages = list(starts), {kind_of(one, name_of) for one in starts[:1]}, list[str]()
    while waiting:
        address = waiting.pop(0)
        html = fetch(address)
        if html is None or "<html" not in html:
            continue
        pages.append(address)
        for link in sorted(links(html, address), key=len):
            kind = kind_of(link, name_of)
            if kind and kind not in met and link not in starts and not ("?" in address and "?" in link):
                met.add(kind)
                waiting.append(link)
    return pages


def links(html: str, address: str) -> Iterator[str]:
    """Where a page leads to on its own site."""
    for found in LINK.findall(html):
        link = urlsplit(urljoin(address, unescape(found)))
        if not link.netloc and link.path.startswith("/"):
            yield f"{link.path}?{link.query}" if link.query else link.path


def kind_of(address: str, name_of: Callable[[str], str]) -> str:
    link = urlsplit(address)
    name, query = name_of(link.path), sorted(part.partition("=")[0] for part in link.query.split("&"))
    return name and f"{name}?{'&'.join(query)}"
