"""What a pilot says before the rest is paid for: how the oracle uses its scales, what went wrong, what the rest costs."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import Sum

from distillery_site.common.errors import BadInput
from labeling import figures
from labeling.current import latest_policy
from labeling.models import Article, FilterVersion, LabelingRun, OracleCall
from labeling.oracles import registry
from labeling.oracles.base import Tokens
from labeling.oracles.prices import Prices
from labeling.planning import sampled
from labeling.planning.estimates import Mean, mean_of
from labeling.planning.measuring import labels_like
from labeling.planning.sampled import ENOUGH, RubricReport, Sampled

SIZE = 80
FEW_VALUES = 3
SAME = 0.95
NEARLY_ALL = 0.9
OFTEN = 0.1
SPEAKS = "the article "  # how flags about an article's own words begin; others are about the answer


@dataclass(frozen=True)
class Rest:
    """What the articles that passed and have no answer yet would cost in USD, by what this run's did.

    None where it can't be said: nothing was measured, or no such price is known.
    """

    articles: int
    direct: Mean | None
    batch: Mean | None


class Report:
    """Each part is looked up once, when it is asked for."""

    def __init__(self, run: LabelingRun):
        self.run = run

    @cached_property
    def counts(self) -> figures.RunCounts:
        return figures.run_counts(self.run)

    @cached_property
    def _samples(self) -> list[tuple[FilterVersion, list[Sampled]]]:
        return [(version, sampled.samples(self.run, version)) for version in self.run.versions]

    @cached_property
    def rubrics(self) -> list[RubricReport]:
        return [sampled.rubric_report(version, found) for version, found in self._samples]

    @cached_property
    def problems(self) -> list[figures.Problem]:
        return figures.run_problems(self.run)

    @cached_property
    def flags(self) -> list[tuple[str, int]]:
        """What was noticed, and in how many articles, most frequent first; quotes are counted apart."""
        each = {(one.article, flag) for _, found in self._samples for one in found for flag in one.flags if "quotes" not in flag}
        return Counter(flag for _, flag in sorted(each)).most_common()

    @cached_property
    def quotes(self) -> int:
        return sum(len(one.quotes) for _, found in self._samples for one in found)

    @cached_property
    def quotes_not_found(self) -> int:
        """Quotes that don't stand in their article."""
        return sum(not quote.get("found") for _, found in self._samples for one in found for quote in one.quotes)

    @cached_property
    def cost(self) -> Mean | None:
        """USD an article that was asked, all its calls together."""
        return mean_of(_costs(self.run, batch=None))

    @cached_property
    def seconds(self) -> tuple[float, float] | None:
        """Median and 90th percentile of how long an answer took."""
        calls = self.run.calls.filter(state=OracleCall.State.ANSWERED, seconds__gt=0)
        took = sorted(calls.values_list("seconds", flat=True))
        return (statistics.median(took), took[int(0.9 * (len(took) - 1))]) if took else None

    @cached_property
    def rest(self) -> Rest:
        return rest_of(self.run)

    @cached_property
    def rare(self) -> list[sampled.Scale]:
        """The scales on which hardly any article scores 7 or more."""
        return [scale for rubric in self.rubrics for scale in rubric.rare]

    @cached_property
    def warnings(self) -> list[str]:
        enriched = self.run.kind == LabelingRun.Kind.ENRICHED
        scales = (said for rubric in self.rubrics for said in _about_scales(rubric))
        rare = () if enriched else (said for rubric in self.rubrics for said in _about_rare(rubric))
        return [*scales, *rare, *_about_answers(self)]

    def as_dict(self) -> dict[str, Any]:
        return {
            "run": self.run.pk,
            "answered": self.counts.answered,
            "failed": {problem.error_class: problem.count for problem in self.problems},
            "rubrics": [_rubric_dict(rubric) for rubric in self.rubrics],
            "flags": dict(self.flags),
            "quotes": {"given": self.quotes, "not_found": self.quotes_not_found},
            "usd_an_article": asdict(self.cost) if self.cost else None,
            "seconds": {"median": self.seconds[0], "p90": self.seconds[1]} if self.seconds else None,
            "rest": asdict(self.rest),
            "warnings": self.warnings,
        }


def report_of(run: LabelingRun) -> Report | None:
    """Of a pilot or an enriched run that is over; others are no sample that somebody drew to learn from."""
    return Report(run) if run.is_final and run.kind != LabelingRun.Kind.FULL else None


def _rubric_dict(rubric: RubricReport) -> dict[str, Any]:
    return {"version": str(rubric.version), "n": rubric.n, "dimensions": [_scale_dict(*row) for row in rubric.rows]}


def _scale_dict(scale: sampled.Scale, correlations: tuple[float | None, ...]) -> dict[str, Any]:
    shown = scale.distribution
    return {
        "key": shown.key,
        "counts": list(shown.counts),
        "mean": shown.mean,
        "zero_share": shown.zero_share,
        "null_share": shown.null_share,
        "distinct": scale.distinct,
        "high": asdict(scale.high) if scale.high else None,
        "correlations": list(correlations),
    }


def rest_of(run: LabelingRun) -> Rest:
    """By the run's own calls at today's prices; those that already have this oracle's answer cost nothing."""
    policy = latest_policy(run.version)
    labels = labels_like(run, run.version).current()
    passed = Article.objects.passed(policy) if policy else Article.objects.none()
    left = passed.exclude(pk__in=labels.values("article")).count()
    direct, batch = (mean_of(_costs(run, batch=batch)) for batch in (False, True))
    return Rest(left, direct and direct.times(left), batch and batch.times(left))


def _costs(run: LabelingRun, *, batch: bool | None) -> list[float]:
    """USD of each article that was asked: as it was paid, or as its tokens would cost directly or in a batch."""
    calls = run.calls.exclude(state__in=(OracleCall.State.OUT, OracleCall.State.UNSENT))
    if batch is None:
        return [float(cost) for cost in calls.values("item").annotate(cost=Sum("cost_usd")).values_list("cost", flat=True)]
    prices = _prices(run)
    if prices is None or (batch and not prices.has_batch):
        return []
    found: defaultdict[int, Decimal] = defaultdict(Decimal)
    for item, total, read, written, output in calls.values_list(
        "item", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"
    ):
        found[item] += prices.cost(Tokens(total - read - written, read, written, output), batch)
    return [float(cost) for cost in found.values()]


def _prices(run: LabelingRun) -> Prices | None:
    """None where nothing is paid, or nobody knows the price any more."""
    oracle = run.oracle
    if oracle.provider not in registry.PROVIDERS or not registry.provider(oracle.provider).paid:
        return None
    try:
        return Prices.of(oracle.provider, oracle.model, settings.ORACLE_PRICES)
    except BadInput:
        return None


def _about_scales(rubric: RubricReport) -> Iterator[str]:
    judged = [scale for scale in rubric.scales if scale.distribution.n >= ENOUGH]
    for scale in judged:
        shown = scale.distribution
        if scale.distinct <= FEW_VALUES:
            values = f"{scale.distinct} distinct value{'s' if scale.distinct > 1 else ''}"
            yield f"{scale.name} uses only {values}: its anchors may not tell articles apart."
        elif shown.zero_share >= NEARLY_ALL:
            yield f"{shown.zeros:,} of {shown.n:,} score 0 on {scale.name}."
        if shown.null_share >= OFTEN:
            yield f"{shown.nulls:,} of {rubric.n:,} have no score on {scale.name}: articles may not tell what it asks."
    yield from _about_pairs(rubric)


def _about_pairs(rubric: RubricReport) -> Iterator[str]:
    for scale, row in rubric.rows:
        for other, found in zip(rubric.scales, row, strict=False):
            if found is not None and abs(found) >= SAME and min(scale.distribution.n, other.distribution.n) >= ENOUGH:
                shown = f"{found:.2f}".replace("0.", ".").replace("-", "−")
                yield f"{other.name} and {scale.name} correlate at {shown}: the oracle may not tell them apart."


def _about_rare(rubric: RubricReport) -> Iterator[str]:
    if not rubric.rare:
        return
    most = max(rubric.rare, key=lambda scale: scale.distribution.high).distribution
    names = _list([scale.name for scale in rubric.rare])
    found = f"At most {most.high:,} of {most.n:,} articles score" if most.high else f"Not one of {most.n:,} articles scores"
    yield f"{found} 7 or more on {names}. Positives are rare; enrichment would help."


def _list(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _about_answers(report: Report) -> Iterator[str]:
    counts, said = report.counts, report.counts.total - report.counts.waiting
    if said and counts.failed / said >= OFTEN / 2:
        yield f"{counts.failed:,} of {said:,} articles failed, most as {report.problems[0].error_class}."
    if report.quotes and report.quotes_not_found / report.quotes >= OFTEN:
        yield f"{report.quotes_not_found:,} of {report.quotes:,} quotes don't stand in their article: the oracle makes some up."
    if suspicious := [f"{count:,} {flag.removeprefix(SPEAKS)}" for flag, count in report.flags if flag.startswith(SPEAKS)]:
        yield f"Articles that speak to the oracle instead of their readers: {', '.join(suspicious)}. Look at their labels."
