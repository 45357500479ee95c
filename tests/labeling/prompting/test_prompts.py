"""What an oracle is asked: one rubric or several, in words and in a schema that every provider takes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic
import pytest
from google.genai import types

from labeling.demo import articles, recordings
from labeling.prompting.prompts import MAX_NULLS, MAX_REPEATED, Prompt, Rubric, estimate_tokens, prompt_for, read, repair
from labeling.rubrics.packages import load_package
from tests.labeling.world import TINY

GOODNESS = Rubric("goodness", TINY["dimensions"], TINY["prompt"])
COLOUR = Rubric(
    "colour",
    [
        {"key": key, "name": key, "description": f"how {key}", "anchors": {"0": "not", "3": "a little", "10": "very"}}
        for key in ("red", "good")
    ],
    "How red, how good?",
)
ALONE, JOINT = prompt_for([GOODNESS]), prompt_for([GOODNESS, COLOUR])


def wide(count: int) -> Prompt:
    dimensions = [{**TINY["dimensions"][0], "key": f"k{number}"} for number in range(count)]
    return prompt_for([Rubric("wide", dimensions, "How?")])


PROMPTS = {"alone": ALONE, "joint": JOINT, "wide": wide(40)}


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for part in schema.values():
            yield from objects(part)


def unions(schema: Any) -> int:
    if not isinstance(schema, dict):
        return 0
    return ("anyOf" in schema) + isinstance(schema.get("type"), list) + sum(map(unions, schema.values()))


def test_it_asks_for_evidence_and_reasoning_before_the_scores_of_every_dimension():
    assert ALONE.system.startswith("How good, how bad?\n\n- good: how good. 0 not; 9-10 very.\n- bad:")
    assert list(ALONE.schema["properties"]) == ["evidence", "reasoning", "scores"]
    assert ALONE.schema["properties"]["scores"]["required"] == ["good", "bad"]
    assert '{"evidence": ["…"], "reasoning": "…", "scores": {"good": …, "bad": …}}' in ALONE.system


def test_all_articles_of_a_run_share_everything_before_the_article():
    first, second = (ALONE.question(key=key, article_key=key, text=f"Article {key}.") for key in ("a", "b"))
    assert first.system == second.system == ALONE.system and first.schema == second.schema
    assert first.user == "<article>\nArticle a.\n</article>" and "Article a." not in first.system


def test_a_question_carries_what_it_is_asked_for():
    question = ALONE.question(key="k", article_key="desk:1", text="A & b", reading=2, room=1)
    assert (question.key, question.article_key, question.text, question.reading, question.room) == ("k", "desk:1", "A & b", 2, 1)


def test_several_rubrics_are_asked_in_one_prompt_with_a_section_each():
    goodness, colour = JOINT.system.index("# Rubric goodness\n\nHow good"), JOINT.system.index("# Rubric colour\n\nHow red")
    assert (
        goodness
        < JOINT.system.index("- bad: how bad")
        < colour
        < JOINT.system.index("- red: how red. 0 not; 3 a little; 10 very.")
    )
    parts = JOINT.schema["properties"]
    assert {slug: list(part["properties"]["scores"]["properties"]) for slug, part in parts.items()} == {
        "goodness": ["good", "bad"],
        "colour": ["red", "good"],
    }


@pytest.mark.parametrize("name", PROMPTS)
def test_every_object_of_a_schema_is_closed_and_wants_all_it_has(name: str):
    """What OpenAI's strict mode asks for, and Anthropic's structured output."""
    for part in objects(PROMPTS[name].schema):
        assert part["additionalProperties"] is False and part["required"] == list(part["properties"])


@pytest.mark.parametrize("name", PROMPTS)
def test_anthropics_own_rules_leave_a_schema_as_it_is(name: str):
    assert anthropic.transform_schema(PROMPTS[name].schema) == PROMPTS[name].schema
    assert unions(PROMPTS[name].schema) <= 16, "Anthropic refuses more"


@pytest.mark.parametrize("name", PROMPTS)
def test_gemini_takes_a_schema_and_keeps_its_order(name: str):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=PROMPTS[name].schema)
    assert json.dumps(config.response_json_schema) == json.dumps(PROMPTS[name].schema)


def test_a_prompt_with_many_dimensions_has_a_number_for_null():
    few, many = wide(MAX_NULLS), wide(MAX_NULLS + 1)
    assert unions(few.schema) == MAX_NULLS and "Give null only" in few.system
    assert unions(many.schema) == 0 and "Give -1 only" in many.system
    scores = {f"k{number}": 5 for number in range(MAX_NULLS + 1)} | {"k0": -1, "k1": None}
    (parsed,) = read(json.dumps({"evidence": [], "reasoning": "", "scores": scores}), many, "")
    assert parsed.scores[:3] == (None, None, 5.0)


def test_the_hash_names_the_words_the_schema_and_their_order():
    others = [replace(GOODNESS, prompt="How good?"), replace(GOODNESS, dimensions=TINY["dimensions"][::-1])]
    hashes = {ALONE.prompt_hash, JOINT.prompt_hash, prompt_for([COLOUR, GOODNESS]).prompt_hash}
    assert len(hashes | {prompt_for([other]).prompt_hash for other in others}) == 5
    assert prompt_for([Rubric("another_name", GOODNESS.dimensions, GOODNESS.prompt)]).prompt_hash == ALONE.prompt_hash


def test_weights_and_names_of_tiers_never_reach_the_oracle():
    for folder in recordings.FOLDER.iterdir():
        if (folder / "filter.yaml").is_file():
            package = load_package(folder)
            system = prompt_for([Rubric(package.slug, package.rubric["dimensions"], package.prompt)]).system
            assert "weight" not in system and all(key in system for key in package.keys)


def test_a_repair_shows_the_answer_and_what_is_wrong_with_it():
    question = ALONE.question(key="k", article_key="a", text="Text.")
    again = repair(question, ' {"scores": {}} ', "The answer lacks the score good, bad.")
    assert again.turns[0] == '{"scores": {}}' and "The answer lacks the score good, bad." in again.turns[1]
    assert replace(again, turns=()) == question and len(repair(again, "x", "y").turns) == 2


def test_a_repair_repeats_a_long_or_an_empty_answer_in_few_words():
    question = ALONE.question(key="k", article_key="a", text="Text.")
    answer, problem = repair(question, "x" * 100_000, "y" * 100_000).turns
    assert len(answer) == MAX_REPEATED + 1 and len(problem) < 3_000
    assert repair(question, " \n", "It is empty.").turns[0] == "(nothing)"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("word", 1),
        ("The harbour opened its third workshop.", 10),
        ("Пожар потушили за час.", 11),
        ("港口开放了。", 6),
        ("🎉", 3),
    ],
)
def test_tokens_are_estimated_by_script(text: str, tokens: int):
    assert estimate_tokens(text) == tokens


def test_an_estimate_is_a_little_above_what_real_vocabularies_count_on_real_news(wheel: Path):
    """cl100k, o200k, Claude 2's, DeepSeek's and MiniLM's count 38,608 to 39,795 on these."""
    texts = [" ".join(row["text"].split()[:400]) for row in articles.read(wheel) if row["text"].strip()][::40]
    assert 39_795 < sum(map(estimate_tokens, texts)) < 39_795 * 1.25
