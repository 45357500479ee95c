"""A labelling run that somebody wants, before it exists: which articles it would take, what it would cost, and its start.

The page and the command both fill one in, so that they plan and start alike.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from distillery_site.common.errors import BadInput
from distillery_site.common.text import canonical_hash
from labeling.current import latest_policy
from labeling.models import Filter, FilterVersion, LabelingRun, Oracle
from labeling.planning import pilots
from labeling.planning.measuring import known_articles, prompt_hash_of, prompt_of
from labeling.planning.plans import Plan, plan, refused
from labeling.services import keep_oracle, readings_subset, sample_articles, start_labeling

Kind, Mode = LabelingRun.Kind, LabelingRun.Mode


def newest(filter_: Filter) -> FilterVersion:
    version = filter_.latest
    if version is None:
        raise BadInput(f"{filter_} has no rubric yet; write one first.")
    return version


def read_params(words: Iterable[str]) -> dict[str, Any]:
    """Parameters as people type them, effort=medium or max_tokens=8000; whether they work is the oracle's to say."""
    pairs = {word: word.partition("=") for word in words}
    if wrong := [word for word, (name, _, value) in pairs.items() if not (name and value)]:
        raise BadInput(f"{wrong[0]!r} must look like NAME=VALUE.")
    return {name: _typed(value) for name, _, value in pairs.values()}


def _typed(value: str) -> Any:
    if value.isdecimal():
        return int(value)
    return float(value) if value.replace(".", "", 1).isdecimal() else value


@dataclass(frozen=True)
class Wanted:
    """`oracle` may be one that is not stored yet; `size` None takes all that passed."""

    version: FilterVersion
    oracle: Oracle
    also: tuple[FilterVersion, ...] = ()
    mode: str = Mode.DIRECT
    kind: str = Kind.FULL
    size: int | None = None
    seed: int = 0
    reading: int = 1

    @property
    def key(self) -> str:
        """Names the wish: a plan that was made for another one doesn't hold for it."""
        rubrics = [version.pk for version in (self.version, *self.also)]
        return canonical_hash([rubrics, self.oracle.identity, self.mode, self.kind, self.size, self.seed, self.reading])

    @cached_property
    def passed(self) -> list[int]:
        """All that may be drawn. Raises BadInput when there are none."""
        policy = latest_policy(self.version)
        if policy is None:
            raise BadInput(f"{self.version} has no policy, so nothing has passed its prefilter.")
        passed = sample_articles(policy=policy)
        return passed if self.reading == 1 else self._read_once(passed)

    def _read_once(self, passed: Sequence[int]) -> list[int]:
        """In the same words: an answer to another prompt would be no second reading."""
        versions = (self.version, *self.also)
        words = prompt_hash_of(self.oracle, prompt_of(versions))
        read = known_articles(versions, self.oracle, passed, prompt_hash=words, reading=1)
        if not read:
            raise BadInput(
                f"No article of {self.version} has been read by {self.oracle} with this prompt. A second reading takes the same "
                "filters, asked together in the same order."
            )
        return sorted(read)

    @cached_property
    def articles(self) -> list[int]:
        size = pilots.SIZE if self.size is None and self.kind == Kind.PILOT else self.size
        if size is None or size >= len(self.passed):
            return self.passed
        if size < 1:
            raise BadInput("How many articles must be 1 or more.")
        if self.reading > 1:
            return readings_subset(version=self.version, oracle=self.oracle, n=size, seed=self.seed, among=self.passed)
        return sorted(random.Random(self.seed).sample(self.passed, size))  # noqa: S311 (must be repeatable, not secret)

    @property
    def sampling(self) -> dict[str, Any]:
        how = "all" if len(self.articles) == len(self.passed) else "random"
        return {"how": how, "size": len(self.articles), "pool": len(self.passed), "seed": self.seed}

    def plan(self) -> Plan:
        try:
            articles: Sequence[int] = self.articles
        except BadInput as error:
            return refused(self.version, self.oracle, error.problems)
        return plan(
            version=self.version, oracle=self.oracle, articles=articles, also=self.also, reading=self.reading, mode=self.mode
        )

    def start(self, *, planned: dict[str, Any], budget_usd: Decimal | None, agreed: bool, actor: Any = None) -> LabelingRun:
        """The queued run; raises BadInput with a sentence. The door sends its tasks."""
        each = len(self.passed) / len(self.articles)
        return start_labeling(
            version=self.version,
            oracle=keep_oracle(self.oracle),
            articles=self.articles,
            also=self.also,
            reading=self.reading,
            mode=self.mode,
            kind=self.kind,
            budget_usd=budget_usd,
            sampling=self.sampling,
            weights=dict.fromkeys(self.articles, each),
            plan=planned,
            agreed=agreed,
            actor=actor,
        )
