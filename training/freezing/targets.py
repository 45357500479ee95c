"""Which label becomes an article's target.

Labels of one filter may come from several sources: rubrics, oracles, prompts. Without a word of permission (`mix`) a
data set takes one source a filter. With it the sources stand in an order, and an article's target comes from the first
that has one: sources are mixed between articles, never within a target.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, TypeAlias

from django.db.models import QuerySet

from labeling.comparing.readings import Scores, Source, sources
from labeling.models import Article, FilterVersion, LabelingItem, LabelingRun, Oracle
from training.freezing.people import WEIGHT, Correction, Corrections, People, corrections

Targets: TypeAlias = tuple[float | None, ...]
DECIMALS = 6  # of a mean; a label's own scores stay as they are


@dataclass(frozen=True)
class Wanted:
    """What a person asked for: rubrics, oracles in their order, one reading or the mean of all, whether to mix, and what
    people's word does."""

    versions: Sequence[FilterVersion]
    oracles: Sequence[Oracle]
    reading: int = 1
    mean: bool = False
    mix: bool = False
    people: str = People.IGNORE

    @property
    def families(self) -> list[list[FilterVersion]]:
        """The named versions of each filter, newest first; filters in the order they were named."""
        order = list(dict.fromkeys(version.filter_id for version in self.versions))
        named = sorted(set(self.versions), key=lambda version: (order.index(version.filter_id), -version.number))
        return [list(group) for _, group in groupby(named, key=lambda version: version.filter_id)]

    @property
    def leads(self) -> list[FilterVersion]:
        """The version of each filter whose rubric the data set carries."""
        return [family[0] for family in self.families]

    @property
    def who(self) -> str:
        return listed(self.oracles)

    def problems(self) -> Iterator[str]:
        if not self.versions:
            yield "A data set needs at least one filter."
        if len(set(self.versions)) < len(self.versions) or len(set(self.oracles)) < len(self.oracles):
            yield "A filter or an oracle is named twice."
        for family in self.families:
            if len(family) > 1 and not self.mix:
                yield f"{listed(family)} are different rubrics: their labels are mixed only if you say so (mix)."
            elif any(version.keys != family[0].keys for version in family):
                yield f"{listed(family)} have different dimensions, so their labels can't stand in one column."
        if len(self.oracles) > 1 and not self.mix:
            yield f"{self.who} are different oracles: their labels are mixed only if you say so (mix)."
        if self.people not in People.values:
            yield f"People's word can be {listed_or(People.values)}, not {self.people!r}."


def listed(parts: Sequence[object]) -> str:
    return " and ".join(str(part) for part in parts)


def listed_or(parts: Sequence[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} or {last}"


@dataclass(frozen=True)
class Origin:
    """Where an article's scores for one filter come from, of how many readings, and which run drew the article."""

    source: Source
    readings: int
    run: int | None


Found: TypeAlias = dict[int, tuple[Scores, Origin | None]]  # no origin: people's word alone


@dataclass(frozen=True)
class Row:
    """One article on its way into a data set: as it is read, its labels side by side, where each filter's came from, and
    what people made of it."""

    article_id: int
    text: str
    targets: Targets
    origins: tuple[Origin | None, ...]
    sampling_weight: float = 1.0
    corrections: tuple[Correction | None, ...] = ()
    weight: float = 1.0


@dataclass
class Chosen:
    """For each filter article → (scores, origin); the sources they came from in their order, those passed over, and for
    each filter what people changed."""

    wanted: Wanted
    targets: list[Found]
    used: list[Source]
    passed_over: list[Source]
    corrected: list[Corrections]

    @property
    def articles(self) -> set[int]:
        return set().union(*self.targets)


def choose(wanted: Wanted) -> Chosen:
    chosen = Chosen(wanted, [], [], [], [])
    for family in wanted.families:
        found: Found = {}
        for source in _in_order(family, chosen):
            found = {**_labels(source, wanted), **found}
        changed = corrections(wanted.people, family, {article: scores for article, (scores, _) in found.items()})
        found |= {article: (one.after, found[article][1] if article in found else None) for article, one in changed.items()}
        chosen.targets.append(found)
        chosen.corrected.append(changed)
    return chosen


def _in_order(family: Sequence[FilterVersion], chosen: Chosen) -> Iterator[Source]:
    """Newest rubric first, then the oracles as they were named, then the prompt that was used most."""
    wanted = chosen.wanted
    for version in family:
        there = sources(version, None if wanted.mean else wanted.reading)
        for oracle in wanted.oracles:
            own = [source for source in there if source.oracle == oracle]
            taken = own if wanted.mix else own[:1]
            chosen.used.extend(taken)
            chosen.passed_over.extend(own[len(taken) :])
            yield from taken


def _labels(source: Source, wanted: Wanted) -> Found:
    rows = source.found if wanted.mean else source.found.filter(reading=wanted.reading)
    found: defaultdict[int, list[tuple[Scores, int | None]]] = defaultdict(list)
    for article, scores, run in rows.order_by("article", "reading").values_list("article", "scores", "run"):
        found[article].append((scores, run))
    return {
        article: (mean_of([scores for scores, _ in said]), Origin(source, len(said), said[0][1]))
        for article, said in found.items()
    }


def mean_of(readings: Sequence[Scores]) -> Scores:
    """Of each dimension, over the readings that gave it a score."""
    if len(readings) == 1:
        return readings[0]
    columns = ([score for score in column if score is not None] for column in zip(*readings, strict=True))
    return [round(sum(column) / len(column), DECIMALS) if column else None for column in columns]


def rows_of(chosen: Chosen) -> tuple[list[Row], int]:
    """In the order of (source, external id), so that a seed means the same in every database; and how many had no score."""
    rows, empty, view = [], 0, chosen.wanted.versions[0].view
    widths = [len(version.keys) for version in chosen.wanted.leads]
    nothing: list[tuple[Scores, Origin | None]] = [([None] * width, None) for width in widths]
    for article in Article.objects.filter(pk__in=chosen.articles).order_by("source", "external_id").iterator(500):
        said = [found.get(article.pk, none) for found, none in zip(chosen.targets, nothing, strict=True)]
        if all(score is None for scores, _ in said for score in scores):
            empty += 1
        else:
            rows.append(_row(chosen, article, view, said))
    return _weighted(rows), empty


def _row(chosen: Chosen, article: Article, view: dict[str, Any], said: Sequence[tuple[Scores, Origin | None]]) -> Row:
    changed = tuple(found.get(article.pk) for found in chosen.corrected)
    return Row(
        article.pk,
        article.rendered(view),
        targets=tuple(score for scores, _ in said for score in scores),
        origins=tuple(origin for _, origin in said),
        corrections=changed,
        weight=WEIGHT if chosen.wanted.people == People.WEIGHT and any(changed) else 1.0,
    )


def _weighted(rows: list[Row]) -> list[Row]:
    """With one over the chance that each article was drawn, where an enriched run drew it; 1 elsewhere."""
    drawn = enriched_items(rows).values_list("run", "article", "weight")
    weights = {(run, article): weight for run, article, weight in drawn}
    return [replace(row, sampling_weight=_weight(row, weights)) for row in rows] if weights else rows


def enriched_items(rows: Sequence[Row]) -> QuerySet[LabelingItem]:
    """Draws that favoured likely articles; none where a run over all articles followed, for then all were taken."""
    runs = {origin.run for row in rows for origin in row.origins if origin and origin.run}
    if LabelingRun.objects.filter(pk__in=runs, sampling__how="all").exists():
        return LabelingItem.objects.none()
    return LabelingItem.objects.filter(run__in=runs, run__kind=LabelingRun.Kind.ENRICHED)


def _weight(row: Row, weights: dict[tuple[int, int], float]) -> float:
    keys = ((origin.run, row.article_id) for origin in row.origins if origin and origin.run)
    return next((weights[key] for key in keys if key in weights), 1.0)
