"""Plans, runs and pilots as a command tells them: a value for a program, a few sentences for a person."""

from collections.abc import Iterator
from typing import Any

from labeling import figures
from labeling.models import LabelingRun
from labeling.planning.pilots import Report, report_of
from labeling.planning.plans import Plan


def plan_words(plan: Plan) -> str:
    return "\n".join([*_asked(plan), *(_figures(plan) if plan.worst_usd or plan.usd else ()), *_rest(plan)])


def _asked(plan: Plan) -> Iterator[str]:
    stored = f"; {plan.known:,} are answered already" if plan.known else ""
    how = " in batches" if plan.mode == LabelingRun.Mode.BATCH else ""
    yield f"{plan.oracle} would be asked{how} about {_count(plan.ask, 'article')} by {' and '.join(plan.versions)}{stored}."


def _figures(plan: Plan) -> Iterator[str]:
    each_in, each_out = plan.tokens_in / plan.ask, plan.tokens_out / plan.ask
    yield f"Tokens an article: {each_in:,.0f} in ({plan.tokens_by}), {each_out:,.0f} out ({plan.output_by})."
    costs = plan.costs
    batch = f", {_usd(costs.batch)} in batches" if costs.batch is not None else ""
    yield f"Price: {_usd(costs.direct)} directly{batch}, by {plan.price_list.get('source')}."
    if costs.direct_cached is not None:
        batch = f", {_usd(costs.batch_cached)} in batches" if costs.batch_cached is not None else ""
        yield f"With the rubric in the provider's cache: {_usd(costs.direct_cached)} directly{batch}."
    yield f"At worst: {_usd(plan.worst_usd)}, {_usd(plan.worst_call_usd)} a call. A cap of {_usd(plan.cap_usd)} holds it."
    takes = "Time" if plan.seconds is None else f"Time: about {_time(plan.seconds)}"
    yield f"{takes}, bound by {plan.bound_by}."


def _rest(plan: Plan) -> Iterator[str]:
    if plan.departure.sentence:
        yield plan.departure.sentence
    yield from plan.notes
    if plan.refusals:
        yield "It can't be started:"
        yield from (f"  {sentence}" for sentence in plan.refusals)


def run_value(run: LabelingRun) -> dict[str, Any]:
    counts = figures.run_counts(run)
    told = {"run": run.pk, "filter": run.version.filter.slug, "version": run.version.number, "oracle": str(run.oracle)}
    how = {"kind": run.kind, "mode": run.mode, "reading": run.reading, "state": run.state, "waiting": counts.waiting}
    done = {"labelled": counts.labelled, "stored": counts.stored, "absent": counts.absent, "failed": counts.failed}
    costs = {"cost_usd": float(run.cost_usd), "lost_usd": float(run.lost_usd), "seconds": run.seconds}
    report = report_of(run)
    told |= {"report": report.as_dict()} if report else {}
    return {**told, **how, **done, **costs}


def run_words(run: LabelingRun) -> str:
    if not run.is_final:
        why = f" {run.error}" if run.error else ""
        return f"{run} is {run.get_state_display()}, {run.progress_done:,} of {run.progress_total:,} articles done.{why}"
    problems = [f"  {problem.count:,} {problem.error_class}: {problem.message}" for problem in figures.run_problems(run)]
    cost = f", {_usd(float(run.cost_usd + run.lost_usd))}" if run.cost_usd + run.lost_usd else ""
    report = report_of(run)
    return "\n".join(
        [
            f"{run} of {run.version} by {run.oracle}: {run.stage or run.get_state_display()}{cost}.",
            *problems,
            *(_report_words(report) if report else ()),
        ]
    )


def _report_words(report: Report) -> Iterator[str]:
    for rubric in report.rubrics:
        yield f"{rubric.version}, {_count(rubric.n, 'label')}:"
        for scale in rubric.scales:
            shown, high = scale.distribution, scale.high
            mean = "–" if shown.mean is None else f"{shown.mean:.1f}"
            share = (
                f"{100 * high.share:.0f} % ({100 * high.low:.0f}–{100 * high.high:.0f}) score 7 or more" if high else "no score"
            )
            yield f"  {shown.name}: mean {mean}, {scale.distinct} values, {100 * shown.zero_share:.0f} % are 0, {share}"
    yield from _cost_words(report)
    yield from report.warnings


def _cost_words(report: Report) -> Iterator[str]:
    if report.cost is None or report.seconds is None:
        return
    usual, long = report.seconds
    yield f"An article cost {_usd(report.cost.mean)}; an answer took {usual:.1f} s, one in ten {long:.1f} s or more."
    rest = report.rest
    if rest.direct is not None and rest.articles:
        batch = f", {_usd(rest.batch.mean)} in batches" if rest.batch is not None else ""
        span = f"{_usd(rest.direct.low)} to {_usd(rest.direct.high)}"
        yield f"The {_count(rest.articles, 'article')} left would cost about {_usd(rest.direct.mean)} ({span}) directly{batch}."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _usd(amount: float | None) -> str:
    amount = amount or 0.0
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"


def _time(seconds: float) -> str:
    """One unit: 40 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6_000 else f"{seconds / 3600:.1f} h"
