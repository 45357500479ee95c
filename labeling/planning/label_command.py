"""What `manage.py label` does, but for choosing articles with a student: the command itself is training's, which adds that."""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from distillery_site.common.commands import RunCommand
from distillery_site.common.errors import BadInput
from labeling import lookup, services
from labeling.models import LabelingRun
from labeling.oracles import registry
from labeling.planning import pilots, told
from labeling.planning.departures import Departure
from labeling.planning.plans import Plan
from labeling.planning.terminal import resume_command
from labeling.planning.wanted import Kind, Mode, Wanted, read_params
from labeling.tasks import send
from labeling.watching.standing import Standing


class LabelCommand(RunCommand):
    help = (
        "Have an oracle judge articles that passed the prefilter. A worker does it while a bar shows how far it is; --here "
        "does it in this process. --plan says what it would cost and pays nothing. A paid oracle needs --budget, a cap that "
        "holds: the worst case of each call is reserved before it is sent, and the run pauses when it is reached."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("filter", metavar="FILTER", help="A filter, or its version N as FILTER@N.")
        add("--provider", "--oracle", choices=list(registry.PROVIDERS), default="recorded", help="Who is asked (%(default)s).")
        add("--model", default="", help="The provider's model; its usual one by default.")
        add("--param", action="append", default=[], metavar="NAME=VALUE", help="A parameter, such as effort=medium; repeatable.")
        add("--also", action="append", default=[], metavar="FILTER", help="Ask this filter too, in the same prompt; repeatable.")
        add("--batch", action="store_true", help="Through the provider's batch service: half the price, within a day.")
        add("--size", type=int, help="How many articles, drawn at random; all by default.")
        add("--seed", type=int, default=0, help="Seed of the draw (default %(default)s).")
        add("--reading", type=int, default=1, help="2 asks again about articles of the first reading (default %(default)s).")
        add("--readings", type=int, metavar="K", help="Readings 2 to K of --subset random articles of the first reading.")
        add("--subset", type=int, metavar="N", help="With --readings: how many articles are read again.")
        add("--budget", type=_usd, metavar="USD", help="Cap for this run (each, of several); a paid oracle needs one.")
        add("--agree", action="store_true", help="You agree to what leaves this machine, as --plan says it.")
        add("--class", dest="error_class", default="", metavar="NAME", help="With --retry: only failures of this class.")
        self.add_deeds(parser)

    def add_deeds(self, parser: ArgumentParser) -> None:
        """What is to be done, but for starting a run over all articles or --size of them."""
        parser.add_argument("--plan", action="store_true", help="Only say what it would ask, cost and take.")
        deeds = parser.add_mutually_exclusive_group()
        add = deeds.add_argument
        add("--pilot", action="store_true", help=f"{pilots.SIZE} random articles (or --size), and a report on them.")
        add("--resume", type=int, metavar="RUN", help="Go on with this run, under --budget as its new cap where given.")
        add("--retry", type=int, metavar="RUN", help="Ask again about the articles of this run that failed.")
        add("--pause", type=int, metavar="RUN", help="Let this run ask nothing more until it is resumed.")
        add("--cancel", type=int, metavar="RUN", help="Stop this run; its labels stay.")
        self.deeds = deeds

    def handle(self, *, json: bool, detach: bool, here: bool, **options: Any) -> None:
        self.asked = Namespace(json=json, detach=detach, here=here, **options)
        self.do(self.asked)

    def do(self, asked: Namespace) -> None:
        deeds: dict[str, Callable[[LabelingRun], Any]] = {
            "resume": lambda run: services.resume_labeling(run=run, budget_usd=asked.budget),
            "retry": lambda run: services.retry_failed(run=run, error_class=asked.error_class),
            "pause": lambda run: services.pause_labeling(run=run),
            "cancel": lambda run: services.cancel_labeling(run=run),
        }
        for name, deed in deeds.items():
            if number := getattr(asked, name):
                run = self.run_of(number)
                deed(run)
                return self.see([run]) if name in ("resume", "retry") else self.tell([run])
        if asked.readings or asked.subset:
            return self.start(self.readings())
        return self.start([self.wanted()])

    @property
    def mode(self) -> str:
        return Mode.BATCH if self.asked.batch else Mode.DIRECT

    def wanted(self) -> Wanted:
        asked = self.asked
        oracle = services.name_oracle(provider=asked.provider, model=asked.model, params=read_params(asked.param))
        return Wanted(
            version=lookup.version(asked.filter),
            oracle=oracle,
            also=tuple(map(lookup.version, asked.also)),
            mode=self.mode,
            kind=Kind.PILOT if asked.pilot else Kind.FULL,
            size=asked.size,
            seed=asked.seed,
            reading=asked.reading,
        )

    def readings(self) -> list[Wanted]:
        """One wish for each further reading, over the same articles: the same seed draws the same."""
        asked = self.asked
        if not asked.readings or asked.readings < 2 or not asked.subset or asked.subset < 1:
            raise BadInput("Say both --readings K (2 or more) and --subset N: K readings of N random articles.")
        first = replace(self.wanted(), size=asked.subset)
        return [replace(first, reading=reading) for reading in range(2, asked.readings + 1)]

    def start(self, wishes: Sequence[Wanted]) -> None:
        plans = [wanted.plan() for wanted in wishes]
        if self.planned(plans):
            return
        budget, agreed = self.asked.budget, self.asked.agree
        pairs = zip(wishes, plans, strict=True)
        self.see([wanted.start(planned=plan.as_dict(), budget_usd=budget, agreed=agreed) for wanted, plan in pairs])

    def planned(self, plans: Sequence[Plan]) -> bool:
        """True when telling the plan was all. Raises BadInput where one can't be started or nobody agreed."""
        if self.asked.plan:
            value = plans[0].as_dict() if len(plans) == 1 else {"plans": [plan.as_dict() for plan in plans]}
            self.answer(value, "\n\n".join(map(told.plan_words, plans)), as_json=self.asked.json)
            return True
        if refusals := [sentence for plan in plans for sentence in plan.refusals]:
            raise BadInput(*dict.fromkeys(refusals))
        if plans[0].worst_usd or plans[0].departure.asks:
            _check_cap(self.asked.budget, plans)
            self.asked.agree = self.asked.agree or self._asks(plans[0].departure)
        return False

    def _asks(self, departure: Departure) -> bool:
        if not sys.stdin.isatty():
            raise BadInput(f"{departure.sentence} Say that you agree with --agree.")
        self.stderr.write(f"{departure.sentence}\nDo you agree? [y/N] ", ending="")
        self.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise BadInput("Nothing was sent.")
        return True

    def see(self, runs: Sequence[LabelingRun]) -> None:
        """Have the runs done, and say what came of them."""
        work = lambda pk: services.run_labeling(run_id=pk)  # noqa: E731
        for run in runs:
            self.see_through([run], send=partial(send, run), work=work, detach=self.asked.detach, here=self.asked.here)
        self.tell(runs)

    def headline(self, run: LabelingRun) -> str:
        return Standing(run).headline

    def advice(self, run: LabelingRun) -> list[str]:
        return [f"To go on: {resume_command(run)}"]

    def tell(self, runs: Sequence[LabelingRun]) -> None:
        for run in runs:
            run.refresh_from_db()
        values = [told.run_value(run) for run in runs]
        words = "\n".join(told.run_words(run) for run in runs)
        self.answer(values[0] if len(values) == 1 else {"runs": values}, words, as_json=self.asked.json)

    def run_of(self, number: int) -> LabelingRun:
        runs = LabelingRun.objects.filter(version__filter=lookup.version(self.asked.filter).filter)
        complaint = f"There is no labelling run {number} of {self.asked.filter}"
        return lookup.one(runs.filter(pk=number), complaint, runs.newest())


def _check_cap(budget: Decimal | None, plans: Sequence[Plan]) -> None:
    """A cap is a person's to set; the sentence says what would do."""
    need = max(plan.worst_call_usd for plan in plans)
    if budget is not None and 0 < float(budget) >= need:
        return
    problem = "needs a cap" if budget is None else f"can't be asked under a cap of ${budget}"
    enough = " and ".join(f"${plan.cap_usd or 0.01:,.2f}" for plan in plans)
    likely = sum(plan.usd for plan in plans)
    raise BadInput(
        f"{plans[0].oracle} costs money and {problem}: give --budget. One call could cost ${need:.4f}, all of them at worst "
        f"{enough}; likely ${likely:,.4f}."
    )


def _usd(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ArgumentTypeError(f"{text!r} is not an amount in dollars, such as 5.")
    return amount
