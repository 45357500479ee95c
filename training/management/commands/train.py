"""`manage.py train news --student lora`: a student learns from a data set."""

import json as json_module
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from distillery_site.common.commands import RunCommand
from distillery_site.common.errors import BadInput
from training import lookup, tasks
from training.as_typed import read_option
from training.models import Kind, TrainingRun
from training.running.forecasts import forecast
from training.services import queued_ridges, run_training, start_estimate, start_training
from training.student import config as students
from training.student.bases import store


class Command(RunCommand):
    help = "Train a student on a frozen data set and register it as the next version of its model."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("dataset", help="Name of the data set.")
        add("--student", choices=Kind.values, default=Kind.RIDGE.value, help="What to train (default %(default)s).")
        add("--name", help="The model's name; by default the data set's and the student's.")
        add("--preset", default="", help=f"For lora: {', '.join(students.PRESETS)}.")
        add("--base", metavar="NAME|FOLDER", help="For lora: a base model by name, or a local folder, which is registered.")
        add("--set", action="append", default=[], metavar="OPTION=VALUE", help="One option, such as epochs=2; repeatable.")
        add("--config", type=Path, metavar="FILE", help="Options as a JSON object; --set overrides it.")
        add("--estimate", action="store_true", help="Only look ahead: memory, time and tokens, from some steps of it.")
        add("--parent", action="append", default=[], metavar="NAME/vN", help="For stack: a student to build on; repeatable.")

    def handle(self, *, dataset: str, student: str, name: str | None, preset: str, json: bool, **options: Any) -> None:
        start = start_estimate if options["estimate"] else start_training
        run = start(
            dataset=lookup.dataset(dataset),
            kind=student,
            name=name,
            preset=preset,
            config={**_read(options["config"]), **_base(options["base"]), **dict(map(read_option, options["set"]))},
            parents=[lookup.model(ref) for ref in options["parent"]],
        )
        first = queued_ridges(run) if student != Kind.RIDGE else []
        self.see_through(
            [*first, run],
            send=lambda: tasks.send(run),
            work=lambda pk: run_training(run_id=pk),
            detach=options["detach"],
            here=options["here"],
        )
        if run.is_estimate:
            self.answer(_foretold(run), _in_words(run), as_json=json)
        else:
            self.answer(_summary(run), _sentence(run), as_json=json)


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        value = json_module.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} can't be read as JSON: {error}.") from None
    if not isinstance(value, dict):
        raise BadInput(f"{path} must hold a JSON object of options.")
    return value


def _base(text: str | None) -> dict[str, str]:
    """The option `base`; a folder is registered under its own name first, once."""
    if not text or not Path(text).is_dir():
        return {"base": text} if text else {}
    folder, root = Path(text).resolve(), Path(settings.BASES_ROOT)
    known = (root / folder.name / store.CARD).is_file()
    if not known or store.card(root / folder.name).sha256 != store.weights_sha256(folder):
        store.adopt(folder, folder.name, root)
    return {"base": folder.name}


def _summary(run: TrainingRun) -> dict[str, Any]:
    model = getattr(run, "result", None)
    return {
        "run": run.pk,
        "state": run.state,
        "model": model.ref if model else None,
        "seconds": run.seconds,
        "val_mae": model.val_mae if model else None,
        "manifest_sha256": model.manifest_sha256 if model else None,
    }


def _sentence(run: TrainingRun) -> str:
    model = getattr(run, "result", None)
    if model is None:
        return f"Queued {run}: {run.model_name}."
    return f"{model.ref} is registered: it misses the oracle by {model.val_mae:.3f} points on average in validation."


def _foretold(run: TrainingRun) -> dict[str, Any]:
    found = forecast(run)
    span = {"seconds_low": found.low_s, "seconds_high": found.high_s} if found else {}
    return {"run": run.pk, "state": run.state, "model": run.model_name, **run.estimate, **span}


def _in_words(run: TrainingRun) -> str:
    """The same figures as on the page, a line each."""
    found = forecast(run)
    if found is None:
        return f"Queued {run}: {run.model_name}."
    return "\n".join([*(f"{what:<9}{words}" for what, words in found.rows), found.basis])
