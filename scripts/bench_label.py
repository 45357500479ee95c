"""Label against the fake vendor, with real workers, Postgres and Valkey in a folder of their own; `make bench-label`.

    python -m scripts.bench_label [rate] [storm] [batch] [--articles 5000] [--batch-articles 100000] …

What happens goes to stderr; the last line of stdout is one JSON object, with null for parts that were not run:
rate_share       requests a minute that the server accepted, from the first to the last of the run, over its limit
cpu_ms_per_label user and system time of the label worker's process over the labels, imports and all; beside it
                 peer_cpu_ms_per_label, the same for a bare loop of the provider's SDK and a semaphore, imports left out
worker_rss_mb    the largest resident memory of any label worker, in MB, as the kernel kept it
billed_twice     articles that were billed again although a usable answer had been read
over_cap_usd     the most that was billed, or booked, above the cap of the moment
ledger_difference_usd  over delivered replies: what each was billed less what is booked for it, without sign, summed
unfinished       articles that are neither labelled nor failed with a reason; untrue: those that ended otherwise than the
                 storm's script for them leads to
batch_stored_per_s     labels over the seconds from each request for a batch's results until it was stored
In the storm, a wait of an hour that the provider asked for is over as soon as nothing else is left to do.
"""

import argparse
import json
import signal
import sys
from typing import Any

from scripts.bench.site import site
from scripts.bench.vendor import vendor
from tests.fakes.vendor import KEY

PARTS = ("rate", "storm", "batch")
FIGURES = (
    *("rate_share", "cpu_ms_per_label", "worker_rss_mb", "billed_twice", "over_cap_usd", "ledger_difference_usd"),
    *("unfinished", "batch_stored_per_s"),
)
SUMS = {"billed_twice", "ledger_difference_usd", "unfinished"}  # over the parts


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is put away
    found: dict[str, Any] = dict.fromkeys(FIGURES)
    with vendor() as server:
        limits = {"ORACLE_LIMITS": f"anthropic/claude-haiku-5-5={options.limit}", "ORACLE_CONCURRENCY": "400"}
        with site(server.url, KEY, **limits, ORACLE_TIMEOUT="20") as place:
            from scripts.bench import batch, rate, storm  # they need the site's tables

            parts = {"rate": rate.rate, "storm": storm.storm, "batch": batch.batch}
            for name in options.parts or PARTS:
                add(found, parts[name](place, server, options))
            found["worker_rss_mb"] = round(max(place.peak_mb.values()), 1)
    print(json.dumps(found))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_label", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--articles", type=int, default=5_000, help="for rate and storm (default %(default)s)")
    parser.add_argument("--batch-articles", type=int, default=100_000, help="for batch (default %(default)s)")
    parser.add_argument("--words", type=int, default=380, help="in an article (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="that an answer takes (default %(default)s)")
    parser.add_argument("--limit", type=int, default=4_000, help="requests a minute (default %(default)s)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return options


def add(found: dict[str, Any], figures: dict[str, Any]) -> None:
    for name, value in figures.items():
        found[name] = (found.get(name) or 0) + value if name in SUMS else value


if __name__ == "__main__":
    main()
