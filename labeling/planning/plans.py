"""Plan before pay: what a run will ask, cost and take, and every reason why it can't be started, before any money is spent.

At the most, a few of the provider's free token counts are asked for.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import Any

from django.conf import settings
from django.utils import timezone

from distillery_site.common.errors import DistilleryError
from labeling.models import FilterVersion, LabelingRun, Oracle, Purse
from labeling.oracles import base, registry
from labeling.oracles.base import Tokens
from labeling.oracles.prices import Prices, context_window
from labeling.planning.departures import Departure, departure
from labeling.planning.measuring import (
    Input,
    Output,
    Sizes,
    Time,
    input_of,
    known_articles,
    output_of,
    prompt_hash_of,
    prompt_of,
    sizes_of,
    time_of,
)
from labeling.running import budget
from labeling.running.engage import engage
from labeling.running.settling import month_of, purse_of

CACHEABLE_TOKENS = 1_024  # no provider keeps a shorter beginning; some want several times as much
BATCH_TIME = "the provider, who answers a batch within 24 hours and mostly within one"
CENT = Decimal("0.01")
BATCH = LabelingRun.Mode.BATCH


@dataclass(frozen=True)
class Costs:
    """What all is expected to cost in USD; None: no such price, or nothing that a cache would keep."""

    direct: float | None = None
    direct_cached: float | None = None
    batch: float | None = None
    batch_cached: float | None = None


@dataclass(frozen=True)
class Plan:
    """One look at a run before it is started. `refusals` say why it can't be; then what is not known stays 0.

    usd: expected in the run's own mode, without luck with caches. worst_usd: what is reserved if all calls were out at
    once, worst_call_usd: at most for one. tokens_in and tokens_out are of all that is asked.
    """

    oracle: str
    provider: str
    model: str
    params: dict[str, Any]
    versions: list[str]
    mode: str
    reading: int
    articles: int
    known: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_shared: int = 0
    tokens_by: str = ""
    output_by: str = ""
    usd: float = 0.0
    costs: Costs = Costs()
    worst_usd: float = 0.0
    worst_call_usd: float = 0.0
    cap_usd: float | None = None
    seconds: float | None = None
    bound_by: str = ""
    price_list: dict[str, Any] = field(default_factory=dict)
    departure: Departure = Departure("", False, "")
    notes: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    @property
    def ask(self) -> int:
        return self.articles - self.known

    @property
    def free(self) -> bool:
        return not self.worst_usd

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ask": self.ask}


def plan(
    *,
    version: FilterVersion,
    oracle: Oracle,
    articles: Sequence[int],
    also: Sequence[FilterVersion] = (),
    reading: int = 1,
    mode: str = LabelingRun.Mode.DIRECT,
) -> Plan:
    """`oracle` needn't be stored. What can't be done is said in `refusals`, never raised."""
    versions = [version, *also]
    return _Planning(versions, oracle, list(dict.fromkeys(articles)), reading, mode).plan()


def refused(version: FilterVersion, oracle: Oracle, problems: Sequence[str]) -> Plan:
    """The plan of what has no articles to plan for."""
    return Plan(
        oracle=str(oracle),
        provider=oracle.provider,
        model=oracle.model,
        params=dict(oracle.params),
        versions=[str(version)],
        mode="",
        reading=1,
        articles=0,
        refusals=list(problems),
    )


class _Planning:
    def __init__(self, versions: list[FilterVersion], oracle: Oracle, articles: list[int], reading: int, mode: str):
        self.versions, self.oracle, self.articles = versions, oracle, articles
        self.reading, self.mode = reading, mode
        self.refusals: list[str] = []
        self.notes: list[str] = []

    def plan(self) -> Plan:
        ready = self._checked()
        found = self._measured(ready) if ready is not None else {}
        return Plan(
            oracle=str(self.oracle),
            provider=self.oracle.provider,
            model=self.oracle.model,
            params=dict(self.oracle.params),
            versions=[str(version) for version in self.versions],
            mode=self.mode,
            reading=self.reading,
            articles=len(self.articles),
            departure=departure(self.oracle, self.versions, len(self.articles) - found.get("known", 0)),
            notes=self.notes,
            refusals=self.refusals,
            **found,
        )

    def _checked(self) -> base.Oracle | None:
        """The oracle ready to ask; every reason why not is noted."""
        if not self.articles:
            self.refusals.append(f"There is no article of {self.versions[0]} to label; import some and run the prefilter.")
        for version in self.versions:
            if not version.dimensions:
                self.refusals.append(f"{version} has no dimension to score; write its rubric first.")
        if any(version.view != self.versions[0].view for version in self.versions):
            self.refusals.append("These filters show different parts of an article, so they can't be asked in one prompt.")
        try:
            ready = engage(self.oracle, self.versions[0])
        except DistilleryError as error:
            self.refusals += getattr(error, "problems", None) or [str(error)]
            return None
        if ready.notice:
            self.notes.append(ready.notice)
        if self.mode == BATCH and ready.batch_limits is None:
            self.refusals.append(f"{self.oracle} takes no batches; ask it directly.")
        return ready if self.articles and not self.refusals else None

    def _measured(self, ready: base.Oracle) -> dict[str, Any]:
        prompt = prompt_of(self.versions)
        hashed = prompt_hash_of(self.oracle, prompt)
        known = known_articles(self.versions, self.oracle, self.articles, prompt_hash=hashed, reading=self.reading)
        asked = [pk for pk in self.articles if pk not in known]
        if not asked:
            self.notes.append("This oracle has answered for all of these articles: nothing is asked and nothing paid.")
            return {"known": len(known)}
        if not registry.provider(self.oracle.provider).paid:
            return {"known": len(known)}
        sizes = sizes_of(prompt, self.versions[0], asked, ready, batch=self.mode == BATCH, reading=self.reading)
        tokens = input_of(sizes, prompt, ready)
        self._judge_count(tokens)
        self._judge_context(tokens)
        self._judge_caps(sizes)
        output = output_of(self.oracle, prompt, thinks=True, most=self.oracle.params.get("max_tokens"))
        return {"known": len(known), **self._figures(ready, sizes, tokens, output)}

    def _judge_count(self, tokens: Input) -> None:
        """A provider that doesn't know key or model says so when it is asked to count."""
        problem = tokens.problem
        if problem is None:
            return
        if problem.pauses_run or problem.kind == "context":
            self.refusals.append(str(problem))
        else:
            self.notes.append(f"The tokens could not be counted, so they are estimated. {problem}")

    def _judge_context(self, tokens: Input) -> None:
        room = context_window(self.oracle.provider, self.oracle.model)
        need = tokens.longest + int(self.oracle.params.get("max_tokens") or 0)
        if room is not None and need > room:
            self.refusals.append(
                f"The longest article takes about {tokens.longest:,} tokens with its rubric, and {need:,} with the answer; "
                f"{self.oracle.model} holds {room:,}. Show less of an article (the rubric's view), or drop it in the prefilter."
            )

    def _judge_caps(self, sizes: Sizes) -> None:
        for cap in _caps(self.versions[0]):
            if cap.room is None:
                continue
            if cap.room < sizes.worst_call:
                self.refusals.append(cap.sentence(sizes.worst_call))
            elif cap.room < sizes.worst:
                self.notes.append(f"The cap for {cap.what} leaves {budget.dollars(cap.room)}, less than the worst case.")

    def _figures(self, ready: base.Oracle, sizes: Sizes, tokens: Input, output: Output) -> dict[str, Any]:
        prices = Prices.of(self.oracle.provider, self.oracle.model, settings.ORACLE_PRICES)
        costs = _costs(prices, sizes.articles, tokens, output)
        if self.mode == BATCH and not prices.has_batch:
            self.notes.append("No batch price is known for this model, so batches are counted at the full price.")
        if costs.direct_cached is None and not prices.free:
            self.notes.append(
                f"The rubric takes {tokens.shared:,} tokens; providers' caches keep beginnings of {CACHEABLE_TOKENS:,} and more, "
                "so nothing is saved there."
            )
        batch = self.mode == BATCH
        time = Time(None, BATCH_TIME) if batch else time_of(ready, sizes.articles, tokens.each, output, ready.concurrency)
        expected = costs.batch if batch and costs.batch is not None else costs.direct
        return {
            "tokens_in": tokens.total,
            "tokens_out": round(output.each * sizes.articles),
            "tokens_shared": tokens.shared,
            "tokens_by": _counted(self.oracle, tokens),
            "output_by": f"measured over {output.answers:,} answers" if output.answers else "guessed: no answer was seen yet",
            "usd": expected or 0.0,
            "costs": costs,
            "worst_usd": float(sizes.worst),
            "worst_call_usd": float(sizes.worst_call),
            "cap_usd": float(suggested_cap(sizes.worst)) if sizes.worst else None,
            "seconds": time.seconds,
            "bound_by": time.bound_by,
            "price_list": prices.snapshot(),
        }


def _caps(version: FilterVersion) -> list[budget.Cap]:
    """What the filter's and the month's caps leave."""
    run, month = LabelingRun(version=version), month_of(timezone.now())
    names = (month, purse_of(run))
    purses = {name: Purse(name=name) for name in names} | {purse.name: purse for purse in Purse.objects.filter(name__in=names)}
    return budget.caps(run, purses, month)[1:]


def _counted(oracle: Oracle, tokens: Input) -> str:
    if not tokens.counted:
        return "estimated from the words"
    return f"counted by {oracle.provider} on {tokens.counted:,} article{'' if tokens.counted == 1 else 's'}"


def _costs(prices: Prices, questions: int, tokens: Input, output: Output) -> Costs:
    return Costs(
        direct=_cost(prices, questions, tokens, output),
        direct_cached=_cached(prices, questions, tokens, output),
        batch=_cost(prices, questions, tokens, output, batch=True) if prices.has_batch else None,
        batch_cached=_cached(prices, questions, tokens, output, batch=True) if prices.has_batch else None,
    )


def _cost(prices: Prices, questions: int, tokens: Input, output: Output, *, batch: bool = False) -> float:
    """Each as an average one: steps in a price list go by the size of a single prompt."""
    return float(questions * prices.cost(Tokens(fresh=round(tokens.each), output=round(output.each)), batch))


def _cached(prices: Prices, questions: int, tokens: Input, output: Output, *, batch: bool = False) -> float | None:
    """The first question writes what all share into the provider's cache and the others read it there, at the best."""
    if tokens.shared < CACHEABLE_TOKENS:
        return None
    fresh, answer = max(0, round(tokens.each) - tokens.shared), round(output.each)
    first = prices.cost(Tokens(fresh, cache_write=tokens.shared, output=answer), batch)
    later = prices.cost(Tokens(fresh, cache_read=tokens.shared, output=answer), batch)
    return float(first + (questions - 1) * later)


def suggested_cap(worst: Decimal) -> Decimal:
    """The worst case, rounded up to two digits, whole cents at least: $0.0312 → $0.04, $10.37 → $11."""
    step = max(CENT, Decimal(1).scaleb(worst.adjusted() - 1)) if worst else CENT
    return (worst / step).to_integral_value(ROUND_CEILING) * step
