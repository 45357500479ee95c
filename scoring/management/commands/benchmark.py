"""manage.py benchmark: how far a version lies from the oracle on articles it never saw."""

from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.conf import settings

from distillery_site.common.commands import RunCommand
from scoring.engine.local import LocalEngine
from scoring.models import Benchmark
from scoring.services import run_benchmark, start_benchmark
from scoring.tasks import benchmark
from training import lookup
from training.models import Split


class Command(RunCommand):
    help = "Measure a version on its data set's test (or validation) split; asking again returns the same figures."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("model", metavar="NAME[/vN]", help="The version, such as news-ridge/v2; without a number the newest.")
        parser.add_argument("--split", choices=[Split.TEST.value, Split.VAL.value], default=Split.TEST.value)
        parser.add_argument("--dataset", metavar="NAME", help="Another data set than the one it learned from.")

    def handle(self, *, model: str, split: str, dataset: str | None, json: bool, detach: bool, here: bool, **_: Any) -> None:
        where = lookup.dataset(dataset) if dataset else None
        row = start_benchmark(model=lookup.model(model), split=split, dataset=where)
        work = partial(_here, LocalEngine(settings.MODELS_ROOT, bases=settings.BASES_ROOT)) if here else _elsewhere
        self.see_through([row], send=lambda: benchmark.delay_on_commit(row.pk), work=work, detach=detach, here=here)
        row.refresh_from_db()
        self.answer(_value(row), _sentence(row), as_json=json)


def _here(engine: LocalEngine, run_id: int) -> None:
    run_benchmark(run_id=run_id, through=engine)


def _elsewhere(run_id: int) -> None:
    run_benchmark(run_id=run_id)


def _value(row: Benchmark) -> dict[str, Any]:
    told = {"benchmark": row.pk, "model": row.model.ref, "dataset": row.dataset.name, "split": row.split, "state": row.state}
    return {**told, "seconds_per_article": row.seconds_per_article, "report": row.report}


def _sentence(row: Benchmark) -> str:
    if not row.report:
        return f"Queued: {row}."
    return "\n".join(f"{row.model}, {slug}: {_figures(found)}" for slug, found in row.report["filters"].items())


def _figures(found: dict[str, Any]) -> str:
    low, high = found["mae_ci"]
    again = f"; asked twice, the oracle misses itself by {found['repeat']['mae']:.2f}" if found["repeat"] else ""
    constant = f"the best constant misses it by {found['constant_mae']:.2f}"
    return f"misses the oracle by {found['mae']:.2f} ({low:.2f} to {high:.2f}, n = {found['n']}); {constant}{again}."
