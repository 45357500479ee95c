"""Where a labelling run stands: what it does or waits for, how fast it is and what it costs.

The run's page, the list of runs and the command's bar all say what is worked out here, so they never differ.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from django.db.models import Avg, Count, Min, Q, Sum
from django.utils import timezone

from distillery_site.common.runs import RunState
from labeling import figures
from labeling.models import LabelingBatch, LabelingRun, OracleCall
from labeling.running.rates import allowed
from labeling.watching.money import Money, Part, money_of

WINDOW = timedelta(seconds=60)
BATCHES_SHOWN = 20
LABELLED = Q(state=OracleCall.State.ANSWERED, error_class="")
ONE_STAYS = "One answer stays with the provider and is fetched then."
SETTLED = (LabelingBatch.State.STORED, LabelingBatch.State.LOST)


@dataclass(frozen=True)
class Doing:
    """What the run does or waits for, in a sentence; `until` is when a wait ends, `since` when it began."""

    words: str
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Pace:
    """Calls settled a minute, the most that may be, and seconds to the end of work; None where nobody can tell."""

    a_minute: float | None = None
    allowed: float | None = None
    eta_seconds: float | None = None


@dataclass(frozen=True)
class Usage:
    """Tokens of all calls that came back, and seconds an answer took on average."""

    input: int
    cached: int
    output: int
    seconds: float | None

    @property
    def cached_share(self) -> float:
        return self.cached / self.input if self.input else 0.0


@dataclass(frozen=True)
class Estimate:
    """What the plan said and what it became, in `unit`: usd, tokens or seconds."""

    what: str
    unit: str
    planned: float | None
    became: float | None


@dataclass(frozen=True)
class Stumble:
    """Calls of one kind that gave no label; most of their articles were asked again."""

    state: str
    words: str
    error_class: str
    count: int
    cost_usd: Decimal


class Standing:
    """Each part is looked up once, when it is asked for."""

    def __init__(self, run: LabelingRun):
        self.run = run

    @cached_property
    def counts(self) -> figures.RunCounts:
        return figures.run_counts(self.run)

    @property
    def is_live(self) -> bool:
        """Whether something may change without a person: its own state, or calls that a stopped run has out."""
        return self.run.state in (RunState.QUEUED, RunState.RUNNING) or bool(self.counts.out and not self.batches_away)

    @property
    def parts(self) -> list[Part]:
        """How far it is, as stretches of one bar."""
        names = ("labelled", "stored", "absent", "failed", "out", "unasked")
        return [Part(name, getattr(self.counts, name), self.counts.total) for name in names]

    @cached_property
    def problems(self) -> list[figures.Problem]:
        return figures.run_problems(self.run)

    @cached_property
    def flags(self) -> list[tuple[str, int]]:
        return figures.run_flags(self.run)

    @cached_property
    def stumbles(self) -> list[Stumble]:
        """Calls that gave no label, by what came of them, most frequent first."""
        state = OracleCall.State
        in_vain = Q(state=state.ANSWERED, error_class__gt="") | Q(state__in=(state.FAILED, state.LOST, state.UNSENT))
        found = self.run.calls.filter(in_vain).order_by().values_list("state", "error_class")
        rows = found.annotate(n=Count("*"), usd=Sum("cost_usd"), kept=Sum("reserved_usd")).order_by("-n", "error_class")
        return [
            Stumble(came, state(came).label, error, n, kept if came == state.LOST else usd) for came, error, n, usd, kept in rows
        ]

    @cached_property
    def usage(self) -> Usage:
        sums = self.run.calls.aggregate(
            input=Sum("input_tokens"),
            cached=Sum("cache_read_tokens"),
            output=Sum("output_tokens"),
            seconds=Avg("seconds", filter=Q(seconds__gt=0)),
        )
        return Usage(sums["input"] or 0, sums["cached"] or 0, sums["output"] or 0, sums["seconds"])

    @cached_property
    def batches(self) -> list[LabelingBatch]:
        return list(self.run.batches.order_by("-pk")[:BATCHES_SHOWN])

    @cached_property
    def batch_states(self) -> dict[str, int]:
        return Counter(dict(self.run.batches.order_by().values_list("state").annotate(n=Count("*"))))

    @property
    def batch_count(self) -> int:
        return sum(self.batch_states.values())

    @property
    def batches_away(self) -> int:
        return self.batch_count - sum(self.batch_states[state] for state in SETTLED)

    @cached_property
    def doing(self) -> Doing:
        run = self.run
        if run.is_final:
            return Doing(run.stage or "Nothing is left to do." if run.state == RunState.DONE else run.stage)
        if run.cancel_requested:
            return Doing(f"Stopping. {self._out_sentence}")
        if run.state == RunState.PAUSED:
            return Doing(f"Nothing is asked until somebody resumes it. {self._out_sentence}")
        return self._with_provider or self._waiting or self._at_work

    @property
    def _out_sentence(self) -> str:
        """What happens to the calls that are out."""
        out = self.counts.out
        if not out:
            return "Nothing is out any more."
        if self.batches_away and self.run.state == RunState.PAUSED:
            return f"{out:,} answers stay with the provider and are fetched then." if out > 1 else ONE_STAYS
        calls = "1 call is out and is" if out == 1 else f"{out:,} calls are out and are"
        return f"{calls} still settled, for at most {_usd(self.run.reserved_usd)}."

    @property
    def _with_provider(self) -> Doing | None:
        """While batches are away nobody works: a shard looks after them now and then."""
        away, total = self.batches_away, self.batch_count - self.batch_states[LabelingBatch.State.LOST]
        if not away:
            return None
        since = self.run.batches.exclude(state__in=SETTLED).aggregate(first=Min("created_at"))["first"]
        first = total - away + 1
        which = f"Batch {first} of {total} is" if away == 1 else f"Batches {first} to {total} are"
        return Doing(f"{which} with the provider", since=since)

    @property
    def _waiting(self) -> Doing | None:
        run = self.run
        if run.state != RunState.QUEUED:
            return None
        if run.not_before is not None and run.not_before > timezone.now():
            return Doing(run.error or "Waits until it may ask again.", until=run.not_before)
        return Doing("Waits for a worker", since=run.not_before or run.created_at)

    @property
    def _at_work(self) -> Doing:
        busy = self.run.shards.filter(state=RunState.RUNNING).count()
        workers = f"{busy} workers are" if busy > 1 else "One worker is"
        calls = "1 call is out" if self.counts.out == 1 else f"{self.counts.out:,} calls are out"
        return Doing(f"{workers} asking; {calls}.")

    @cached_property
    def pace(self) -> Pace:
        """By what was settled in the last minute; batches come back all at once, so for them only the whole counts."""
        run = self.run
        if run.state not in (RunState.RUNNING, RunState.QUEUED):
            return Pace()
        if run.mode == LabelingRun.Mode.BATCH:
            done = run.progress_done if run.seconds else 0
            return Pace(eta_seconds=run.seconds / done * self.counts.waiting if done else None)
        if run.state != RunState.RUNNING:
            return Pace()
        now = timezone.now()
        found = run.calls.filter(settled_at__gt=now - WINDOW).aggregate(
            calls=Count("*"), labels=Count("pk", filter=LABELLED), began=Min("sent_at")
        )
        limit = allowed(run.oracle.provider, run.oracle.model)
        if not found["calls"]:
            return Pace(0.0, limit)
        seconds = max(1.0, min(WINDOW, now - found["began"]).total_seconds())
        to_go = self.counts.waiting * seconds / found["labels"] if found["labels"] else None
        return Pace(60 * found["calls"] / seconds, limit, to_go)

    @cached_property
    def money(self) -> Money:
        return money_of(self.run, self.counts)

    @property
    def reach(self) -> int | None:
        """How many articles will be done when a cap stops the run; None where none will."""
        return None if self.money.reach is None else min(self.run.progress_total, self.run.progress_done + self.money.reach)

    @property
    def estimates(self) -> list[Estimate]:
        """The plan at the start against what is measured; nothing where there was no plan."""
        plan, money, usage, n = self.run.plan, self.money, self.usage, self.money.priced
        if not plan:
            return []
        usd, asked = float(money.in_the_end), plan.get("ask")
        rest = self.pace.eta_seconds or 0.0
        took = self.run.seconds + rest if self.run.seconds and (rest or self.run.is_final) else None
        return [
            Estimate("USD an article", "usd", _each(plan.get("usd"), asked), _each(float(money.paid), n)),
            Estimate("Tokens in, an article", "tokens", _each(plan.get("tokens_in"), asked), _each(usage.input, n)),
            Estimate("Tokens out, an article", "tokens", _each(plan.get("tokens_out"), asked), _each(usage.output, n)),
            Estimate("USD in all", "usd", plan.get("usd"), usd if n else None),
            Estimate("Time", "seconds", plan.get("seconds"), took),
        ]

    @property
    def headline(self) -> str:
        """All of it in a line, for a terminal: 3,120 of 5,000 · 612/min of 4,000 · 2 min to go · $1.24 of $5.00."""
        run, pace, money = self.run, self.pace, self.money
        parts = [f"{run.progress_done:,} of {run.progress_total:,}"]
        if pace.a_minute is not None:
            limit = f" of {pace.allowed:,.0f}" if pace.allowed else ""
            parts.append(f"{pace.a_minute:,.0f}/min{limit}")
        if pace.eta_seconds is not None:
            parts.append(f"{_about(pace.eta_seconds)} to go")
        if not money.is_free:
            parts.append(_usd(money.spent) + (f" of {_usd(money.most)}" if money.most is not None else ""))
        if self.doing.until is not None:
            parts.append(f"{self.doing.words} (until {timezone.localtime(self.doing.until):%H:%M:%S})")
        return " · ".join(parts)


def _each(total: float | None, count: int | None) -> float | None:
    return total / count if total is not None and count else None


def _usd(amount: Decimal) -> str:
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"


def _about(seconds: float) -> str:
    """One unit: 40 s, 12 min, 3 h."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
