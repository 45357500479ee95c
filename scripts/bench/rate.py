"""5,000 articles at 5 s an answer under a limit of 4,000 requests a minute: how much of the limit is used, at which cost."""

import json
import subprocess
import sys
import time
from argparse import Namespace
from decimal import Decimal
from typing import Any

from scripts.bench import world
from scripts.bench.say import tell
from scripts.bench.site import ROOT, Site
from scripts.bench.vendor import Vendor
from tests.fakes.vendor import KEY

PEER = 1_000
PLENTY = Decimal(1000)


def rate(place: Site, vendor: Vendor, options: Namespace) -> dict[str, Any]:
    limits = {"requests": options.limit}
    vendor.set(seconds=options.seconds, limits=limits, storm=None, faults=[], reset=True)
    found = world.articles("rate", options.articles, options.words)
    cpu = place.cpu_seconds()
    run = world.start(found, PLENTY)
    while not world.is_over(run := world.read(run)):
        place.look_at_memory()
        tell(f"rate: {run.progress_done} of {run.progress_total}, {run.state} {run.error}")
        time.sleep(1)
    labels = run.labels.count()
    cpu = place.cpu_seconds() - cpu
    times = sorted(vendor.times())
    figures, peer = vendor.figures(), bare_loop(vendor, options)
    return {
        "rate_share": round(share(times, options.limit), 4),
        "cpu_ms_per_label": round(cpu * 1000 / labels, 2),
        "peer_cpu_ms_per_label": round(peer, 2),
        "rate_seconds": round(times[-1] - times[0], 1),
        "rate_refused": figures["counts"].get("limited", 0),
        "rate_most_out": figures["most_busy"],
        "unfinished": world.unfinished(run),
    }


def share(times: list[float], limit: int) -> float:
    """Accepted requests a minute, from the first to the last one that the server accepted, over what it allows."""
    return (len(times) - 1) / (times[-1] - times[0]) * 60 / limit


def bare_loop(vendor: Vendor, options: Namespace) -> float:
    """Milliseconds of processor time an answer costs with nothing around the provider's SDK, at the same pace."""
    vendor.set(limits={}, reset=True)  # it keeps to the pace, but not within a burst
    words = [vendor.url, KEY, str(min(PEER, options.articles)), str(options.limit), str(options.words)]
    done = subprocess.run([sys.executable, "-m", "scripts.bench.peer", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"The bare loop failed: {done.stderr[-2000:]}")
    return float(json.loads(done.stdout)["cpu_ms_per_label"])
