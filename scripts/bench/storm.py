"""A fifth of the articles goes wrong in every way there is, while a worker, Valkey and Postgres are killed twice each."""

import time
from argparse import Namespace
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.utils import timezone

from labeling.models import Article, LabelingItem, LabelingRun, LabelingShard
from labeling.prompting.fencing import frame
from scripts.bench import world
from scripts.bench.ledger import Books, books_of
from scripts.bench.say import tell
from scripts.bench.site import Site
from scripts.bench.vendor import Vendor
from tests.fakes.vendor.answers import hash_of
from tests.fakes.vendor.state import SCRIPTS, Storm

SHARE = 0.2
HANG = 60.0  # seconds, where the worker waits for ORACLE_TIMEOUT
KILLS = ("worker", "valkey", "postgres", "worker", "valkey", "postgres")
PATIENCE = 45 * 60
FATES = {"429": "rate", "500": "server", "max_tokens": "truncated", "refusal": "refusal: cyber", "out_of_range": "invalid"}
STORM = Storm(SHARE, "bench", tuple(script for script in SCRIPTS if script["name"] != "spend_limit"))
EACH_USD = Decimal("0.0002")  # what an article costs about, so that the first cap is reached half-way


class Weather:
    """The storm as it goes: what was killed, what stopped the run, what the vendor had billed under which cap."""

    def __init__(self, place: Site, vendor: Vendor, run: LabelingRun, cap: Decimal):
        self.place, self.vendor, self.run, self.cap = place, vendor, run, cap
        self.kills = list(KILLS)
        self.killed_at: list[float] = []
        self.pauses: Counter[str] = Counter()
        self.over = Decimal(0)
        self.forwarded = 0

    def turn(self) -> None:
        self.run = world.read(self.run)
        self.place.look_at_memory()
        self._count_money()
        self._kill_next()
        if self.run.state == "paused":
            self._go_on()
        elif self.run.state == "queued":
            self._fast_forward()
        tell(f"storm: {self.run.progress_done} of {self.run.progress_total}, {self.run.state} {self.run.error}")

    def _count_money(self) -> None:
        billed = Decimal(self.vendor.figures()["billed_usd"])
        self.over = max(self.over, billed - self.cap, self.run.spent_usd - self.cap)

    def _kill_next(self) -> None:
        """The next one each time another seventh of the articles is through."""
        done = len(KILLS) - len(self.kills) + 1
        if self.kills and self.run.progress_done > self.run.progress_total * done / (len(KILLS) + 2):
            pid = self.place.kill(what := self.kills[0])
            if pid is not None:
                self.killed_at.append(time.time())
                self.kills.pop(0)
                tell(f"storm: kill -9 {pid} ({what})")

    def _go_on(self) -> None:
        """As a person would: raise the cap where it was reached, settle what the provider wants, resume."""
        capped = "The cap of" in self.run.error
        self.pauses["cap" if capped else self.run.error[:60]] += 1
        if capped:
            self.cap += self.cap
        world.resume(self.run, self.cap if capped else None)

    def _fast_forward(self) -> None:
        """The provider asked for an hour: once all shards rest, because nothing else is left, the hour is over."""
        now = timezone.now()
        if self.run.not_before is None or self.run.not_before < now + timedelta(minutes=5):
            return
        rows = (
            LabelingItem.objects.filter(run=self.run, state="waiting"),
            LabelingShard.objects.filter(run=self.run, state="queued"),
            LabelingRun.objects.filter(pk=self.run.pk, state="queued"),
        )
        changed = [world.patiently(partial(found.update, not_before=now)) for found in rows]
        self.forwarded += changed[0]


def storm(place: Site, vendor: Vendor, options: Namespace) -> dict[str, Any]:
    found = world.articles("storm", options.articles, options.words)
    spending = [{"name": "spend_limit", "marker": f"storm{number} "} for number in (7, options.articles // 2)]
    scripts = [{**script, "seconds": HANG} if script["name"] == "hang" else script for script in STORM.scripts]
    wanted = {"share": SHARE, "seed": STORM.seed, "scripts": scripts}
    vendor.set(seconds=options.seconds, limits={"requests": options.limit}, storm=wanted, faults=spending, reset=True)
    cap = EACH_USD * options.articles / 2
    weather = Weather(place, vendor, world.start(found, cap), cap)
    begun = time.monotonic()
    while not world.is_over(weather.run) and time.monotonic() - begun < PATIENCE:
        weather.turn()
        time.sleep(1)
    return report(weather, time.monotonic() - begun)


def report(weather: Weather, seconds: float) -> dict[str, Any]:
    books: Books = books_of(weather.run, weather.vendor.ledger(), weather.killed_at)
    return {
        "billed_twice": books.billed_twice,
        "billed_twice_read_as_it_died": books.read_as_it_died,
        "over_cap_usd": float(max(Decimal(0), weather.over)),
        "ledger_difference_usd": float(books.difference),
        "unfinished": world.unfinished(weather.run),
        "untrue": untrue(weather.run),
        "storm_seconds": round(seconds),
        "storm_kills": len(KILLS) - len(weather.kills),
        "storm_pauses": dict(weather.pauses),
        "storm_fast_forwarded": weather.forwarded,
        "storm_failed": dict(Counter(weather.run.items.filter(state="failed").values_list("error_class", flat=True))),
        "storm_billed": books.entries,
        "storm_undelivered": books.undelivered,
        "storm_state": weather.run.state,
    }


def untrue(run: LabelingRun) -> int:
    """Articles whose end is not the one that their script leads to."""
    view, wrong = run.version.view, 0
    items = run.items.select_related("article").only("state", "error_class", "article")
    for item in items.iterator():
        wrong += (item.error_class if item.state == "failed" else "") != fate(item.article, view)
    return wrong


def fate(article: Article, view: dict[str, Any]) -> str:
    """The class that this article must fail with; empty where it must be labelled."""
    fault = STORM.fault(hash_of(frame(article.rendered(view))))
    return FATES.get(fault.name, "") if fault and fault.times is None else ""
