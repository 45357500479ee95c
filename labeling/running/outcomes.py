"""From a run's articles to questions, and from what came back to outcomes: what is labelled, what is asked again and how.

The same for answers that just arrived, for a dead worker's spool and for the results of a batch: all that is needed is in
the rows of the call and its article.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from labeling.models import Article, FilterVersion, LabelingItem, LabelingRun, OracleCall, OracleLabel
from labeling.oracles import base
from labeling.oracles.base import Oracle, OracleError, Question, Reply, next_step, usd
from labeling.prompting.prompts import Parsed, Rubric, prompt_for, read, repair, suspicions
from labeling.running.settling import Call, Item, Outcome

UNPROMPTED = frozenset({"recorded", "external"})  # their judgements were asked for elsewhere, in words we don't know
LOADED = ("key", "item_id", "text_sha256", "item__attempts", "item__room", "item__repair")
READ = tuple(f"item__article__{name}" for name in ("title", "published", "text", "source", "url"))


@dataclass(frozen=True)
class Ask:
    """One call about one article, and where the article stands; `text` is what the oracle reads of it."""

    key: str
    item_id: int
    text: str
    text_sha256: str
    attempts: int
    room: int
    repair: bool
    question: Question | None = None
    call: OracleCall | None = None


class Answers:
    def __init__(self, run: LabelingRun):
        self.run, self.versions, self.view = run, run.versions, run.version.view
        self.prompt = prompt_for([rubric_of(version) for version in self.versions])
        self.prompt_hash = "" if run.oracle.provider in UNPROMPTED else self.prompt.prompt_hash

    def stored(self, items: Sequence[LabelingItem]) -> set[int]:
        """Those whose every label is there already, asked in the same words of the same oracle."""
        hashes = {item.pk: self._hashes(item.article.text_sha256) for item in items}
        wanted = [one for found in hashes.values() for one in found]
        articles = [item.article_id for item in items]
        labels = OracleLabel.objects.filter(version__in=self.versions, article__in=articles, request_hash__in=wanted)
        known = set(labels.values_list("request_hash", flat=True))
        return {pk for pk, found in hashes.items() if known.issuperset(found)}

    def asks(self, items: Sequence[LabelingItem], oracle: Oracle, *, batch: bool = False) -> list[Ask]:
        """A question for each, with a call to be written down before it leaves."""
        raw = self._last_answers([item.pk for item in items if item.repair])
        return [self._ask(item, raw.get(item.pk), oracle, batch) for item in items]

    def _ask(self, item: LabelingItem, last: tuple[str, str] | None, oracle: Oracle, batch: bool) -> Ask:
        article, key = item.article, uuid.uuid4().hex
        name, text = f"{article.source}:{article.external_id}", article.rendered(self.view)
        question = self.prompt.question(key=key, article_key=name, text=text, reading=self.run.reading, room=item.room)
        if last is not None:
            question = repair(question, *last)
        call = OracleCall(
            key=key,
            run=self.run,
            item=item,
            repair=last is not None,
            room=item.room,
            text_sha256=article.text_sha256,
            flags=[f"the article {finding}" for finding in suspicions(text)] if self.prompt_hash else [],
            prompt_hash=self.prompt_hash,
            request_hash=self._hashes(article.text_sha256)[0],
            reserved_usd=usd(oracle.worst_cost(question, batch=batch)),
        )
        return Ask(key, item.pk, text, article.text_sha256, item.attempts, item.room, item.repair, question, call)

    def _last_answers(self, items: Collection[int]) -> dict[int, tuple[str, str]]:
        """item → (what it answered, what was wrong with it)."""
        calls = OracleCall.objects.filter(item__in=items, error_class="invalid").order_by("pk")
        return {item: (raw, error) for item, raw, error in calls.values_list("item", "raw_answer", "error")}

    def load(self, keys: Collection[str]) -> dict[str, Ask]:
        """Calls of this run as they were asked, from their rows."""
        rows = self.run.calls.filter(key__in=list(keys)).values_list(*LOADED, *READ)
        return {row[0]: self._loaded(*row) for row in rows.iterator()}

    def _loaded(
        self, key: str, item: int, text_sha256: str, attempts: int, room: int, mending: bool, *read_of_article: Any
    ) -> Ask:
        title, published, text, source, url = read_of_article
        article = Article(title=title, published=published, text=text, source=source, url=url)
        return Ask(key, item, article.rendered(self.view), text_sha256, attempts, room, mending)

    def outcome(self, ask: Ask, answer: Reply | OracleError) -> Outcome:
        if isinstance(answer, OracleError):
            return self._failed(ask, answer)
        cost, sdk = usd(answer.cost_usd), answer.sdk
        billed = Outcome(ask.key, Call.ANSWERED, cost, answer.tokens, answer.request_id, answer.model, sdk, answer.seconds)
        try:
            parsed = read(answer.text, self.prompt, ask.text)
        except OracleError as error:
            return self._unread(ask, billed, error)
        billed.item = {"state": Item.LABELLED, "attempts": ask.attempts, "room": ask.room}
        billed.labels = self._labels(ask, answer, parsed, cost)
        return billed

    def _failed(self, ask: Ask, error: OracleError) -> Outcome:
        state = Call.LOST if error.lost else Call.FAILED
        outcome = Outcome(ask.key, state, usd(error.cost_usd), error.tokens, error.request_id, error.model)
        return self._unread(ask, outcome, error)

    def _unread(self, ask: Ask, outcome: Outcome, error: OracleError) -> Outcome:
        outcome.error_class, outcome.error, outcome.raw = error.label, str(error), error.raw
        outcome.item = self._next(ask, error)
        return outcome

    def _next(self, ask: Ask, error: OracleError) -> dict[str, Any]:
        """The article's row after a call that brought no label."""
        if error.kind == "absent":
            return {"state": Item.ABSENT}
        as_it_was = {"attempts": ask.attempts, "room": ask.room, "repair": ask.repair}
        if error.pauses_run:
            return as_it_was
        if error.kind == "network" and not error.lost:  # it never left: no article's fault, however often
            return {**as_it_was, "not_before": timezone.now() + timedelta(seconds=2 * base.BACKOFF_SECONDS)}
        attempts = ask.attempts + 1
        step = next_step(error, attempts=attempts, room=ask.room, repair=ask.repair)
        if step.wait is None:
            return {**as_it_was, "state": Item.FAILED, "attempts": attempts, "error_class": error.label, "error": str(error)}
        due = timezone.now() + timedelta(seconds=step.wait) if step.wait else None
        return {"attempts": attempts, "room": step.room, "repair": step.repair, "not_before": due}

    def _labels(self, ask: Ask, answer: Reply, parsed: Iterable[Parsed], cost: Decimal) -> list[dict[str, Any]]:
        common = ["repaired"] if ask.repair else []
        share, raw = str(usd(cost / len(self.versions))), answer.text.replace("\x00", "")
        return [
            {
                "version_id": version.pk,
                "scores": list(one.scores),
                "reasoning": one.reasoning,
                "evidence": [{"quote": quote.quote, "found": quote.found} for quote in one.evidence],
                "raw_answer": raw,
                "flags": [*one.flags, *common],
                "rubric_hash": version.rubric_hash,
                "request_hash": request_hash,
                "cost_usd": share,
            }
            for version, one, request_hash in zip(self.versions, parsed, self._hashes(ask.text_sha256), strict=True)
        ]

    def _hashes(self, text_sha256: str) -> list[str]:
        oracle, reading = self.run.oracle, self.run.reading
        return [OracleLabel.request_hash_of(text_sha256, version, self.prompt_hash, oracle, reading) for version in self.versions]


def rubric_of(version: FilterVersion) -> Rubric:
    return Rubric(version.filter.slug, version.dimensions, version.prompt)
