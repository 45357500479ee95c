"""`manage.py compare news-lora news-ridge`: which of two versions lies nearer to the oracle, and whether that is noise."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from distillery_site.common.commands import Answering
from scoring.comparing import Comparison, NotComparable, compare
from training import lookup
from training.models import Split


class Command(Answering):
    help = "Compare two versions on the articles that both were measured on and neither has learnt from."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("first", metavar="A", help="A version, such as news-lora/v2; without a number the newest.")
        parser.add_argument("second", metavar="B", help="The version to compare it with.")
        parser.add_argument("--filter", metavar="SLUG", help="Only this filter, of those that both answer for.")
        parser.add_argument("--split", choices=[Split.TEST.value, Split.VAL.value], default=Split.TEST.value)

    def handle(self, *, first: str, second: str, filter: str | None, split: str, json: bool, **_: Any) -> None:  # noqa: A002
        chosen = lookup.filter_(filter) if filter else None
        try:
            found = compare(lookup.model(first), lookup.model(second), split=split, filter_=chosen)
        except NotComparable as refused:
            raise CommandError(" ".join([str(refused), *_advice(refused)])) from refused
        self.answer({"comparisons": [one.as_dict() for one in found]}, "\n\n".join(map(_sentences, found)), as_json=json)


def _advice(refused: NotComparable) -> list[str]:
    """The commands that measure what is missing."""
    return [
        f"Measure it with manage.py benchmark {one.model.ref} --split {one.split}"
        + ("." if one.model.dataset == one.dataset else f" --dataset {one.dataset}.")
        for one in refused.missing
    ]


def _sentences(found: Comparison) -> str:
    left_out = f", {found.left_out} left out that one of them may have learnt from" if found.left_out else ""
    head = f"{found.version} on {found.n} {Split(found.split).label} articles of {found.dataset}{left_out}"
    return "\n".join([f"{head}:", found.mean_sentence, found.sentence, *map(_line, [found.mean, *found.lines])])


def _line(line: Any) -> str:
    change, p = line.change, "" if line.p is None else f", p = {line.p:.3f}"
    errors = f"{line.first:.3f} against {line.second:.3f}, {change.value:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"
    return f"  {line.name}: {errors}, n = {change.n}{p}: {line.verdict}"
