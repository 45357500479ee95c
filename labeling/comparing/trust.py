"""What the agreement page shows: one source of labels against itself and against all others of its rubric."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from labeling.comparing import charts
from labeling.comparing.agreement import Again, Against, Between, Repeat, between_of, repeat_of
from labeling.comparing.disagreements import Disagreement, between_oracles, between_readings
from labeling.comparing.readings import Source, sources
from labeling.models import FilterVersion, LabelingRun
from labeling.oracles import registry

SHOWN = 5
SUBSET = 100
RECORDED = "recorded"


@dataclass(frozen=True)
class Line:
    """One row of the picture: a dimension, its repeat error where it is known, and each other source by name."""

    name: str
    again: Again | None
    others: list[tuple[str, Against]]
    who: str

    @property
    def sentence(self) -> str:
        """The picture for people who hear the page."""
        said = []
        if self.again:
            mae = self.again.mae
            said.append(f"asked again, {self.who} differs from itself by {mae.value:.2f} ({mae.low:.2f} to {mae.high:.2f})")
        for name, one in self.others:
            word = "less" if one.bias.value < 0 else "more"
            said.append(f"{name} gives {abs(one.bias.value):.2f} {word} and differs by {one.mae.value:.2f} on average")
        return f"{self.name}: {'; '.join(said) or 'nothing to compare yet'}."


@dataclass(frozen=True)
class Trust:
    """Each part is worked out once, when it is asked for."""

    version: FilterVersion
    source: Source
    there: Sequence[Source]

    @cached_property
    def repeat(self) -> Repeat | None:
        return repeat_of(self.source)

    @cached_property
    def between(self) -> list[Between]:
        found = (between_of(self.source, other) for other in self.there if other is not self.source)
        return [one for one in found if one]

    @property
    def strangers(self) -> list[Source]:
        """Sources that share no article with this one."""
        met = {one.other for one in self.between}
        return [other for other in self.there if other is not self.source and other not in met]

    @cached_property
    def lines(self) -> list[Line]:
        again = self.repeat.dimensions if self.repeat else [None] * len(self.version.dimensions)
        return [
            Line(
                dimension["name"],
                again[place],
                [(one.other.name, one.dimensions[place]) for one in self.between],
                self.source.name,
            )
            for place, dimension in enumerate(self.version.dimensions)
        ]

    @cached_property
    def reach(self) -> float:
        again = self.repeat.dimensions if self.repeat else ()
        return charts.reach_of(again, [dimension for one in self.between for dimension in one.dimensions])

    @property
    def sentences(self) -> list[str]:
        said = [self.repeat.sentence] if self.repeat else []
        return [*said, *(one.sentence + self._times(one) for one in self.between)]

    def _times(self, one: Between) -> str:
        """How the distance of two oracles compares with the distance of one from itself."""
        own = self.repeat.mae.value if self.repeat else 0.0
        return f" That is {one.mae.value / own:.1f} times the repeat error." if own else ""

    @cached_property
    def contradictions(self) -> list[Disagreement]:
        return between_readings(self.source, SHOWN)

    @cached_property
    def quarrels(self) -> list[tuple[Between, list[Disagreement]]]:
        return [(one, between_oracles(self.source, one.other, SHOWN)) for one in self.between]

    @cached_property
    def run(self) -> LabelingRun | None:
        """The newest run that asked this oracle in these words: it shows how to ask again."""
        labels = self.source.found.filter(run__isnull=False).order_by("-pk")
        label = labels.select_related("run").first()
        return label.run if label else None

    @property
    def can_be_asked(self) -> bool:
        """Recordings hold two readings, and a file's oracle was asked elsewhere."""
        provider = self.source.oracle.provider
        return self.run is not None and provider in registry.PROVIDERS and (provider != RECORDED or self.next_reading == 2)

    @property
    def command(self) -> str:
        """What asks this oracle again in the same words: the same rubrics in the same order."""
        assert self.run is not None
        oracle, (first, *also) = self.source.oracle, self.run.versions
        usual = registry.provider(oracle.provider)
        words = ["python", "manage.py", "label", named(first)]
        words += [word for one in also for word in ("--also", named(one))]
        words += ["--provider", oracle.provider] + (["--model", oracle.model] if oracle.model != usual.default_model else [])
        own = {name: value for name, value in oracle.params.items() if usual.defaults.get(name) != value}
        words += [word for name, value in own.items() for word in ("--param", f"{name}={value}")]
        words += ["--readings", str(max(2, self.next_reading)), "--subset", str(self.read_again or SUBSET)]
        return shlex.join([*words, *(["--budget", "5"] if usual.paid else [])])

    @property
    def next_reading(self) -> int:
        return self.source.readings + 1

    @property
    def read_once(self) -> int:
        return self.source.found.first_readings().count()

    @property
    def read_again(self) -> int:
        return self.repeat.articles if self.repeat else 0


def named(version: FilterVersion) -> str:
    return f"{version.filter.slug}@{version.number}"


def trust_in(version: FilterVersion, oracle: str = "", prompt: str | None = None) -> Trust | None:
    """What is known of the source that an address names, or of the one with most labels; None where there are no labels."""
    there = sources(version)
    named = [one for one in there if str(one.oracle.pk) == oracle and prompt in (None, one.prompt_hash)]
    chosen = next(iter([*named, *there]), None)
    return Trust(version, chosen, there) if chosen else None
