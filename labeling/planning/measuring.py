"""What a run will take before it is started: tokens in and out, worst cases, and time. Nothing is paid for it.

Input tokens are the provider's own free count on a few articles, spread over all by their bytes; where there is no such
count, an estimate. Output tokens are the mean of what the very same prompt gave before; where it was never asked, an estimate.
"""

import asyncio
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db.models import Avg, Count, Q

from labeling.models import Article, FilterVersion, LabelingRun, Oracle, OracleCall, OracleLabel, OracleLabelQuerySet
from labeling.oracles import base
from labeling.oracles.base import NO_MODEL, ZERO, Limits, OracleError, Question, usd
from labeling.prompting.prompts import Prompt, Rubric, estimate_tokens, prompt_for
from labeling.running.rates import UNKNOWN, allowed, told_limits

SAMPLE = 20
COUNT_SECONDS = 2.0
CHUNK = 500
ANSWER_TOKENS, DIMENSION_TOKENS, THINKING_TOKENS = 180, 12, 250  # of an answer nobody has seen yet
LATENCY_SECONDS = 5.0
VIEW_COLUMNS = ("source", "external_id", "title", "text", "published", "url")


def prompt_of(versions: Sequence[FilterVersion]) -> Prompt:
    return prompt_for([Rubric(version.filter.slug, version.dimensions, version.prompt) for version in versions])


def prompt_hash_of(oracle: Oracle, prompt: Prompt) -> str:
    """Recordings were not asked in our words."""
    return "" if oracle.provider == "recorded" else prompt.prompt_hash


def labels_like(run: LabelingRun, version: FilterVersion) -> OracleLabelQuerySet:
    """Answers to what this run asks under one of its rubrics: its oracle, its very words, its reading."""
    words = prompt_hash_of(run.oracle, prompt_of(run.versions))
    return OracleLabel.objects.filter(version=version, oracle=run.oracle, reading=run.reading, prompt_hash=words)


def known_articles(
    versions: Sequence[FilterVersion], oracle: Oracle, articles: Collection[int], *, prompt_hash: str, reading: int
) -> set[int]:
    """Those that have this oracle's answer to all of these rubrics, asked in the same words about the text as it is now."""
    if oracle.pk is None:
        return set()
    known = set(articles)
    for version in versions:
        labels = OracleLabel.objects.current().filter(version=version, oracle=oracle, reading=reading)
        known &= set(labels.filter(prompt_hash=prompt_hash).values_list("article", flat=True))
    return known


@dataclass
class Sizes:
    """Bytes of each question and what it may cost at worst; the longest question, and a few at random."""

    articles: int = 0
    bytes: int = 0
    worst: Decimal = ZERO
    worst_call: Decimal = ZERO
    sample: list[Question] = field(default_factory=list)
    longest: Question | None = None

    def add(self, question: Question, cost: Decimal) -> None:
        size = question.size
        self.articles, self.bytes, self.worst = self.articles + 1, self.bytes + size, self.worst + cost
        self.worst_call = max(self.worst_call, cost)
        if self.longest is None or size > self.longest.size:
            self.longest = question


def sizes_of(
    prompt: Prompt, version: FilterVersion, articles: Sequence[int], oracle: base.Oracle, *, batch: bool, reading: int
) -> Sizes:
    """One pass over the texts, a few hundred in memory at a time; the seeded sample is the same each time."""
    chosen = set(random.Random(0).sample(articles, min(SAMPLE, len(articles))))  # noqa: S311
    found = Sizes()
    for article in _articles(articles):
        key = f"{article.source}:{article.external_id}"
        text = article.rendered(version.view)
        question = prompt.question(key=f"plan{article.pk}", article_key=key, text=text, reading=reading)
        found.add(question, usd(oracle.worst_cost(question, batch=batch)))
        if article.pk in chosen:
            found.sample.append(question)
    return found


def _articles(articles: Sequence[int]) -> Iterator[Article]:
    for start in range(0, len(articles), CHUNK):
        yield from Article.objects.filter(pk__in=articles[start : start + CHUNK]).only(*VIEW_COLUMNS).order_by("pk")


@dataclass(frozen=True)
class Input:
    """Input tokens: of the part that every question shares, of a question on average, of all, of the longest.

    `counted`: how many questions the provider counted; 0 is our estimate.
    """

    shared: int
    each: float
    total: int
    longest: int
    counted: int
    problem: OracleError | None = None


def input_of(sizes: Sizes, prompt: Prompt, oracle: base.Oracle) -> Input:
    """What a question has beyond the part that all share takes tokens by its bytes, as in the sample."""
    assert sizes.longest is not None
    empty = prompt.question(key="plan", article_key="", text="")
    counts, problem = async_to_sync(_count)(oracle, [empty, sizes.longest, *sizes.sample])
    shared, longest, *others = counts
    sample = [(question, count) for question, count in zip(sizes.sample, others, strict=True) if count is not None]
    if shared is None or not sample:
        shared, longest = _estimate(empty), _estimate(sizes.longest)
        rate = _rate([(question, _estimate(question)) for question in sizes.sample], empty, shared)
        return _spread(sizes, empty, shared, rate, longest, 0, problem)
    rate = _rate(sample, empty, shared)
    return _spread(sizes, empty, shared, rate, longest, len(sample), problem)


def _rate(sample: Sequence[tuple[Question, int]], empty: Question, shared: int) -> float:
    """Tokens a byte beyond what all questions share."""
    more = sum(question.size - empty.size for question, _ in sample)
    return sum(count - shared for _, count in sample) / more if more > 0 else 0.0


def _spread(
    sizes: Sizes, empty: Question, shared: int, rate: float, longest: int | None, counted: int, problem: OracleError | None
) -> Input:
    assert sizes.longest is not None
    total = shared * sizes.articles + rate * (sizes.bytes - empty.size * sizes.articles)
    most = longest if longest is not None else shared + rate * (sizes.longest.size - empty.size)
    return Input(shared, total / sizes.articles, round(total), round(most), counted, problem)


def _estimate(question: Question) -> int:
    return sum(map(estimate_tokens, (question.system, question.user, str(question.schema))))


async def _count(oracle: base.Oracle, questions: Sequence[Question]) -> tuple[list[int | None], OracleError | None]:
    """What the provider counted in time, None for the others; and why it could not, if it said so."""
    tasks = [asyncio.create_task(oracle.count_tokens(question)) for question in questions]
    try:
        await asyncio.wait(tasks, timeout=COUNT_SECONDS)
        for task in tasks:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        problem = next((one for one in found if isinstance(one, OracleError)), None)
        if not any(found):  # nobody counts there, so nobody has looked at key and model yet
            problem = await _look(oracle)
    finally:
        await oracle.aclose()
    return [one if isinstance(one, int) else None for one in found], problem


async def _look(oracle: base.Oracle) -> OracleError | None:
    """What is wrong with key or model, by the provider's free list of models; a server without one may still answer."""
    try:
        await asyncio.wait_for(oracle.probe(), COUNT_SECONDS)
    except OracleError as error:
        return error if error.kind in ("auth", "payment") or error.category == NO_MODEL else None
    except TimeoutError:
        return None
    return None


@dataclass(frozen=True)
class Output:
    """Output tokens and seconds of an answer; `answers`: of how many they are the mean, 0: they are guessed."""

    each: float
    seconds: float
    answers: int


def output_of(oracle: Oracle, prompt: Prompt, *, thinks: bool, most: int | None) -> Output:
    calls = OracleCall.objects.filter(
        run__oracle=oracle.pk, prompt_hash=prompt.prompt_hash, state=OracleCall.State.ANSWERED, output_tokens__gt=0
    )
    found = calls.aggregate(tokens=Avg("output_tokens"), seconds=Avg("seconds", filter=Q(batch=None)), n=Count("pk"))
    if oracle.pk is not None and found["n"]:
        return Output(found["tokens"], found["seconds"] or LATENCY_SECONDS, found["n"])
    dimensions = sum(len(rubric.keys) for rubric in prompt.rubrics)
    guess = len(prompt.rubrics) * ANSWER_TOKENS + dimensions * DIMENSION_TOKENS + THINKING_TOKENS * thinks
    return Output(min(guess, most or guess), LATENCY_SECONDS, 0)


@dataclass(frozen=True)
class Time:
    """Seconds until all is asked, and what they are bound by; None: nobody can tell."""

    seconds: float | None
    bound_by: str


def time_of(oracle: base.Oracle, questions: int, each_in: float, output: Output, lanes: int) -> Time:
    """The slowest of: requests, input and output tokens a minute, and how many are out at once."""
    limits = told_limits(f"{oracle.provider}/{oracle.model}", settings.ORACLE_LIMITS) or Limits()
    requests = allowed(oracle.provider, oracle.model)  # told, or learned so far
    ways = [(questions * output.seconds / lanes, f"{lanes:,} questions out at once, {output.seconds:.1f} s each")]
    for what, need, limit in (
        ("requests", questions, requests),
        ("input tokens", questions * each_in, limits.input_tokens),
        ("output tokens", questions * output.each, limits.output_tokens),
    ):
        if limit:
            ways.append((60 * need / limit, f"the limit of {limit:,.0f} {what} a minute"))
    if not requests:
        start = f"{UNKNOWN:,.0f} requests a minute, where an unknown limit begins; the provider's headers may allow more"
        ways.append((60 * questions / UNKNOWN, start))
    return Time(*max(ways))
