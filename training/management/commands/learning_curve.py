"""`manage.py learning_curve news`: would more labels make a better student, and what would they cost?"""

import json as json_module
from argparse import ArgumentParser
from typing import Any

from distillery_site.common.commands import RunCommand
from distillery_site.common.errors import BadInput
from training import lookup
from training.curves import figures as curve_figures
from training.curves import price as label_price
from training.curves import tasks as curve_tasks
from training.curves.figures import Panel
from training.curves.service import run_curve, start_curve
from training.models import Kind, LearningCurve
from training.student.curve import KINDS, SEEDS, SHARES


class Command(RunCommand):
    help = "Train students on parts of a data set's labels, fit a law to their errors, and say what more labels would give."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("dataset", help="Name of the data set.")
        add("--student", choices=KINDS, default=Kind.RIDGE.value, help="What learns from each part (default %(default)s).")
        add(
            "--shares",
            type=float,
            nargs="+",
            default=SHARES,
            metavar="SHARE",
            help="Of the training labels (default %(default)s).",
        )
        add("--seeds", type=int, default=SEEDS, metavar="N", help="Random orders of the labels (default %(default)s).")
        add("--preset", default="", help="For lora.")
        add("--set", action="append", default=[], metavar="OPTION=VALUE", help="One option, such as epochs=2; repeatable.")
        add("--filter", action="append", default=[], metavar="SLUG", help="Tell of this filter only; repeatable.")
        add("--more", type=int, default=curve_figures.USUAL_MORE, metavar="N", help="How many more labels (default %(default)s).")
        add(
            "--price-of", default="", metavar="ORACLE", help="Plan their price for this paid oracle: its name, or its provider's."
        )

    def handle(self, *, dataset: str, student: str, preset: str, json: bool, **options: Any) -> None:
        found = lookup.dataset(dataset)
        wanted = _filters(options["filter"], [version.filter.slug for version in found.versions])
        config = {**({"preset": preset} if preset else {}), **dict(_pair(text) for text in options["set"])}
        run = start_curve(dataset=found, kind=student, config=config, shares=options["shares"], seeds=options["seeds"])
        self.see_through(
            [run],
            send=lambda: curve_tasks.send(run),
            work=lambda pk: run_curve(run_id=pk),
            detach=options["detach"],
            here=options["here"],
        )
        price = (
            label_price.planned(found, _oracle(options["price_of"])) if options["price_of"] else label_price.paid_so_far(found)
        )
        panels = [one for one in curve_figures.panels(run, more=options["more"], price=price) if one.slug in wanted]
        self.answer(_summary(run, panels), _sentences(run, panels), as_json=json)


def _filters(asked: list[str], there: list[str]) -> list[str]:
    if strangers := [slug for slug in asked if slug not in there]:
        raise BadInput(f"This data set has no labels for {' and '.join(strangers)}; it has {' and '.join(there)}.")
    return asked or there


def _oracle(name: str) -> str:
    """The key of the oracle that a person means."""
    known = {word: key for key, title in label_price.choices() for word in (title, key)}
    if name not in known:
        there = ", ".join(title for _, title in label_price.choices()) or "none: set a provider's key first"
        raise BadInput(f"There is no paid oracle {name!r} to be asked from here; there is {there}.")
    return known[name]


def _pair(text: str) -> tuple[str, Any]:
    name, equals, raw = text.partition("=")
    if not equals:
        raise BadInput(f"--set takes OPTION=VALUE, not {text!r}.")
    try:
        return name, json_module.loads(raw)
    except ValueError:
        return name, raw


def _summary(run: LearningCurve, panels: list[Panel]) -> dict[str, Any]:
    return {
        "curve": run.pk,
        "state": run.state,
        "seconds": run.seconds,
        "labels": run.fit.get("labels"),
        "points": run.points,
        "filters": {panel.slug: _told(panel) for panel in panels},
    }


def _told(panel: Panel) -> dict[str, Any]:
    tested, said = panel.curve.back_test, panel.forecast
    return {
        "sentence": panel.answer,
        "law": dict(zip("abc", panel.curve.law.tolist(), strict=True)),
        "sizes": list(panel.curve.sizes),
        "mae": [point.value for point in panel.curve.points],
        "constant": panel.constant,
        "repeat": panel.repeat.value if panel.repeat else None,
        "falls": panel.curve.falls,
        "forecast": said
        and {"labels": said.labels, "now": said.now, "mae": said.then.value, "low": said.then.low, "high": said.then.high}
        | {"gain": said.gain.value, "gain_low": said.gain.low, "gain_high": said.gain.high},
        "usd": panel.price.of(panel.more) if panel.price else None,
        "back_test": tested and {"foretold": tested.foretold, "found": tested.found, "held": tested.held},
    }


def _sentences(run: LearningCurve, panels: list[Panel]) -> str:
    lines = [line for panel in panels for line in (f"{panel.name}. {panel.answer} {panel.gain}".strip(), f"  {panel.back_test}")]
    return "\n".join(lines) or f"Queued {run}."
