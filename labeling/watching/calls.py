"""One request to an oracle as it can be told afterwards: what was sent, what came back, and what was tried before it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from labeling.models import OracleCall, OracleLabel
from labeling.oracles.base import Question
from labeling.prompting.prompts import Prompt, prompt_for, repair
from labeling.running.outcomes import UNPROMPTED, rubric_of


@dataclass(frozen=True)
class Sent:
    """The words that went out, put together again from what they were made of; `doubts` say where that may fail."""

    system: str
    user: str
    schema: str
    turns: tuple[str, ...]
    doubts: tuple[str, ...]


def sent(call: OracleCall) -> Sent | None:
    """None where nothing is sent: recordings are replayed. The article's text of that day is not kept, only its hash."""
    run, article = call.run, call.item.article
    if run.oracle.provider in UNPROMPTED:
        return None
    prompt = prompt_for([rubric_of(version) for version in run.versions])
    text = article.rendered(run.version.view)
    question = prompt.question(key=call.key, article_key="", text=text, reading=run.reading, room=call.room)
    question = _mended(call, question)
    schema = json.dumps(question.schema, indent=2, ensure_ascii=False)
    return Sent(question.system, question.user, schema, question.turns, tuple(_doubts(call, prompt)))


def _mended(call: OracleCall, question: Question) -> Question:
    """A repair also shows the answer that was wrong, and why."""
    if not call.repair:
        return question
    before = call.item.calls.filter(pk__lt=call.pk, error_class="invalid").order_by("-pk").first()
    return repair(question, before.raw_answer, before.error) if before else question


def _doubts(call: OracleCall, prompt: Prompt) -> Iterator[str]:
    if call.text_sha256 != call.item.article.text_sha256:
        yield "The article was edited since: what is shown below is its text of today, not the one that was sent."
    if call.prompt_hash and call.prompt_hash != prompt.prompt_hash:
        yield "The frame around rubric and article has other words since an update: the rubric is as it was, the frame of today."


def attempts(call: OracleCall) -> list[OracleCall]:
    """Every call about the same article in the same run, in order."""
    return list(call.item.calls.order_by("pk"))


def read_from(call: OracleCall) -> list[tuple[OracleLabel, list[tuple[dict, float | None]]]]:
    """The labels that its answer gave, each with its dimensions and their scores, in the order the rubrics were asked."""
    labels = call.labels.select_related("version__filter").order_by("pk")
    return [(label, list(zip(label.version.dimensions, label.scores, strict=True))) for label in labels]


def raw_answer(call: OracleCall) -> str:
    """What came back, unread; that of a good answer is kept with its labels."""
    label = call.labels.first()
    return call.raw_answer or (label.raw_answer if label else "")
