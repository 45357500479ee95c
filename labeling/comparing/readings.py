"""Whose labels may stand side by side: those of one oracle, asked by one rubric in the very same words.

Another prompt is another question. So whoever reads labels names a source, and gets no others mixed in.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlencode

from django.db.models import Count, F, Max

from distillery_site.common.errors import BadInput
from labeling.models import Article, FilterVersion, Oracle, OracleLabel, OracleLabelQuerySet

Scores: TypeAlias = list[float | None]
SHORT = 8  # characters of a prompt's hash that people are shown


@dataclass(frozen=True)
class Source:
    """One oracle, one rubric and one prompt, with what is there of them: labels of the articles' present texts."""

    version: FilterVersion
    oracle: Oracle
    prompt_hash: str
    labels: int
    readings: int
    name: str

    @property
    def address(self) -> str:
        """Its name in a page's address: oracle=3&prompt=5010…"""
        return urlencode({"oracle": self.oracle.pk, "prompt": self.prompt_hash})

    @property
    def found(self) -> OracleLabelQuerySet:
        return fitting(self.version).filter(oracle=self.oracle, prompt_hash=self.prompt_hash)

    def scores(self, reading: int = 1) -> dict[int, Scores]:
        """article → scores of one reading."""
        return dict(self.found.filter(reading=reading).order_by("article").values_list("article", "scores"))

    def read_again(self) -> dict[int, dict[int, Scores]]:
        """article → reading → scores, of the articles that were read more than once."""
        found: defaultdict[int, dict[int, Scores]] = defaultdict(dict)
        later = self.found.filter(reading__gt=1).values("article")
        rows = self.found.filter(article__in=later).order_by("article", "reading")
        for article, reading, scores in rows.values_list("article", "reading", "scores"):
            found[article][reading] = scores
        return {article: said for article, said in found.items() if len(said) > 1}


def fitting(*versions: FilterVersion) -> OracleLabelQuerySet:
    """Labels of the text as it is now, by the rubric as it is now, of whatever oracle and prompt."""
    labels = OracleLabel.objects.current()
    return labels.filter(version__in=[version.pk for version in versions], rubric_hash=F("version__rubric_hash"))


def sources(version: FilterVersion, reading: int | None = None) -> list[Source]:
    """Most labels first, of one reading or of all: the first is what students learn from, unless a person says otherwise."""
    labels = fitting(version) if reading is None else fitting(version).filter(reading=reading)
    groups = labels.order_by().values("oracle", "prompt_hash")
    rows = list(groups.annotate(labels=Count("pk"), readings=Max("reading"), newest=Max("pk")).order_by("-labels", "-newest"))
    oracles = Oracle.objects.in_bulk([row["oracle"] for row in rows])
    prompts = Counter(row["oracle"] for row in rows)
    names = Counter(oracles[pk].name for pk in prompts)

    def name(oracle: Oracle, prompt_hash: str) -> str:
        own = oracle.name if names[oracle.name] == 1 else f"{oracle.name} (number {oracle.pk})"
        return own if prompts[oracle.pk] == 1 else f"{own}, {prompt_name(prompt_hash)}"

    keyed = [(oracles[row["oracle"]], row["prompt_hash"], row) for row in rows]
    return [Source(version, who, words, row["labels"], row["readings"], name(who, words)) for who, words, row in keyed]


def prompt_name(prompt_hash: str) -> str:
    """How people are told one prompt from another."""
    return f"prompt {prompt_hash[:SHORT]}" if prompt_hash else "prompt not recorded"


def source(version: FilterVersion, oracle: Oracle, prompt_hash: str | None = None) -> Source | None:
    """An oracle's labels with this prompt, or without one named with the prompt it was asked with most."""
    own = (one for one in sources(version) if one.oracle == oracle)
    return next((one for one in own if prompt_hash in (None, one.prompt_hash)), None)


def repeat_pairs(version: FilterVersion, oracle: Oracle, prompt_hash: str | None = None) -> list[tuple[int, Scores, Scores]]:
    """(article, scores of reading 1, scores of reading 2) for every article that this oracle read twice in the same words."""
    found = source(version, oracle, prompt_hash)
    again = found.read_again() if found else {}
    return [(article, said[1], said[2]) for article, said in again.items() if 1 in said and 2 in said]


def readings_subset(
    *, version: FilterVersion, oracle: Oracle, n: int, seed: int = 0, among: Collection[int] | None = None
) -> list[int]:
    """Primary keys of `n` random articles to ask about again, the same for every further reading.

    Drawn from what the oracle has read once, or from the articles `among` that it is about to read. The draw ranks
    articles by a hash, so it stays when others join: 150 articles are the 100 of before and 50 new ones, and what was
    read a second time already is not paid for again.
    """
    if n < 1:
        raise BadInput("The subset must have 1 article or more.")
    if among is None:
        found = source(version, oracle)
        among = list(found.scores()) if found else []
    if not among:
        raise BadInput(f"{oracle} has read no article of {version} once, so there is none to ask about again.")
    names = Article.objects.filter(pk__in=among).values_list("pk", "source", "external_id")
    drawn = sorted(names, key=lambda row: hashlib.sha256(f"{seed}\n{row[1]}\n{row[2]}".encode()).digest())
    return sorted(pk for pk, _, _ in drawn[:n])
