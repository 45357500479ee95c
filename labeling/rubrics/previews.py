"""The very words an oracle would be sent for one article under a draft, and about how many tokens they are."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings

from distillery_site.common.errors import DistilleryError
from labeling.current import latest_policy
from labeling.models import Article, Filter, FilterVersion, Oracle
from labeling.oracles import base, registry
from labeling.oracles.base import Question, Tokens
from labeling.oracles.prices import Prices
from labeling.planning import measuring
from labeling.prompting import prompts
from labeling.rubrics.draft_parts import Part, number, start_of
from labeling.rubrics.drafts import Draft
from labeling.rubrics.packages import VIEW_FIELDS
from labeling.running.engage import can_be_asked, engage

CHOICES = 20
DEFAULT_WORDS = 400
COUNT_SECONDS = 10.0
USUAL = "anthropic"  # whose price is shown where no key is set


@dataclass(frozen=True)
class Preview:
    """`question` is what would be sent; None while there is nothing to ask or nobody to ask it about."""

    article: Article | None
    choices: list[Article]
    prompt: prompts.Prompt | None = None
    question: Question | None = None

    @property
    def shared_tokens(self) -> int:
        """Of what is the same for every article."""
        return sum(map(prompts.estimate_tokens, (self.question.system, str(self.question.schema)))) if self.question else 0

    @property
    def article_tokens(self) -> int:
        return prompts.estimate_tokens(self.question.user) if self.question else 0

    @property
    def tokens(self) -> int:
        return self.shared_tokens + self.article_tokens


@dataclass(frozen=True)
class Thousand:
    """Roughly what 1,000 articles like the one shown cost, `output` tokens an answer assumed."""

    usd: Decimal
    model: str
    output: int


def preview(draft: Draft, filter_: Filter | None, article: str = "") -> Preview:
    """What a draft says already, as it would be sent; lines that can't be sent yet are left out."""
    choices = articles_to_try(filter_)
    chosen = _chosen(article, choices)
    dimensions = [_dimension(part) for part in draft.kept("dimension") if part.key]
    words = draft.boxes["prompt"].value.strip()
    if chosen is None or not (dimensions or words):
        return Preview(chosen, choices)
    rubric = prompts.Rubric(draft.boxes["slug"].value.strip(), dimensions, words)
    prompt, text = prompts.prompt_for([rubric]), chosen.rendered(_view(draft))
    return Preview(chosen, choices, prompt, prompt.question(key="preview", article_key="preview", text=text))


def articles_to_try(filter_: Filter | None) -> list[Article]:
    """The newest that passed the filter's prefilter, or the newest of all."""
    policy = latest_policy(filter_.latest if filter_ else None)
    newest = Article.objects.defer("text").order_by("-pk")
    passed = list(newest.passed(policy)[:CHOICES]) if policy else []
    return passed or list(newest[:CHOICES])


def _chosen(article: str, choices: list[Article]) -> Article | None:
    found = Article.objects.filter(pk=int(article[:18])).first() if article.isascii() and article.isdigit() else None
    if found is not None and found not in choices:
        choices.insert(0, found)
    return found or (choices[0] if choices else None)


def _view(draft: Draft) -> dict[str, Any]:
    words = number(draft.boxes["max_words"].value)
    fields = [name for name in draft.fields if name in VIEW_FIELDS]
    return {"fields": fields, "max_words": int(words) if words and words >= 1 else DEFAULT_WORDS}


def _dimension(part: Part) -> dict[str, Any]:
    told = {"key": part.key, "name": part.boxes["name"].value.strip(), "description": part.boxes["description"].value.strip()}
    anchors = {anchor.boxes["score"].value.strip(): anchor.boxes["text"].value.strip() for anchor in part.anchors}
    return {**told, "anchors": {score: text for score, text in anchors.items() if text and start_of(score) <= 10}}


def counters() -> list[str]:
    """Paid providers that can be asked: those may count exactly."""
    return [name for name, known in registry.PROVIDERS.items() if known.paid and can_be_asked(name)]


def thousand(shown: Preview) -> Thousand | None:
    """At the usual model of the first provider with a key; None where nobody knows its price."""
    if shown.prompt is None:
        return None
    name = next(iter(counters()), USUAL)
    model, most = registry.provider(name).default_model, registry.provider(name).defaults.get("max_tokens")
    try:
        prices = Prices.of(name, model, settings.ORACLE_PRICES)
    except DistilleryError:
        return None
    output = round(measuring.output_of(Oracle(), shown.prompt, thinks=True, most=most).each)
    return Thousand(1000 * prices.cost(Tokens(fresh=shown.tokens, output=output)), model, output)


def counted(shown: Preview, name: str) -> str:
    """What a provider says the question shown has of tokens, or why it doesn't, in a sentence."""
    if shown.question is None or name not in counters():
        return "There is nothing to count yet."
    known = registry.provider(name)
    oracle = Oracle(name=known.default_model, provider=name, model=known.default_model, params=known.defaults)
    try:
        found = async_to_sync(_count)(engage(oracle, FilterVersion(filter=Filter())), shown.question)
    except TimeoutError:
        return f"{name} did not answer within {COUNT_SECONDS:.0f} seconds."
    except DistilleryError as error:
        return str(error)
    return f"{known.default_model} counts {found:,} tokens." if found is not None else f"{name} has no such count."


async def _count(oracle: base.Oracle, question: Question) -> int | None:
    try:
        return await asyncio.wait_for(oracle.count_tokens(question), COUNT_SECONDS)
    finally:
        await oracle.aclose()
