"""`manage.py agreement FILTER`: how far an oracle lies from itself, asked again, and from others on the same articles."""

from argparse import ArgumentParser
from itertools import zip_longest
from typing import Any

from distillery_site.common.commands import Answering
from distillery_site.common.errors import BadInput
from distillery_site.common.statistics import Interval
from distillery_site.common.svg import finite
from labeling import lookup
from labeling.comparing.agreement import Again, Against, Between, Repeat
from labeling.comparing.disagreements import between_readings
from labeling.comparing.readings import sources
from labeling.comparing.trust import Trust
from labeling.models import FilterVersion
from labeling.services import send_disagreements


class Command(Answering):
    help = (
        "Say how far an oracle can be trusted: its repeat error where it read articles again, and its shift and distance "
        "to every other oracle on the articles that both have read. --review sends the worst contradictions to people."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("filter", metavar="FILTER", help="A filter, or its version N as FILTER@N.")
        parser.add_argument("--oracle", default="", help="Name, model or number; the one with most labels by default.")
        parser.add_argument(
            "--prompt", default="", metavar="HASH", help="How the prompt's hash begins; the most used by default."
        )
        parser.add_argument("--review", type=int, default=0, metavar="N", help="Send the N largest contradictions to review.")

    def handle(self, *, filter: str, oracle: str, prompt: str, review: int, json: bool, **options: Any) -> None:  # noqa: A002
        trust = trusted(lookup.version(filter), oracle, prompt)
        sent = len(send_disagreements(found=between_readings(trust.source, review))) if review > 0 else 0
        self.answer({**value(trust), "sent_to_review": sent}, "\n".join(words(trust, sent)), as_json=json)


def trusted(version: FilterVersion, oracle: str, prompt: str) -> Trust:
    there = sources(version)
    named = [one for one in there if oracle in ("", one.oracle.name, one.oracle.model, str(one.oracle.pk))]
    found = next((one for one in named if one.prompt_hash.startswith(prompt)), None)
    if found is None:
        names = f"There is: {', '.join(one.name for one in there)}." if there else "Nobody has labelled it yet."
        raise BadInput(f"No such labels of {version}. {names}")
    return Trust(version, found, there)


def value(trust: Trust) -> dict[str, Any]:
    return {
        "version": str(trust.version),
        "oracle": trust.source.oracle.name,
        "prompt_hash": trust.source.prompt_hash,
        "repeat": repeat_value(trust.repeat) if trust.repeat else None,
        "between": [between_value(one) for one in trust.between],
    }


def repeat_value(found: Repeat) -> dict[str, Any]:
    means = {"mae": figure(found.mae), "within": figure(found.within)}
    return {"readings": list(found.readings), **means, "dimensions": [again_value(one) for one in found.dimensions]}


def again_value(one: Again) -> dict[str, Any]:
    figures = {"mae": figure(one.mae), "within": figure(one.within), "icc": figure(one.icc)}
    return {"key": one.key, **figures, "alpha": figure(one.alpha), "bias": [figure(shift) for shift in one.bias]}


def between_value(found: Between) -> dict[str, Any]:
    who = {"oracle": found.other.oracle.name, "prompt_hash": found.other.prompt_hash}
    means = {"bias": figure(found.bias), "mae": figure(found.mae), "within": figure(found.within)}
    return {**who, **means, "dimensions": [against_value(one) for one in found.dimensions]}


def against_value(one: Against) -> dict[str, Any]:
    figures = {"bias": figure(one.bias), "mae": figure(one.mae), "within": figure(one.within), "icc": figure(one.icc)}
    return {"key": one.key, **figures, "spearman": finite(one.spearman)}


def figure(one: Interval) -> dict[str, Any]:
    """JSON knows no NaN."""
    return {"value": finite(one.value), "ci": [finite(one.low), finite(one.high)], "n": one.n}


def words(trust: Trust, sent: int) -> list[str]:
    said = trust.sentences or [f"{trust.source.name} has read every article once, and nobody else has read the same."]
    tables = [[again_line(one) for one in trust.repeat.dimensions]] if trust.repeat else []
    tables += [[against_line(one) for one in found.dimensions] for found in trust.between]
    lines = [line for sentence, table in zip_longest(said, tables, fillvalue=()) for line in (sentence, *table) if line]
    if trust.repeat is None and trust.can_be_asked:
        lines.append(f"Ask it again: {trust.command}")
    return [*lines, *([f"{sent} articles wait for a review now."] if sent else [])]


def again_line(one: Again) -> str:
    return f"  {one.name[:36]:36} {_told(one.mae, '.2f')}  ICC {_or_dash(one.icc.value)}  n {one.mae.n:,}"


def against_line(one: Against) -> str:
    apart = f"apart {_or_dash(one.mae.value)}  Spearman {_or_dash(one.spearman)}  n {one.mae.n:,}"
    return f"  {one.name[:36]:36} {_told(one.bias, '+.2f')}  {apart}"


def _or_dash(value: float) -> str:
    return "–" if finite(value) is None else f"{value:.2f}"


def _told(one: Interval, how: str) -> str:
    return f"{one.value:{how}} ({one.low:{how}} to {one.high:{how}})" if one.n else "–"
