"""What the pages show of articles, labels and labelling runs: one or two cheap queries each, plain typed values out."""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import connection
from django.db.models import Count, Min, OuterRef, QuerySet, Subquery, Sum
from django.db.models.expressions import RawSQL

from labeling.comparing.readings import source
from labeling.models import (
    Article,
    FilterVersion,
    LabelingItem,
    LabelingRun,
    Oracle,
    OracleCall,
    OracleLabel,
    Policy,
    PrefilterVerdict,
)

HIGH = 7.0


@dataclass(frozen=True)
class Distribution:
    """The scores of one dimension. `counts[k]` is how many lie in [k, k+1), and counts[10] how many are 10."""

    key: str
    name: str
    counts: tuple[int, ...]
    n: int
    nulls: int
    zeros: int
    high: int
    mean: float | None

    @property
    def zero_share(self) -> float:
        return self.zeros / self.n if self.n else 0.0

    @property
    def high_share(self) -> float:
        """Share of scores of 7 and more."""
        return self.high / self.n if self.n else 0.0

    @property
    def null_share(self) -> float:
        """Of all labels; the other shares are of the scores that are there."""
        return self.nulls / (self.n + self.nulls) if self.n + self.nulls else 0.0


@dataclass(frozen=True)
class Problem:
    """One class of failure in a run, how often it came, and one example with the last call about it."""

    error_class: str
    count: int
    article: Article
    message: str
    call_key: str | None = None


@dataclass(frozen=True)
class RunCounts:
    """How far a labelling run is; `absent` ones have no recording, which is no failure.

    `out` of the waiting ones are asked already and have no reply yet.
    """

    waiting: int = 0
    labelled: int = 0
    stored: int = 0
    absent: int = 0
    failed: int = 0
    out: int = 0

    @property
    def answered(self) -> int:
        return self.labelled + self.stored

    @property
    def unasked(self) -> int:
        return max(0, self.waiting - self.out)

    @property
    def total(self) -> int:
        return self.waiting + self.answered + self.absent + self.failed


@dataclass(frozen=True)
class PrefilterCounts:
    """`dropped` maps reason to count, most frequent first; `unseen` articles have no verdict yet."""

    passed: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    unseen: int = 0

    @property
    def judged(self) -> int:
        return self.passed + sum(self.dropped.values())


@dataclass(frozen=True)
class Facet:
    value: str
    count: int


@dataclass(frozen=True)
class Facets:
    """What a list of articles can be narrowed by, each most frequent first."""

    sources: list[Facet]
    languages: list[Facet]
    verdicts: list[Facet]


@dataclass(frozen=True)
class LabelTotals:
    """Labels of one rubric, all oracles and readings; `articles` have at least one first reading."""

    labels: int
    articles: int
    cost_usd: Decimal


DISTRIBUTION = """
SELECT part.place, floor(part.score)::int AS bin, count(*), count(*) FILTER (WHERE part.score = 0), sum(part.score)
FROM labeling_oraclelabel label, unnest(label.scores) WITH ORDINALITY AS part(score, place)
WHERE {which}
GROUP BY part.place, bin
"""
OF_ORACLE = DISTRIBUTION.format(
    which="label.version_id = %s AND label.oracle_id = %s AND label.reading = %s AND label.prompt_hash = %s"
)
OF_RUN = DISTRIBUTION.format(which="label.run_id = %s AND label.version_id = %s")


def score_distributions(
    *, version: FilterVersion, oracle: Oracle, reading: int = 1, prompt_hash: str | None = None
) -> list[Distribution]:
    """One for each dimension, in the rubric's order, over one oracle's labels of one prompt: by default the most used."""
    if prompt_hash is None:
        usual = source(version, oracle)
        prompt_hash = usual.prompt_hash if usual else ""
    return _distributions(version, OF_ORACLE, [version.pk, oracle.pk, reading, prompt_hash])


def run_distributions(run: LabelingRun, version: FilterVersion | None = None) -> list[Distribution]:
    """The same over what this run has labelled so far; `version` is one of several rubrics that were asked together."""
    version = version or run.version
    return _distributions(version, OF_RUN, [run.pk, version.pk])


def _distributions(version: FilterVersion, query: str, params: list[int]) -> list[Distribution]:
    found: dict[int, list[tuple]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        for place, *rest in cursor.fetchall():
            found[place].append(tuple(rest))
    return [_distribution(dimension, found[place]) for place, dimension in enumerate(version.dimensions, start=1)]


def _distribution(dimension: dict, rows: list[tuple]) -> Distribution:
    counts = dict.fromkeys(range(11), 0)
    counts.update({score: count for score, count, _, _ in rows if score is not None})
    n = sum(counts.values())
    nulls = sum(count for score, count, _, _ in rows if score is None)
    zeros = sum(zero for score, _, zero, _ in rows if score is not None)
    mean = sum(total for score, _, _, total in rows if score is not None) / n if n else None
    high = sum(counts[score] for score in range(int(HIGH), 11))
    return Distribution(dimension["key"], dimension["name"], tuple(counts.values()), n, nulls, zeros, high, mean)


def run_counts(run: LabelingRun) -> RunCounts:
    states = dict(run.items.values_list("state").annotate(n=Count("*")).order_by())
    return RunCounts(**states, out=run.calls.filter(state=OracleCall.State.OUT).count())


def run_problems(run: LabelingRun) -> list[Problem]:
    """Failures by class, most frequent first, each with its first article as the example."""
    failed = run.items.filter(state=LabelingItem.State.FAILED)
    groups = failed.values("error_class").annotate(count=Count("pk"), example=Min("pk")).order_by("-count", "error_class")
    items = with_last_call(LabelingItem.objects.select_related("article")).in_bulk([group["example"] for group in groups])
    examples = ((group["error_class"], group["count"], items[group["example"]]) for group in groups)
    return [Problem(name, count, item.article, item.error, item.call_key) for name, count, item in examples]


def with_last_call(items: QuerySet[LabelingItem]) -> QuerySet[LabelingItem]:
    """`call_key`: the last request about each, None where there was none."""
    calls = OracleCall.objects.filter(item=OuterRef("pk")).order_by("-pk")
    return items.annotate(call_key=Subquery(calls.values("key")[:1]))


NUMBERS = r"^\d+( of \d+)? "  # "2 of 3 quotes not in the article" and "1 of 1 quotes …" are one kind of flag
FLAGS = """
SELECT regexp_replace(flag.said, %s, '') AS kind, count(DISTINCT label.id)
FROM labeling_oraclelabel label, jsonb_array_elements_text(label.flags) AS flag(said)
WHERE label.run_id = %s AND NOT label.flags = '[]' GROUP BY kind ORDER BY count(DISTINCT label.id) DESC, kind
"""
FLAGGED = """
SELECT label.id FROM labeling_oraclelabel label, jsonb_array_elements_text(label.flags) AS flag(said)
WHERE label.run_id = %s AND NOT label.flags = '[]' AND regexp_replace(flag.said, %s, '') = %s
"""


def run_flags(run: LabelingRun) -> list[tuple[str, int]]:
    """Kinds of flag and how many of the run's labels carry each, most frequent first."""
    with connection.cursor() as cursor:
        cursor.execute(FLAGS, [NUMBERS, run.pk])
        return cursor.fetchall()


def flagged(run: LabelingRun, kind: str) -> QuerySet[OracleLabel]:
    """The run's labels that carry this kind of flag."""
    return run.labels.filter(pk__in=RawSQL(FLAGGED, [run.pk, NUMBERS, kind]))  # noqa: S611 (all are parameters)


def prefilter_counts(policy: Policy) -> PrefilterCounts:
    rows = policy.verdicts.values_list("passed", "reason").annotate(count=Count("pk")).order_by("-count")
    passed = sum(count for ok, _, count in rows if ok)
    dropped = {reason: count for ok, reason, count in rows if not ok}
    return PrefilterCounts(passed, dropped, Article.objects.count() - passed - sum(dropped.values()))


def article_facets(articles: QuerySet[Article], policy: Policy | None = None) -> Facets:
    """Counts over the given articles; verdicts ("passed" or the reason of the drop) under `policy`, where there is one."""
    verdicts: list[Facet] = []
    if policy is not None:
        judged = PrefilterVerdict.objects.filter(policy=policy, article__in=articles.order_by().values("pk"))
        rows = judged.values_list("reason").annotate(count=Count("pk")).order_by("-count")
        verdicts = [Facet(reason or "passed", count) for reason, count in rows]
    return Facets(_facet(articles, "source"), _facet(articles, "language"), verdicts)


def _facet(articles: QuerySet[Article], name: str) -> list[Facet]:
    rows = articles.order_by().values_list(name).annotate(n=Count("pk")).order_by("-n", name)
    return [Facet(value, count) for value, count in rows]


def label_totals(version: FilterVersion) -> LabelTotals:
    labels = OracleLabel.objects.filter(version=version)
    articles = labels.first_readings().aggregate(n=Count("article", distinct=True))["n"]
    return LabelTotals(labels.count(), articles, labels.aggregate(cost=Sum("cost_usd"))["cost"] or Decimal(0))
