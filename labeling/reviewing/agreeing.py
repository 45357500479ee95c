"""What the agreement page shows of people: beside each other, beside the oracle, and with its scores in sight."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from labeling.comparing.agreement import Row, named
from labeling.comparing.readings import Source
from labeling.models import FilterVersion
from labeling.reviewing.people import FEW, Anchoring, Beside, Given, People, anchoring, given, people, sample

DRAWN, ALL = "drawn", "all"


@dataclass(frozen=True)
class Together:
    """`part` is drawn or all: the reviewed articles that a random sample holds, or whatever was reviewed."""

    version: FilterVersion
    source: Source | None
    rows: Sequence[Given]
    everybody: People
    drawn: People
    part: str

    @property
    def shown(self) -> People:
        return self.drawn if self.part == DRAWN else self.everybody

    @cached_property
    def alike(self) -> list[Row]:
        """People beside people; nothing where no article was scored by two."""
        return named(self.version, self.shown.alike()) if self.shown.together else []

    @cached_property
    def beside(self) -> Beside | None:
        return self.shown.beside(self.source.scores()) if self.source else None

    @property
    def oracle(self) -> list[Row]:
        return named(self.version, self.beside.figures, self.beside.shift) if self.beside else []

    @cached_property
    def meter(self) -> Anchoring | None:
        return anchoring(self.version, self.rows, self.source)

    @property
    def few(self) -> bool:
        return len(self.shown.articles) < FEW


def together(version: FilterVersion, source: Source | None, part: str = "") -> Together:
    """The random sample unless an address asks for all, or there is none."""
    rows = given(version)
    everybody = people(version, rows)
    labelled = source.scores().keys() if source else everybody.articles
    drawn = everybody.among(sample(version, list(labelled)))
    return Together(version, source, rows, everybody, drawn, ALL if part == ALL or not drawn.articles else DRAWN)
