"""One reviewer's figures: pace, bias and drift. Of differences and times only, so that nobody is graded by what they read.

Bias is a reviewer's blind first score minus the mean of the other people's on the same article, and minus the oracle's.
Drift is how the difference to the oracle, which never tires, changes in the course of a hundred reviews. Means over
dimensions are taken within an article first; an article is a row. Pace is a median, since people leave their desks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.contrib.auth import get_user_model

from distillery_site.common.estimates import mean_interval, means_of_known, median_interval, slope_interval
from distillery_site.common.statistics import Floats, Interval
from labeling.comparing.readings import Scores, Source, sources
from labeling.models import FilterVersion, ReviewTurn
from labeling.reviewing.people import Given, People, given, people

BLOCK = 25  # reviews in a line of the course
HUNDRED = 100.0
NAN = float("nan")


@dataclass(frozen=True)
class Bias:
    """One dimension: how much higher this person scores than other people, and than the oracle."""

    name: str
    people: Interval
    oracle: Interval


@dataclass(frozen=True)
class Stretch:
    """Some reviews in a row."""

    first: int
    last: int
    seconds: Interval
    oracle: Interval


@dataclass(frozen=True)
class Reviewer:
    """`bias` has a line a dimension; `people` and `oracle` are means over them, `drift` is in points a hundred reviews."""

    person: Any
    reviews: int
    skipped: int
    newest: datetime
    seconds: Interval
    bias: list[Bias]
    people: Interval
    oracle: Interval
    drift: Interval
    course: list[Stretch]

    @property
    def an_hour(self) -> float | None:
        """Reviews, at the median pace."""
        return 3600 / self.seconds.value if self.seconds.value > 0 else None

    @property
    def sentences(self) -> list[str]:
        """What is sure enough to be said in words."""
        told = [_level(self.people, "other people"), _level(self.oracle, "the oracle"), _drift(self.drift)]
        return [sentence for sentence in told if sentence]


@dataclass(frozen=True)
class _Room:
    """What all reviewers of a rubric are measured by."""

    version: FilterVersion
    rows: Sequence[Given]
    people: People
    oracle: Source | None
    said: dict[int, Scores]


def reviewers(version: FilterVersion, only: Any = None) -> list[Reviewer]:
    """All who have reviewed by this rubric, most reviews first; or `only` this person, if they have."""
    rows = given(version)
    source = next(iter(sources(version, reading=1)), None)
    room = _Room(version, rows, people(version, rows), source, source.scores() if source else {})
    who = {row.reviewer for row in rows} & ({only.pk} if only is not None else {row.reviewer for row in rows})
    persons = get_user_model().objects.in_bulk(who)
    return sorted((_reviewer(room, persons[pk]) for pk in who), key=lambda one: (-one.reviews, one.person.pk))


def _reviewer(room: _Room, person: Any) -> Reviewer:
    own = [row for row in room.rows if row.reviewer == person.pk]
    blind = [row for row in own if row.blind]
    others, oracle = _minus_people(room.people, person.pk), _minus_oracle(room, blind)
    names = [dimension["name"] for dimension in room.version.dimensions]
    skipped = ReviewTurn.objects.filter(task__version=room.version, reviewer=person, review=None).exclude(skipped_at=None)
    return Reviewer(
        person=person,
        reviews=len(own),
        skipped=skipped.count(),
        newest=own[-1].at,
        seconds=_pace(own),
        bias=[Bias(name, mean_interval(others[:, place]), mean_interval(oracle[:, place])) for place, name in enumerate(names)],
        people=mean_interval(means_of_known(others, axis=1)),
        oracle=mean_interval(means_of_known(oracle, axis=1)),
        drift=slope_interval(np.arange(len(blind)) / HUNDRED, means_of_known(oracle, axis=1)),
        course=_course(room, own),
    )


def _minus_people(said: People, pk: int) -> Floats:
    """[articles, dimensions]: one's own score minus the mean of the others', where both are there."""
    if pk not in said.who:
        return np.full((0, said.scores.shape[2]), NAN)
    place = said.who.index(pk)
    others = np.delete(said.scores, place, axis=1)
    found: Floats = said.scores[:, place] - means_of_known(others, axis=1)
    return found


def _minus_oracle(room: _Room, rows: Sequence[Given]) -> Floats:
    """[reviews, dimensions], NaN where the oracle has no score."""
    nothing: Scores = [None] * len(room.version.dimensions)
    mine, theirs = [row.scores for row in rows], [room.said.get(row.article, nothing) for row in rows]
    shape = (len(rows), len(nothing))
    found: Floats = np.array(mine, dtype=np.float64).reshape(shape) - np.array(theirs, dtype=np.float64).reshape(shape)
    return found


def _pace(rows: Sequence[Given]) -> Interval:
    return median_interval([NAN if row.seconds is None else row.seconds for row in rows])


def _course(room: _Room, rows: Sequence[Given]) -> list[Stretch]:
    """Their reviews in stretches, so that a drift can be looked at."""
    found = []
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        away = means_of_known(_minus_oracle(room, [row for row in part if row.blind]), axis=1)
        found.append(Stretch(start + 1, start + len(part), _pace(part), mean_interval(away)))
    return found


def _level(bias: Interval, whom: str) -> str:
    if not (bias.low > 0 or bias.high < 0):
        return ""
    word = "milder" if bias.value > 0 else "stricter"
    return f"Scores {abs(bias.value):.2f} points {word} than {whom} ({_reach(bias)}; {bias.n:,} articles)."


def _drift(drift: Interval) -> str:
    if not (drift.low > 0 or drift.high < 0):
        return ""
    word = "milder" if drift.value > 0 else "stricter"
    return f"Grows {word} by {abs(drift.value):.2f} points in a hundred reviews ({_reach(drift)})."


def _reach(one: Interval) -> str:
    return f"{one.low:+.2f} to {one.high:+.2f}".replace("-", "−")
