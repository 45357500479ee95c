"""What the pages show of articles, labels and labelling runs: one or two cheap queries each, plain typed values out."""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import connection
from django.db.models import Count, Min, QuerySet, Sum

from labeling.models import Article, FilterVersion, LabelingItem, LabelingRun, Oracle, OracleLabel, Policy, PrefilterVerdict

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
    """One class of failure in a run, how often it came, and one example."""

    error_class: str
    count: int
    article: Article
    message: str


@dataclass(frozen=True)
class RunCounts:
    """How far a labelling run is; `absent` ones have no recording, which is no failure."""

    waiting: int = 0
    labelled: int = 0
    stored: int = 0
    absent: int = 0
    failed: int = 0

    @property
    def answered(self) -> int:
        return self.labelled + self.stored

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
OF_ORACLE = DISTRIBUTION.format(which="label.version_id = %s AND label.oracle_id = %s AND label.reading = %s")
OF_RUN = DISTRIBUTION.format(which="label.run_id = %s")


def score_distributions(*, version: FilterVersion, oracle: Oracle, reading: int = 1) -> list[Distribution]:
    """One for each dimension, in the rubric's order, over one oracle's labels."""
    return _distributions(version, OF_ORACLE, [version.pk, oracle.pk, reading])


def run_distributions(run: LabelingRun) -> list[Distribution]:
    """The same over what this run has labelled so far."""
    return _distributions(run.version, OF_RUN, [run.pk])


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
    return RunCounts(**dict(run.items.values_list("state").annotate(Count("pk")).order_by()))


def run_problems(run: LabelingRun) -> list[Problem]:
    """Failures by class, most frequent first, each with its first article as the example."""
    failed = run.items.filter(state=LabelingItem.State.FAILED)
    groups = failed.values("error_class").annotate(count=Count("pk"), example=Min("pk")).order_by("-count", "error_class")
    items = LabelingItem.objects.select_related("article").in_bulk([group["example"] for group in groups])
    examples = ((group, items[group["example"]]) for group in groups)
    return [Problem(group["error_class"], group["count"], item.article, item.error) for group, item in examples]


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
