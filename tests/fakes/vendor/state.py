"""What the server is told to do wrong, how fast it may be asked, and what it has seen."""

import hashlib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.vendor.ledger import Entry

STAGES = ("submit_", "upload_", "poll_", "results_")  # the rest happens to a request for one article


@dataclass
class Fault:
    """What goes wrong with one request. `marker`: only where the article holds this text. times None: for ever."""

    name: str
    marker: str = ""
    retry_after: str = ""
    category: str = "cyber"
    seconds: float = 0.0
    times: int | None = 1

    @property
    def stage(self) -> str:
        if self.name == "lost_submit":
            return "submit_"
        return next((stage for stage in STAGES if self.name.startswith(stage)), "")


# What befalls the articles that a storm hits: what goes wrong with one, and how often in a row.
SCRIPTS = (
    {"name": "429"},
    {"name": "429", "times": None, "retry_after": "1"},
    {"name": "429", "retry_after": "3600"},
    {"name": "529"},
    {"name": "500"},
    {"name": "500", "times": None},
    {"name": "hang", "seconds": 60.0},
    {"name": "drop"},
    {"name": "drop_middle"},
    {"name": "html"},
    {"name": "other_json"},
    {"name": "truncated_json"},
    {"name": "max_tokens"},
    {"name": "max_tokens", "times": None},
    {"name": "refusal", "times": None},
    {"name": "thinking_first"},
    {"name": "out_of_range"},
    {"name": "out_of_range", "times": None},
    {"name": "missing_dimension"},
    {"name": "extra_dimension"},
    {"name": "chatter"},
    {"name": "spend_limit"},
)


@dataclass(frozen=True)
class Storm:
    """A share of the articles, chosen by their text alone, each with one script."""

    share: float
    seed: str = ""
    scripts: tuple[dict[str, Any], ...] = SCRIPTS

    def fault(self, article_hash: str) -> Fault | None:
        digest = hashlib.sha256(f"{self.seed}:{article_hash}".encode()).digest()
        if int.from_bytes(digest[:4], "big") >= self.share * 2**32:
            return None
        return Fault(**self.scripts[int.from_bytes(digest[4:8], "big") % len(self.scripts)])


@dataclass
class Bucket:
    """Tokens that flow in all the time; `burst` seconds' worth can gather."""

    per_minute: int
    burst: float = 1.0
    level: float = field(init=False)
    at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.level = self.capacity

    @property
    def capacity(self) -> float:
        return max(1.0, self.per_minute / 60 * self.burst)

    def wait(self, amount: float) -> float:
        """Seconds until `amount` may be taken; more than the bucket holds may be taken from a full one."""
        now = time.monotonic()
        self.level = min(self.capacity, self.level + (now - self.at) * self.per_minute / 60)
        self.at = now
        return max(0.0, (min(amount, self.capacity) - self.level) * 60 / self.per_minute)

    def take(self, amount: float) -> None:
        self.level -= amount


@dataclass
class State:
    faults: list[Fault] = field(default_factory=list)
    storm: Storm | None = None
    seconds: float = 0.0  # how long each answer takes
    noise: float = 0.0  # standard deviation between readings of one article, in points
    gullible: bool = False  # obeys what stands outside the article's frame
    takes_schema: bool = True  # a compatible server may know only {"type": "json_object"}
    limits: dict[str, Bucket] = field(default_factory=dict)  # "requests", "input", "output" a minute
    polls: int = 1  # how often a batch is looked at before it has ended
    models: dict[str, dict[str, Any]] = field(default_factory=dict)  # what Anthropic's list says of one, beyond the usual
    batch_shares: dict[str, float] = field(default_factory=dict)  # errored, expired, canceled: share of the articles
    keep: bool = True  # False: counts only, for runs that would not fit into memory
    journal: list[dict[str, Any]] = field(default_factory=list)
    ledger: list[Entry] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # when each request was accepted, time.time()
    downloads: list[tuple[str, float]] = field(default_factory=list)  # (batch, when its results were asked for)
    counts: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)  # by article
    hit: Counter[str] = field(default_factory=Counter)  # how often the storm struck, by article
    cached: set[str] = field(default_factory=set)
    busy: int = 0
    most_busy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self, article: str, article_hash: str, stage: str = "") -> Fault | None:
        with self.lock:
            found = next((fault for fault in self.faults if fault.stage == stage and fault.marker in article), None)
            if found is None:
                return None if stage else self._struck(article_hash)
            if found.times is not None:
                found.times -= 1
                if found.times <= 0:
                    self.faults.remove(found)
            return found

    def _struck(self, article_hash: str) -> Fault | None:
        fault = self.storm.fault(article_hash) if self.storm else None
        if fault is None or (fault.times is not None and self.hit[article_hash] >= fault.times):
            return None
        self.hit[article_hash] += 1
        return fault

    def limit(self, requests: int | None = None, input: int | None = None, output: int | None = None, burst: float = 1.0) -> None:
        """So much a minute; None: as much as one likes."""
        asked = {"requests": requests, "input": input, "output": output}
        self.limits = {name: Bucket(amount, burst) for name, amount in asked.items() if amount}

    def admit(self, amounts: dict[str, int]) -> float:
        """0 where the request is let in; else the seconds to wait."""
        waits = [bucket.wait(amounts[name]) for name, bucket in self.limits.items()]
        if any(waits):
            return max(waits)
        for name, bucket in self.limits.items():
            bucket.take(amounts[name])
        return 0.0

    def accept(self, request: dict[str, Any], fault: Fault | None) -> None:
        self.counts["accepted"] += 1
        self.counts[f"fault {fault.name}" if fault else "plain"] += 1
        self.times.append(time.time())
        if self.keep:
            self.journal.append(request)

    def enter(self) -> None:
        self.busy += 1
        self.most_busy = max(self.busy, self.most_busy)
