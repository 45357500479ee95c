"""100,000 articles by the provider's batch service: how fast results are stored, and whether memory stays flat."""

import time
from argparse import Namespace
from typing import Any

from scripts.bench import world
from scripts.bench.ledger import books_of
from scripts.bench.rate import PLENTY
from scripts.bench.say import tell
from scripts.bench.site import Site
from scripts.bench.vendor import Vendor

WORDS = 120


def batch(place: Site, vendor: Vendor, options: Namespace) -> dict[str, Any]:
    vendor.set(seconds=0, limits={}, storm=None, faults=[], polls=2, reset=True)
    found = world.articles("batch", options.batch_articles, WORDS)
    tell(f"batch: {len(found)} articles are there")
    cpu, memory = place.cpu_seconds(), []
    run = world.start(found, PLENTY, mode="batch")
    while not world.is_over(run := world.read(run)):
        memory.append((run.progress_done, place.look_at_memory()))
        tell(f"batch: {run.progress_done} of {run.progress_total}, {memory[-1][1]:.0f} MB, {run.state} {run.error}")
        time.sleep(1)
    cpu = place.cpu_seconds() - cpu
    ledger = vendor.ledger()
    labels, seconds = run.labels.count(), storing_seconds(run, vendor)
    books = books_of(run, ledger, ())
    return {
        "batch_stored_per_s": round(labels / seconds),
        "batch_storing_seconds": round(seconds, 1),
        "batch_cpu_ms_per_label": round(cpu * 1000 / labels, 2),
        "batch_batches": run.batches.count(),
        "batch_rss_mb": growth(memory, run.progress_total),
        "billed_twice": books.billed_twice,
        "ledger_difference_usd": float(books.difference),
        "unfinished": world.unfinished(run),
    }


def storing_seconds(run: Any, vendor: Vendor) -> float:
    """From each request for a batch's results until that batch was stored, summed."""
    asked = dict(vendor.figures()["downloads"])  # the last one of each
    ended = {row.provider_id: row.ended_at.timestamp() for row in run.batches.filter(state="stored")}
    return sum(ended[batch_id] - asked[batch_id] for batch_id in ended)


def growth(memory: list[tuple[int, float]], total: int) -> dict[str, float]:
    """The worker's memory when a fifth of the labels was stored, and at the most after that."""
    early = [mb for done, mb in memory if 0 < done <= total / 5] or [0.0]
    late = [mb for done, mb in memory if done > total / 5] or [0.0]
    return {"at_a_fifth": round(max(early), 1), "after": round(max(late), 1)}
