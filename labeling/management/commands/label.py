"""`manage.py label FILTER`: have an oracle judge articles, within a budget."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from decimal import Decimal, InvalidOperation
from typing import Any

from distillery_site.common.commands import RunCommand
from distillery_site.common.errors import BadInput
from labeling import figures, lookup
from labeling.models import LabelingRun
from labeling.oracles import registry
from labeling.services import get_oracle, resume_labeling, run_labeling, sample_articles, start_labeling
from labeling.tasks import send


class Command(RunCommand):
    help = (
        "Have an oracle judge articles that passed the prefilter. A worker does it while a bar shows how far it is; --here "
        "does it in this process. A paid oracle needs --budget: the worst case of each call is reserved before it is sent, and "
        "the run pauses at the cap. --resume goes on with a paused, failed or cancelled run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("filter", metavar="FILTER", help="A filter, or its version N as FILTER@N.")
        add("--oracle", choices=list(registry.PROVIDERS), default="recorded", help="Who is asked (default %(default)s).")
        add("--model", default="", help="The provider's model; its usual one by default.")
        add("--param", action="append", default=[], metavar="NAME=VALUE", help="A parameter, such as effort=medium; repeatable.")
        add("--size", type=int, help="How many articles, drawn at random; all by default.")
        add("--seed", type=int, default=0, help="Seed of the draw (default %(default)s).")
        add("--reading", type=int, default=1, help="2 asks again about articles of the first reading (default %(default)s).")
        add("--budget", type=_usd, metavar="USD", help="Cap for this run; a paid oracle needs one.")
        add("--resume", type=int, metavar="RUN", help="Go on with this run, under --budget as its new cap where given.")

    def handle(self, *, json: bool, detach: bool, here: bool, **options: Any) -> None:
        wanted = Namespace(**options)
        run = _resumed(wanted) if wanted.resume else _started(wanted)
        work = lambda pk: run_labeling(run_id=pk)  # noqa: E731
        self.see_through([run], send=lambda: send(run), work=work, detach=detach, here=here)
        run.refresh_from_db()
        self.answer(_value(run), _sentence(run), as_json=json)


def _started(wanted: Namespace) -> LabelingRun:
    version = lookup.version(wanted.filter)
    oracle = get_oracle(provider=wanted.oracle, model=wanted.model, params=dict(map(_param, wanted.param)))
    reread = oracle if wanted.reading > 1 else None
    articles = sample_articles(policy=version.policies.latest("number"), size=wanted.size, seed=wanted.seed, read_by=reread)
    return start_labeling(version=version, oracle=oracle, articles=articles, reading=wanted.reading, budget_usd=wanted.budget)


def _resumed(wanted: Namespace) -> LabelingRun:
    runs = LabelingRun.objects.filter(version__filter=lookup.filter_(wanted.filter))
    complaint = f"There is no labelling run {wanted.resume} of {wanted.filter}"
    run = lookup.one(runs.filter(pk=wanted.resume), complaint, runs.newest())
    resume_labeling(run=run, budget_usd=wanted.budget)
    return run


def _usd(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ArgumentTypeError(f"{text!r} is not an amount in dollars, such as 5.") from None


def _param(text: str) -> tuple[str, str | int]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadInput(f"{text!r} must look like NAME=VALUE.")
    return name, int(value) if value.isdigit() else value


def _value(run: LabelingRun) -> dict[str, Any]:
    counts = figures.run_counts(run)
    told = {"run": run.pk, "filter": run.version.filter.slug, "version": run.version.number, "oracle": str(run.oracle)}
    done = {"labelled": counts.labelled, "stored": counts.stored, "absent": counts.absent, "failed": counts.failed}
    costs = {"cost_usd": float(run.cost_usd), "lost_usd": float(run.lost_usd), "seconds": run.seconds}
    return {**told, "reading": run.reading, "state": run.state, "waiting": counts.waiting, **done, **costs}


def _sentence(run: LabelingRun) -> str:
    if not run.is_final:
        return f"Queued: {run}, {run.progress_total:,} articles."
    problems = [f"  {problem.count:,} {problem.error_class}: {problem.message}" for problem in figures.run_problems(run)]
    cost = f", ${run.cost_usd + run.lost_usd:.4f}" if run.cost_usd + run.lost_usd else ""
    return "\n".join([f"{run} of {run.version} by {run.oracle}: {run.stage}{cost}.", *problems])
