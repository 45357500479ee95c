"""Review in real Chromium and over HTTP, on a site of its own; `make bench-review`.

    python -m scripts.bench_review [keyboard] [crash] [pages] [coverage] [--reviews 60] [--seconds 120] …

What happens goes to stderr; the last line of stdout is one JSON object, with null for parts that were not run:
reviews           that were sent, by the keyboard and by the eight together
lost              those of them that the site has not kept as they were given
doubled           rows that nobody sent, tasks with more reviews than wanted, reviews told more than once in the audit log
median_server_ms  of the web process for a whole review of 8 dimensions by keyboard: opening, keeping, settling, beats;
                  server_cpu_ms beside it: its processor time for one, which other programs here don't lengthen
next_article_ms   95th percentile of the time from the key to the next article painted; next_article_median_ms beside it
axe_serious       serious or critical findings of axe-core, counted by page, look and rule, on every page of the site
narrow_faults     pages that are wider than a screen of 320 px or at 200 % zoom, or hide or cut something there
coverage_of_95    how often 95 % intervals of anchoring, agreement and true quality hold the planted value, over seeds
"""

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

from scripts.bench.review_coverage import SEEDS, coverage
from scripts.bench.review_site import Newsroom, newsroom
from scripts.bench.say import tell

PARTS = ("keyboard", "crash", "pages", "coverage")
FIGURES = ("reviews", "lost", "doubled", "median_server_ms", "next_article_ms", "axe_serious", "narrow_faults", "coverage_of_95")
SUMS = {"reviews", "lost", "doubled"}  # over the parts


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is put away
    found: dict[str, Any] = dict.fromkeys(FIGURES)
    with newsroom(options.folder) as place:
        for name in options.parts or PARTS:
            add(found, measure(name, place, options))
    print(json.dumps(found))


def measure(name: str, place: Newsroom, options: argparse.Namespace) -> dict[str, Any]:
    from scripts.bench import review_crash, review_keyboard, review_pages  # they need the site's tables

    parts = {"keyboard": review_keyboard.keyboard, "crash": review_crash.crash, "pages": review_pages.pages, "coverage": covered}
    return parts[name](place, options)


def covered(place: Newsroom, options: argparse.Namespace) -> dict[str, Any]:
    """Of made-up projects; no site is needed."""
    return {"coverage_of_95": coverage(seeds=options.seeds, say=tell)}


def add(found: dict[str, Any], figures: dict[str, Any]) -> None:
    for name, value in figures.items():
        found[name] = (found.get(name) or 0) + value if name in SUMS else value


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_review", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--reviews", type=int, default=60, help="keyboard: how many (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=120, help="crash: how long people work (default %(default)s)")
    parser.add_argument("--people", type=int, default=8, help="crash: how many (default %(default)s)")
    parser.add_argument("--queue", type=int, default=3000, help="crash: articles that wait (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="coverage: how many (default %(default)s)")
    parser.add_argument(
        "--folder", type=Path, help="pages: those of a site that is there, its DISTILLERY_VAR; nothing runs on it"
    )
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if options.folder and options.parts != ["pages"]:
        parser.error("--folder is for the part pages alone: the others leave made-up articles and people behind")
    return options


if __name__ == "__main__":
    main()
