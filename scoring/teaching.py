"""Next to label: the unlabelled articles that would teach most.

How they are chosen, so that what is said of all articles stays honest:
1. The pool: articles that passed, that no oracle has labelled by this rubric, and that no person has scored or is asked about.
2. Students read a random part of it, through the scoring process, until the time for it is up.
3. An article's worth is the mean of two shares: of the articles read on which the students' scores spread less (standard
   deviation between students, mean over the dimensions), and of those on which the first student's interval is narrower.
   One of the two where the other isn't there.
4. In turn the article is taken whose worth, times its unlikeness to those taken before (1 − the largest cosine of their words,
   weighted by rarity), is largest: ten articles on one event teach hardly more than one.
5. An oracle's run takes a quarter as many more, at random from the rest of what was read. A picked article stands for itself,
   these stand for the rest (training.enrichment.weigh), both times pool / read, so weights add up to the pool.
"""

import random
import re
import time
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distillery_site.common.errors import BadInput
from distillery_site.common.statistics import Floats, ranks
from labeling.comparing.readings import fitting
from labeling.current import latest_policy
from labeling.models import Article, FilterVersion, ReviewTask
from labeling.reviewing.gold import decided
from labeling.reviewing.tasks import Pick, reviewed
from scoring.engine.base import Engine, EngineError
from scoring.services import Scored, score_articles
from training.enrichment import weigh
from training.models import Deployment, Kind, ModelVersion

MOST_STUDENTS = 3
FEWEST, USUAL, MOST = 5, 40, 200  # articles to pick
SCREENED = 2_000  # whole texts in memory, and as much as is ever read at a time
SECONDS = 20.0
CHUNK = 4  # texts between two looks at the clock; the largest student needs about a second for each
UNSCREENED = 0.25  # of the picked, so a fifth of the run
TOP = 10.0
WORDS = 4_096  # cells that words are hashed into
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Candidate:
    """One article: points that students are apart, width of the first one's interval, both means over the dimensions."""

    article: Article
    spread: float | None
    width: float | None
    worth: float = 0.0

    @property
    def detail(self) -> str:
        """For a reviewer, without a score."""
        told = []
        if self.spread is not None:
            told.append(f"students differ by {self.spread:.1f} points")
        if self.width is not None:
            told.append(f"the interval is {self.width:.1f} points wide")
        return f"{' and '.join(told).capitalize()}, on average over the dimensions."

    @property
    def pick(self) -> Pick:
        doubt = self.spread if self.spread is not None else (self.width or 0.0) / 2
        return Pick(self.article.pk, ReviewTask.Reason.WIDE, self.detail, doubt)


@dataclass(frozen=True)
class Look:
    """What was found: of `pool` articles `read` were read by these students; `picks` in the order in which they teach."""

    version: FilterVersion
    students: list[ModelVersion]
    pool: int
    read: int
    seed: int
    picks: list[Candidate]
    holdout: list[int]

    @property
    def articles(self) -> list[int]:
        """All that an oracle's run would take."""
        return sorted({one.article.pk for one in self.picks} | set(self.holdout))

    def as_dict(self) -> dict[str, Any]:
        """What a page carries from the look to the start; see `sample_of`."""
        return {
            "version": self.version.pk,
            "students": [str(model) for model in self.students],
            "pool": self.pool,
            "read": self.read,
            "seed": self.seed,
            "picks": [[one.article.pk, one.spread, one.width] for one in self.picks],
            "holdout": self.holdout,
        }


def students_of(version: FilterVersion) -> list[ModelVersion]:
    """Champion, challenger, then the newest of every other kind; a stack only where it serves, for it repeats its members."""
    there = list(ModelVersion.objects.filter(outputs__version=version).distinct().order_by("-pk"))
    served = list(Deployment.objects.filter(filter=version.filter).order_by("-alias").values_list("model", flat=True))
    chosen = sorted((model for model in there if model.pk in served), key=lambda model: served.index(model.pk))
    for model in there:
        if model.kind != Kind.STACK and model.kind not in {one.kind for one in chosen}:
            chosen.append(model)
    return chosen[:MOST_STUDENTS]


def pool_of(version: FilterVersion) -> list[int]:
    """Articles that nobody has judged by this rubric yet, in the order of their keys."""
    policy = latest_policy(version)
    if policy is None:
        return []
    unread = Article.objects.passed(policy).exclude(pk__in=fitting(version).values("article"))
    asked = ReviewTask.objects.filter(version=version).open().values("article")
    unread = unread.exclude(pk__in=asked).exclude(pk__in=decided(version).values("article"))
    known = reviewed(version)
    return [pk for pk in unread.order_by("pk").values_list("pk", flat=True) if pk not in known]


def look(
    *, version: FilterVersion, size: int = USUAL, seed: int = 0, seconds: float = SECONDS, through: Engine | None = None
) -> Look:
    """Let students read for `seconds`, then pick. Raises BadInput where there is nothing to choose, EngineError from them."""
    students, pool = students_of(version), pool_of(version)
    _check(version, students, pool, size)
    order = random.Random(seed).sample(pool, min(SCREENED, len(pool)))  # noqa: S311 (must be repeatable, not secret)
    found = _read(version, students, order, time.monotonic() + seconds, through)
    if len(found) <= size:
        raise BadInput(
            f"In {seconds:g} seconds {len(found):,} of {len(pool):,} articles were read, too few to choose {size} of. "
            "Look again, for what was read is remembered, or choose fewer."
        )
    picks = pick(found, size)
    taken = {one.article.pk for one in picks}
    rest = [one.article.pk for one in found if one.article.pk not in taken]  # still in the random order of the reading
    holdout = sorted(rest[: max(1, round(UNSCREENED * size))])
    return Look(version, students, len(pool), len(found), seed, picks, holdout)


def _check(version: FilterVersion, students: Sequence[ModelVersion], pool: Sequence[int], size: int) -> None:
    if not students:
        raise BadInput(f"No student answers by {version} yet; train one first.")
    if len(students) < 2 and not students[0].manifest.get("intervals"):
        raise BadInput(
            f"{students[0]} is alone and gives no intervals, so nothing tells where it is unsure; train another student."
        )
    if not FEWEST <= size <= MOST:
        raise BadInput(f"Between {FEWEST} and {MOST} articles can be chosen, not {size}.")
    if len(pool) <= size:
        raise BadInput(f"Only {len(pool):,} articles passed and are judged by nobody, so there is nothing to choose among.")


def _read(
    version: FilterVersion, students: Sequence[ModelVersion], order: Sequence[int], deadline: float, through: Engine | None
) -> list[Candidate]:
    """In a chunk's turn every student reads it; stops at the deadline, but not before the first chunk."""
    found: list[Candidate] = []
    for start in range(0, len(order), CHUNK):
        if found and time.monotonic() > deadline:
            break
        try:
            found += _read_some(version, students, order[start : start + CHUNK], through)
        except EngineError:
            if not found:
                raise
            break  # what was read so far can be chosen from
    return found


def _read_some(
    version: FilterVersion, students: Sequence[ModelVersion], keys: Sequence[int], through: Engine | None
) -> list[Candidate]:
    rows = Article.objects.in_bulk(keys)
    articles = [rows[pk] for pk in keys if pk in rows]
    said = [score_articles(filter=version.filter, articles=articles, model=model, through=through) for model in students]
    return [_candidate(article, each) for article, *each in zip(articles, *said, strict=True)]


def _candidate(article: Article, said: Sequence[Scored]) -> Candidate:
    scores = np.array([list(one.scores.values()) for one in said])
    spread = float(scores.std(axis=0).mean()) if len(said) > 1 else None
    inside = next((one.intervals for one in said if one.intervals), None)
    width = float(np.mean([min(TOP, high) - max(0.0, low) for low, high in inside.values()])) if inside else None
    return Candidate(article, spread, width)


def pick(found: Sequence[Candidate], size: int) -> list[Candidate]:
    """The `size` that teach most, each judged beside those taken before it; ties go to the one that was read first."""
    worth, words = worth_of(found), vectors([f"{one.article.title} {one.article.text}" for one in found])
    likeness, taken = np.zeros(len(found)), list[int]()
    for _ in range(min(size, len(found))):
        gain = worth * (1.0 - likeness)
        gain[taken] = -1.0
        best = int(gain.argmax())
        taken.append(best)
        likeness = np.maximum(likeness, words @ words[best])
    return [Candidate(found[at].article, found[at].spread, found[at].width, float(worth[at])) for at in taken]


def worth_of(found: Sequence[Candidate]) -> Floats:
    """[n] between 0 and 1, see the top of this file."""
    parts = [
        ranks([value for value in values if value is not None]) / len(found)
        for values in ([one.spread for one in found], [one.width for one in found])
        if None not in values
    ]
    mean: Floats = np.mean(parts, axis=0)
    return mean


def vectors(texts: Sequence[str]) -> np.ndarray:
    """[n, WORDS] of length 1: log(1 + count) of each word's cell, times how rare the cell is among these texts."""
    rows = np.zeros((len(texts), WORDS), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word, count in Counter(_WORD.findall(text.casefold())).items():
            row[zlib.crc32(word.encode()) % WORDS] += count
    rows = np.log1p(rows) * np.log((1 + len(texts)) / (1 + (rows > 0).sum(axis=0)))
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


@dataclass(frozen=True)
class Sample:
    """What was found, as it came back from a page: for people the picked, for an oracle some unscreened ones as well."""

    version: FilterVersion
    told: dict[str, Any]

    @property
    def picked(self) -> list[int]:
        return [pk for pk, _, _ in self.told["picks"]]

    @property
    def articles(self) -> list[int]:
        return sorted({*self.picked, *self.told["holdout"]})

    @property
    def weights(self) -> dict[int, float]:
        return weigh(set(self.picked), self.told["holdout"], screened=self.told["read"], pool=self.told["pool"])

    @property
    def sampling(self) -> dict[str, Any]:
        """What the run keeps of how its articles were drawn."""
        return {
            "how": "teaching",
            "seed": self.told["seed"],
            "size": len(self.articles),
            "pool": self.told["pool"],
            "screened": self.told["read"],
            "holdout": len(self.told["holdout"]),
            "likely": len(self.picked),
            "rule": f"unlike each other, and those on which {_listed(self.told['students'])} differ most or are least sure",
        }

    @property
    def picks(self) -> list[Pick]:
        """For the review queue, without articles that are gone."""
        there = Article.objects.defer("text").in_bulk(self.picked)
        return [Candidate(there[pk], spread, width).pick for pk, spread, width in self.told["picks"] if pk in there]


def sample_of(told: dict[str, Any]) -> Sample:
    return Sample(FilterVersion.objects.select_related("filter").get(pk=told["version"]), told)


def _listed(names: Collection[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def lines(found: Look) -> Iterator[str]:
    """As the command writes them."""
    for one in found.picks:
        figures = [f"{value:5.2f}" if value is not None else "    –" for value in (one.spread, one.width)]
        yield f"{one.article.pk:>8}  {'  '.join(figures)}  {one.article}"
