"""A lead settles what people could not agree on: the decision is gold, and may stand as a case in the guidelines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db import transaction

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from labeling.models import Article, Decision, FilterVersion, ReviewTask
from labeling.reviewing.answers import checked_comment, checked_scores
from labeling.reviewing.gold import Voice, decided, gaps, in_hiding, middle, threshold, voices

Score: TypeAlias = float | None


@dataclass(frozen=True)
class Line:
    """One dimension on the page where a lead decides; `start` is what its field begins with, empty where people are apart."""

    dimension: dict[str, Any]
    said: list[Score]
    gap: Score
    apart: bool
    start: Score


@dataclass(frozen=True)
class Bench:
    """All that a lead looks at before deciding on an article; `voices` are A, B, … in an order that gives no one away."""

    version: FilterVersion
    article: Article
    voices: list[Voice]
    lines: list[Line]
    decision: Decision | None

    @property
    def letters(self) -> list[tuple[str, Voice, list[tuple[str, str]]]]:
        """Each voice under its letter, with the passages it named: (dimension, quote)."""
        names = {dimension["key"]: dimension["name"] for dimension in self.version.dimensions}
        return [
            (chr(ord("A") + place), voice, [(names.get(one["dimension"], ""), one["quote"]) for one in voice.evidence])
            for place, voice in enumerate(self.voices)
        ]

    def heard(self, person: Any) -> bool:
        """Whether this person is one of the voices."""
        return any(voice.reviewer == person.pk for voice in self.voices)


def bench(version: FilterVersion, article: Article) -> Bench:
    said = in_hiding(article.pk, voices(version, [article.pk]).get(article.pk, []))
    decision = decided(version).filter(article=article).select_related("lead").first()
    return Bench(version, article, said, list(_lines(version, said, decision)), decision)


def _lines(version: FilterVersion, said: list[Voice], decision: Decision | None) -> Iterator[Line]:
    nothing: list[Score] = [None] * len(version.keys)
    limit, apart, means = threshold(version), gaps(said) or nothing, middle(said) or nothing
    for place, dimension in enumerate(version.dimensions):
        gap = apart[place]
        wide = gap is not None and gap > limit
        start = decision.scores[place] if decision else None if wide else _to_half(means[place])
        yield Line(dimension, [voice.scores[place] for voice in said], gap, wide, start)


def _to_half(score: Score) -> Score:
    return None if score is None else round(2 * score) / 2


@transaction.atomic
def decide(
    *,
    version: FilterVersion,
    article: Article,
    lead: Any,
    scores: Sequence[float | None],
    why: str = "",
    guideline: bool = False,
    seen: Decision | None = None,
    text_sha256: str = "",
) -> Decision:
    """A new decision; those before it stay. Raises BadInput where what the lead looked at is no longer how things are.

    `seen` is the decision that stood when the lead looked, `text_sha256` that of the text that was read ("" for any).
    """
    row = Article.objects.select_for_update(no_key=True).get(pk=article.pk)
    before = decided(version).filter(article=row).select_related("lead").first()
    _check(row, before, why, guideline, seen, text_sha256)
    made = Decision.objects.create(
        version=version,
        article=row,
        task=ReviewTask.objects.filter(version=version, article=row, reviews__isnull=False).order_by("-pk").first(),
        lead=lead,
        scores=checked_scores(version, scores),
        why=checked_comment(why),
        guideline=guideline,
        text_sha256=row.text_sha256,
    )
    record(lead, "gold decided", made, before=_told(before) if before else None, after=_told(made))
    return made


def _check(row: Article, before: Decision | None, why: str, guideline: bool, seen: Decision | None, text_sha256: str) -> None:
    if text_sha256 not in ("", row.text_sha256):
        raise BadInput("The article's text changed while you looked at it. Read it again; what you typed is still here.")
    if before is not None and before != seen:
        raise BadInput(
            f"{before.lead} decided on this article meanwhile. Look at that decision; what you typed is still here, "
            "and deciding again replaces it."
        )
    if guideline and not why.strip():
        raise BadInput("A case in the guidelines teaches by its reason: say why.")


def _told(decision: Decision) -> dict[str, Any]:
    return {
        "version": str(decision.version),
        "article": decision.article_id,
        "scores": decision.scores,
        "why": decision.why,
        "guideline": decision.guideline,
    }
