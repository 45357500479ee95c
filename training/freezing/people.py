"""What people's word does to an oracle's targets. The oracle's label itself stays as it is, whatever is chosen here.

Gold (labeling.reviewing.gold) is laid over the chosen label, dimension by dimension: where gold has no score the oracle's
stays, and an article that people have scored and no oracle has labelled joins by their word alone.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db.models import TextChoices

from labeling.comparing.readings import Scores
from labeling.models import FilterVersion
from labeling.reviewing.gold import Gold, How, gold

WEIGHT = 3.0  # of an article with gold, where people's word is to weigh more
DECIMALS = 6  # of a mean
HOWS: dict[How, str] = {"decided": "decided by a lead", "agreed": "on which people agree", "single": "by one person alone"}


class People(TextChoices):
    IGNORE = "ignore", "leave it out: the oracle's labels alone"
    OVERRIDE = "override", "put it in the place of the oracle's score"
    AVERAGE = "average", "take the mean of both"
    WEIGHT = "weight", "put it in the oracle's place, and let it count three times"


@dataclass(frozen=True)
class Correction:
    """One article's target for one filter, before people's word and after; `before` is None where no oracle labelled it."""

    how: How
    before: Scores | None
    after: Scores

    @property
    def moves(self) -> list[float]:
        """By how many points each score moved that the oracle had given."""
        pairs = zip(self.before or [], self.after, strict=False)
        return [abs(new - old) for old, new in pairs if old is not None and new is not None and new != old]


Corrections: TypeAlias = dict[int, Correction]


def blend(policy: str, oracle: Scores | None, said: Scores) -> Scores:
    """An article's target: `said` is gold."""
    before = oracle or [None] * len(said)
    return [_one(policy, old, new) for old, new in zip(before, said, strict=True)]


def _one(policy: str, old: float | None, new: float | None) -> float | None:
    if new is None or policy == People.IGNORE:
        return old
    return round((old + new) / 2, DECIMALS) if policy == People.AVERAGE and old is not None else new


def corrections(policy: str, family: Sequence[FilterVersion], labels: Mapping[int, Scores]) -> Corrections:
    """article → correction, of every article with gold. `family` is a filter's versions, newest first: its gold goes first."""
    if policy == People.IGNORE:
        return {}
    found: dict[int, Gold] = {}
    for version in family:
        found = {**gold(version), **found}
    return {pk: Correction(one.how, labels.get(pk), blend(policy, labels.get(pk), one.scores)) for pk, one in found.items()}


def counted(corrected: Sequence[Sequence[Correction | None]]) -> dict[str, Any]:
    """What the recipe keeps, from the corrections of each row: how many articles, by whose word, and how far scores moved."""
    touched = [[one for one in row if one] for row in corrected]
    each = [one for row in touched for one in row]
    hows, moves = Counter(one.how for one in each), [move for one in each for move in one.moves]
    return {
        "articles": sum(bool(row) for row in touched),
        **{how: hows[how] for how in HOWS},
        "alone": sum(one.before is None for one in each),
        "moved": len(moves),
        "by": round(sum(moves) / len(moves), DECIMALS) if moves else 0.0,
    }


def notes(policy: str, told: Mapping[str, Any], articles: int) -> Iterator[str]:
    """Sentences on a data set's page."""
    if policy == People.IGNORE:
        return
    if not told["articles"]:
        yield "People's word was asked for, and no article has any: the targets are the oracle's."
        return
    hows = [f"{told[how]:,} {words}" for how, words in HOWS.items() if told[how]]
    where = f"in {told['articles']:,} of {articles:,} articles: {', '.join(hows)}"
    done = {
        People.OVERRIDE: "People's word stands in the place of the oracle's",
        People.AVERAGE: "Targets are the mean of people's word and the oracle's",
        People.WEIGHT: f"People's word stands in the place of the oracle's and counts {WEIGHT:g} times in training",
    }
    moved = f"{told['moved']:,} scores moved, by {told['by']:.2f} points on average" if told["moved"] else "no score moved"
    yield f"{done[People(policy)]} {where}; {moved}. The oracle's labels stay."
    if alone := told["alone"]:
        yield f"{alone:,} of these {'target is' if alone == 1 else 'targets are'} people's alone: no oracle labelled the article."
