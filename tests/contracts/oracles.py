"""How the contract tests make oracles and ask them."""

import asyncio
import dataclasses
from typing import Any

from labeling.oracles import registry
from labeling.oracles.base import Oracle, Question
from labeling.prompting.prompts import Rubric, prompt_for
from tests import coroutines
from tests.fakes.vendor import KEY, FakeVendor

KEYS = ("good", "bad")
DIMENSIONS = [{"key": key, "name": key, "description": f"how {key}", "anchors": {"0": "not", "10": "very"}} for key in KEYS]
PROMPT = prompt_for([Rubric("goodness", DIMENSIONS, "How good, how bad?")])
PAID = tuple(name for name, provider in registry.PROVIDERS.items() if provider.paid)
PATHS = {"openai": "/v1"}  # what belongs to the address
LEAST = 1_000  # tokens of an answer


def question(number: int = 1, **changes: Any) -> Question:
    text = " ".join(f"word{number}x{place}" for place in range(70))
    asked = PROMPT.question(key=f"key-{number}", article_key=f"desk:{number}", text=text)
    return dataclasses.replace(asked, **changes)


def make(name: str, server: FakeVendor, model: str = "", params: dict[str, Any] | None = None, **changes: Any) -> Oracle:
    known = registry.provider(name)
    needs = {"api_key": KEY, "base_url": server.url + PATHS.get(name, ""), "prices": [], **changes}
    given = {**known.defaults, "max_tokens": LEAST, **(params or {})}
    return registry.make(name, model or known.default_model, given, **needs)


def ask(oracle: Oracle, *questions: Question) -> Any:
    """The reply, or the error as it was raised, of each; the oracle is closed afterwards."""
    answers = run(oracle, *(oracle.ask(each) for each in questions))
    return answers[0] if len(answers) == 1 else answers


def run(oracle: Oracle, *calls: Any) -> list[Any]:
    async def all_of_them() -> list[Any]:
        try:
            return await asyncio.gather(*calls, return_exceptions=True)
        finally:
            await oracle.aclose()

    return coroutines.run(all_of_them())


def call(oracle: Oracle, method: str, *args: Any) -> Any:
    """What one of its other calls brings, or the error; the oracle is closed afterwards."""
    return run(oracle, getattr(oracle, method)(*args))[0]
