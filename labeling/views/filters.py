"""The filters, and one filter: what it asks, what is made of the scores, and whose labels hang on it."""

from collections import Counter
from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Count, Max, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from labeling import services
from labeling.comparing.readings import prompt_name
from labeling.current import choose_filter, latest_policy
from labeling.figures import Distribution, label_totals, prefilter_counts, score_distributions
from labeling.models import Filter, FilterVersion, Oracle, OracleLabel, ReviewRules
from labeling.reviewing.access import filters_for
from labeling.watching import spending


@dataclass(frozen=True)
class Readings:
    """The labels of one oracle's one reading by one rubric; `prompt` names the words it was asked in, where there are several."""

    oracle: Oracle
    reading: int
    prompt_hash: str
    prompt: str
    count: int
    cost_usd: float
    last: object


def filters(request: HttpRequest) -> HttpResponse:
    shown = [(one, one.latest) for one in filters_for(request.user)]
    rows = [(one, version, label_totals(version) if version else None) for one, version in shown]
    return render(request, "labeling/filters.html", {"rows": rows})


def filter_(request: HttpRequest, slug: str) -> HttpResponse:
    """Whoever opens a filter's page works with that filter from then on."""
    choose_filter(request, slug)
    found = get_object_or_404(Filter, slug=slug)
    version = found.latest
    policy = latest_policy(version)
    readings = readings_of(version) if version else []
    return render(
        request,
        "labeling/filter.html",
        {
            "filter": found,
            "version": version,
            "policy": policy,
            "readings": readings,
            "counts": prefilter_counts(policy) if policy else None,
            "distributions": _distributions(version, readings),
            "older": found.versions.annotate(labels_count=Count("labels")).order_by("-number")[1:],
            "spending": spending.of_filter(found),
            "month": spending.this_month(),
            "rules": ReviewRules.of(found),
        },
    )


def filter_prefilter(request: HttpRequest, slug: str) -> HttpResponse:
    """Judge every article by the newest policy's rules, those that came in since included."""
    policy = latest_policy(get_object_or_404(Filter, slug=slug).latest)
    if policy is not None:
        found = services.run_prefilter(policy=policy, actor=request.user)
        messages.success(request, f"{found['passed']:,} articles passed, {sum(found['dropped'].values()):,} were dropped.")
    return redirect("filter", slug)


def readings_of(version: FilterVersion) -> list[Readings]:
    """Together what may be compared, the largest first, so that the oracle students learn from leads."""
    groups = OracleLabel.objects.filter(version=version).values("oracle", "reading", "prompt_hash")
    rows = list(groups.annotate(count=Count("pk"), cost=Sum("cost_usd"), last=Max("created_at")).order_by("-count"))
    oracles = Oracle.objects.in_bulk([row["oracle"] for row in rows])
    sources = list(dict.fromkeys((row["oracle"], row["prompt_hash"]) for row in rows))
    prompts, order = Counter(oracle for oracle, _ in sources), [oracle for oracle, _ in sources]
    rows.sort(key=lambda row: (order.index(row["oracle"]), sources.index((row["oracle"], row["prompt_hash"])), row["reading"]))
    return [
        Readings(
            oracles[row["oracle"]],
            row["reading"],
            row["prompt_hash"],
            prompt_name(row["prompt_hash"]) if prompts[row["oracle"]] > 1 else "",
            row["count"],
            row["cost"],
            row["last"],
        )
        for row in rows
    ]


def _distributions(version: FilterVersion | None, readings: list[Readings]) -> list[Distribution]:
    if version is None or not readings:
        return []
    lead = readings[0]
    return score_distributions(version=version, oracle=lead.oracle, reading=lead.reading, prompt_hash=lead.prompt_hash)
