"""Where an oracle contradicts itself or another one most: the articles that are worth a person's look."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nlargest
from typing import TypeAlias

from labeling.comparing.readings import Scores, Source, source
from labeling.models import Article, FilterVersion, Oracle, ReviewTask

Said: TypeAlias = list[tuple[str, Scores]]


@dataclass(frozen=True)
class Disagreement:
    """One article, `mean` points apart over its dimensions, and the dimension where the most lies between two judges."""

    version: FilterVersion
    article: Article
    reason: ReviewTask.Reason
    who: str
    mean: float
    dimension: str
    higher: tuple[str, float]
    lower: tuple[str, float]

    @property
    def most(self) -> float:
        return self.higher[1] - self.lower[1]

    @property
    def detail(self) -> str:
        """Who differs by how much on what, without a score: a reviewer is to judge unprompted."""
        (higher, _), (lower, _) = self.higher, self.lower
        lower = lower.lower() if self.reason == ReviewTask.Reason.READINGS else lower
        apart = f"{self.who} differ by {self.mean:.2f} on average over {len(self.version.keys)} dimensions."
        return f"{higher} is {self.most:.1f} above {lower} on {self.dimension}; {apart}"


def disagreements(version: FilterVersion, oracle: Oracle, other: Oracle | None = None, limit: int = 10) -> list[Disagreement]:
    """The largest differences between an oracle's readings, or between its first readings and another oracle's."""
    first = source(version, oracle)
    if other is None:
        return between_readings(first, limit) if first else []
    second = source(version, other)
    return between_oracles(first, second, limit) if first and second else []


def between_readings(found: Source, limit: int = 10) -> list[Disagreement]:
    said = {
        article: [(f"Reading {number}", scores) for number, scores in readings.items()]
        for article, readings in found.read_again().items()
    }
    return _largest(found.version, said, ReviewTask.Reason.READINGS, f"{found.name}'s readings", limit)


def between_oracles(first: Source, second: Source, limit: int = 10) -> list[Disagreement]:
    theirs = second.scores()
    said = {
        article: [(first.name, scores), (second.name, theirs[article])]
        for article, scores in first.scores().items()
        if article in theirs
    }
    return _largest(first.version, said, ReviewTask.Reason.ORACLES, "they", limit)


def _largest(
    version: FilterVersion, said: dict[int, Said], reason: ReviewTask.Reason, who: str, limit: int
) -> list[Disagreement]:
    """Largest mean first; articles on which all agree are none of it."""
    measured = ((_mean(judges), article) for article, judges in said.items())
    largest = nlargest(limit, ((mean, article) for mean, article in measured if mean))
    articles = Article.objects.defer("text").in_bulk([article for _, article in largest])
    found = []
    for mean, article in largest:
        place, higher, lower = max(_ranges(said[article]), key=lambda one: one[1][1] - one[2][1])
        name = version.dimensions[place]["name"]
        found.append(Disagreement(version, articles[article], reason, who, mean, name, higher, lower))
    return found


def _mean(judges: Said) -> float:
    gaps = [higher[1] - lower[1] for _, higher, lower in _ranges(judges)]
    return sum(gaps) / len(gaps) if gaps else 0.0


def _ranges(judges: Said) -> Iterator[tuple[int, tuple[str, float], tuple[str, float]]]:
    """(place of the dimension, the highest score with who gave it, the lowest) where two or more gave one."""
    for place in range(len(judges[0][1])):
        given = [(name, score) for name, scores in judges if (score := scores[place]) is not None]
        if len(given) > 1:
            yield place, max(given, key=_score), min(given, key=_score)


def _score(one: tuple[str, float]) -> float:
    return one[1]
