"""`manage.py label FILTER`: have an oracle judge articles, within a budget. All of it but --enrich is labeling's."""

from argparse import ArgumentParser, Namespace

from labeling.models import LabelingRun
from labeling.planning.label_command import LabelCommand
from training import enrichment


class Command(LabelCommand):
    def add_deeds(self, parser: ArgumentParser) -> None:
        super().add_deeds(parser)
        about = "--size articles, most of them likely to score high: a quick student learns from this run which ones."
        self.deeds.add_argument("--enrich", type=int, metavar="RUN", help=about)

    def do(self, asked: Namespace) -> None:
        if asked.enrich:
            self.enrich(self.run_of(asked.enrich))
        else:
            super().do(asked)

    def enrich(self, pilot: LabelingRun) -> None:
        asked = self.asked
        size, mode = asked.size or enrichment.USUAL_SIZE, self.mode
        plan = enrichment.plan_enriched(pilot=pilot, size=size, mode=mode)
        if self.planned([plan]):
            return
        drawn = enrichment.draw(pilot=pilot, size=size, seed=asked.seed)
        run = enrichment.start_enriched(
            pilot=pilot, drawn=drawn, mode=mode, budget_usd=asked.budget, plan=plan.as_dict(), agreed=asked.agree
        )
        self.see([run])
