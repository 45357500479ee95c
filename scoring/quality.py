"""A student in people's terms: how alike they are, and its true quality, put right by prediction-powered inference.

The error against people is known where people reviewed, the error against the oracle on every measured article. Only
reviews of a random sample may put the latter right; agreement may count all that was reviewed, and says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from distillery_site.common.estimates import Corrected, corrected_mean, mean_interval, means_of_known
from distillery_site.common.statistics import Floats, Interval
from labeling.comparing.agreement import Row, named
from labeling.comparing.readings import Scores
from labeling.models import FilterVersion
from labeling.reviewing.gold import decided
from labeling.reviewing.people import FEW, people, sample
from scoring.models import Benchmark
from scoring.reports import Rows, rows_of
from training.freezing.people import People
from training.freezing.provenance import oracles_word
from training.models import Split


@dataclass(frozen=True)
class Distance:
    """One dimension, or the mean: the error against the oracle on all rows, and against people as far as these tell."""

    name: str
    oracle: Interval
    people: Corrected

    @property
    def known(self) -> bool:
        return not np.isnan(self.people.low)


@dataclass(frozen=True)
class Quality:
    """`reviewed` counts measured articles that people have scored, `drawn` those of them in the random sample."""

    version: FilterVersion
    split: str
    rows: int
    reviewed: int
    drawn: int
    dimensions: list[Distance]
    mean: Distance
    alike: list[Row]

    @property
    def few(self) -> bool:
        return self.drawn < FEW

    @property
    def sentence(self) -> str:
        found = self.mean
        if not found.known:
            return f"{self.drawn} reviewed articles drawn at random are too few to say how far it lies from people."
        against = f"It lies {found.people.value:.2f} points from people ({found.people.low:.2f} to {found.people.high:.2f})"
        return f"{against}, where against the oracle its error is {found.oracle.value:.2f}."


def word_of_people(version: FilterVersion) -> dict[int, Scores]:
    """article → a lead's decision where there is one, else the mean of what people said blind, of each dimension."""
    return people(version).mean | {decision.article_id: decision.scores for decision in decided(version)}


def quality(benchmark: Benchmark, version: FilterVersion) -> Quality | None:
    """None where the benchmark's student answers nothing of this rubric."""
    rows = rows_of(benchmark)
    columns = {rows.outputs[column].dimension: column for column in rows.columns(version.filter.slug)}
    if not columns:
        return None
    said = word_of_people(version)
    told = [article for article in rows.article_ids if article in said]
    lot = sample(version, rows.article_ids)
    places = [columns[key] for key in version.keys]
    truth, predicted = _oracles(benchmark, version, rows, places), rows.predicted[:, places]
    against_oracle = np.abs(predicted - truth)
    against_people = np.abs(predicted - _beside(rows, said, lot, len(places)))
    names = [dimension["name"] for dimension in version.dimensions]
    each = zip(names, against_oracle.T, against_people.T, strict=True)
    answers = {article: list(predicted[place]) for place, article in enumerate(rows.article_ids)}
    return Quality(
        version=version,
        split=Split(benchmark.split).label,
        rows=len(rows.article_ids),
        reviewed=len(told),
        drawn=sum(article in lot for article in told),
        dimensions=[_true(name, ours, theirs) for name, ours, theirs in each],
        mean=_true("Mean", means_of_known(against_oracle, axis=1), means_of_known(against_people, axis=1)),
        alike=_alike(version, answers),
    )


def _oracles(benchmark: Benchmark, version: FilterVersion, rows: Rows, places: Sequence[int]) -> Floats:
    """[articles, dimensions] of the oracle's own scores, also where people's word took their place as targets."""
    if benchmark.dataset.recipe.get("people", People.IGNORE) == People.IGNORE:
        return rows.truth[:, places]
    said = oracles_word(benchmark.dataset, version, rows.article_ids)
    nothing: Scores = [None] * len(places)
    return np.array([said.get(article, nothing) for article in rows.article_ids], dtype=np.float64)


def _true(name: str, against_oracle: Floats, against_people: Floats) -> Distance:
    return Distance(name, mean_interval(against_oracle), corrected_mean(against_oracle, against_people))


def _beside(rows: Rows, said: Mapping[int, Scores], lot: set[int], width: int) -> Floats:
    """[articles, dimensions]: what people say of the random sample, NaN of everything else."""
    nothing: Scores = [None] * width
    found = [said.get(article, nothing) if article in lot else nothing for article in rows.article_ids]
    return np.array(found, dtype=np.float64).reshape(len(rows.article_ids), width)


def _alike(version: FilterVersion, answers: Mapping[int, Scores]) -> list[Row]:
    """The mean of an article's people beside the student, on whatever people have reviewed."""
    found = people(version).beside(answers)
    return named(version, found.figures, found.shift) if found else []
