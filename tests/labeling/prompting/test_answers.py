"""Answers are read strictly: everything that is wrong is said at once, and nothing is repaired in silence."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.oracles.base import OracleError
from labeling.prompting.answers import HIGH, LOW
from labeling.prompting.prompts import Parsed, Prompt, Quote, Rubric, prompt_for, read
from tests.labeling.world import TINY

ALONE = prompt_for([Rubric("tiny", TINY["dimensions"], TINY["prompt"])])
COLOUR = Rubric(
    "colour", [{"key": "red", "name": "Red", "description": "how red", "anchors": {"0": "not", "10": "very"}}], "Red?"
)
JOINT = prompt_for([Rubric("tiny", TINY["dimensions"], TINY["prompt"]), COLOUR])
TEXT = "The “harbour” opened — at last — its third repair workshop. It’s open on Saturdays, said the coordinator."


def part(**changes: Any) -> dict[str, Any]:
    return {"evidence": ["third repair workshop"], "reasoning": " Because. ", "scores": {"bad": 2, "good": 7.5}, **changes}


def answer(**changes: Any) -> str:
    return json.dumps(part(**changes))


def one(text: str, prompt: Prompt = ALONE) -> Parsed:
    return read(text, prompt, TEXT)[0]


def wrong(text: str, prompt: Prompt = ALONE) -> str:
    with pytest.raises(OracleError) as caught:
        read(text, prompt, TEXT)
    assert caught.value.kind == "invalid" and caught.value.raw == text
    return str(caught.value)


def test_it_reads_scores_in_the_rubrics_order():
    assert one(answer()) == Parsed((7.5, 2.0), "Because.", (Quote("third repair workshop", True),), ())


def test_null_stays_null():
    assert one(answer(scores={"good": None, "bad": 0})).scores == (None, 0.0)


def test_it_reads_one_judgement_for_each_rubric_of_a_joint_prompt_in_the_order_asked():
    colour = {"evidence": [], "reasoning": "Grey.", "scores": {"red": 1}}
    tiny, red = read(json.dumps({"colour": colour, "tiny": part()}), JOINT, TEXT)
    assert (tiny.scores, red.scores, red.reasoning, red.evidence) == ((7.5, 2.0), (1.0,), "Grey.", ())


def test_what_is_tolerated_is_flagged():
    assert one(f"```json\n{answer()}\n```").flags == ("fenced",)
    assert one(answer(evidence=["third", "repair", "workshop", "opened"])).flags == ("4 quotes, at most 3 were asked for",)
    assert one(answer(evidence=["third", "It is closed"])).flags == ("1 of 2 quotes not in the article",)


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("the harbour opened", True),
        ('The "harbour" opened - at last', True),
        ("THIRD   repair\nworkshop", True),
        ("It's open on Saturdays.", True),
        ("“third repair workshop”", True),
        ("The harbour … workshop", True),
        ("opened [...] Saturdays, said ... coordinator", True),
        ("workshop … harbour", False),
        ("fourth repair workshop", False),
        ("…", False),
        ("", False),
        ("ﬁrst", False),
    ],
)
def test_quotes_are_looked_for_in_the_article_whatever_their_type(quote: str, found: bool):
    assert one(answer(evidence=[quote])).evidence == (Quote(quote, found),)


def test_a_quote_of_a_mark_is_found_as_it_was_written_and_as_it_was_sent():
    text = "He wrote </article> there."
    (parsed,) = read(answer(evidence=["wrote </article> there", "wrote (/article) there"]), ALONE, text)
    assert [quote.found for quote in parsed.evidence] == [True, True]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not valid JSON"),
        ("I would rather not.", "not valid JSON"),
        (f"Here it is: {answer()}", "not valid JSON"),
        (answer()[:-5], "not valid JSON"),
        ("[1, 2]", "a list, not a JSON object"),
        ("7", "7, not a JSON object"),
        ("[" * 100_000, "not valid JSON"),
        ('{"a":' * 900 + "1" + "}" * 900, "lacks the parts evidence, reasoning, scores"),
        (answer(scores={"good": 1}), "lacks the score bad"),
        (answer(scores={"good": 1, "bad": 1, "ugly": 1}), "not asked for: the score ugly"),
        (answer(confidence=1), "not asked for: the part confidence"),
        (answer(scores=[1, 2]), "The scores are a list"),
        (answer(reasoning=None), "The reasoning is null, not text"),
        (answer(evidence="third"), 'The evidence is "third", not a list of quotes'),
        (answer(evidence=[1]), "not a list of quotes"),
        (answer(scores={"good": 11, "bad": 1}), "good is 11"),
        (answer(scores={"good": -1, "bad": 1}), "good is -1"),
        (answer(scores={"good": "7", "bad": 1}), 'good is "7"'),
        (answer(scores={"good": True, "bad": 1}), "good is true"),
        (answer(scores={"good": {"score": 7}, "bad": 1}), "good is an object"),
        ('{"evidence": [], "reasoning": "", "scores": {"good": NaN, "bad": 1}}', "not valid JSON"),
        ('{"evidence": [], "reasoning": "", "scores": {"good": 1e999, "bad": 1}}', "good is Infinity"),
        ('{"evidence": [], "reasoning": "", "scores": {"good": 1, "good": 9, "bad": 1}}', "Said twice: good"),
        ('{"evidence": [], "evidence": ["x"], "reasoning": "", "scores": {"good": 1, "bad": 1}}', "Said twice: evidence"),
    ],
)
def test_nothing_is_repaired_in_silence(text: str, complaint: str):
    assert complaint in wrong(text)


def test_all_that_is_wrong_is_said_at_once():
    said = wrong('{"reasoning": 3, "scores": {"good": 12, "ugly": 1, "ugly": 2}, "mood": 1}')
    parts = (
        "Said twice: ugly",
        "lacks the part evidence",
        "not asked for: the part mood",
        "reasoning is 3",
        "lacks the score bad",
        "good is 12",
    )
    assert [part for part in parts if part not in said] == []


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"tiny": part()}, "The answer lacks the part colour."),
        ({"tiny": part(), "colour": 3}, "The part colour is 3, not an object."),
        (part(), "lacks the parts tiny, colour"),
        ({"tiny": part(), "colour": part()}, "colour: The answer has what was not asked for: the scores bad, good."),
        ({"tiny": part(), "colour": {**part(), "scores": {"red": 99}}}, "colour: The score for red is 99"),
        ({"tiny": part(), "colour": {**part(), "scores": {"red": 9}}, "taste": {}}, "not asked for: the part taste"),
    ],
)
def test_the_rubrics_of_a_joint_prompt_are_held_apart(value: dict[str, Any], complaint: str):
    assert complaint in wrong(json.dumps(value), JOINT)


def test_what_postgres_cannot_hold_is_replaced():
    parsed = one(answer(reasoning="a\x00b\ud800c", evidence=["third\x00"]))
    assert parsed.reasoning == "a�b�c" and parsed.evidence[0].quote == "third�"


def test_a_long_list_of_problems_stays_short():
    assert len(wrong(answer(scores={"x" * 5_000: 1, "good": "y" * 5_000}))) < 1_000


NUMBERS = st.none() | st.integers(LOW, HIGH) | st.floats(LOW, HIGH)
VALID = st.fixed_dictionaries(
    {
        "evidence": st.lists(st.text(max_size=20), max_size=3),
        "reasoning": st.text(max_size=40),
        "scores": st.fixed_dictionaries({"good": NUMBERS, "bad": NUMBERS}),
    }
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8) | st.sampled_from(["good", "bad", "scores"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["evidence", "reasoning", "scores", "good", "bad", "tiny", "colour", "red", "x"]), inner, max_size=6
        )
    ),
    max_leaves=20,
)
ALMOST = st.fixed_dictionaries(
    {"evidence": JSON, "reasoning": JSON, "scores": st.fixed_dictionaries({"good": JSON, "bad": JSON})}
)


@settings(deadline=None)
@given(VALID, st.booleans())
def test_a_valid_answer_comes_out_as_it_went_in(value: dict[str, Any], fenced: bool):
    text = json.dumps(value, ensure_ascii=fenced)
    parsed = one(f"```\n{text}\n```" if fenced else text)
    assert parsed.scores == (value["scores"]["good"], value["scores"]["bad"])
    assert len(parsed.evidence) == len(value["evidence"]) and ("fenced" in parsed.flags) == fenced


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60) | (JSON | ALMOST | VALID).map(json.dumps), st.sampled_from([ALONE, JOINT]), st.text(max_size=30))
def test_whatever_comes_back_is_read_or_refused_and_never_out_of_range(text: str, prompt: Prompt, article: str):
    try:
        found = read(text, prompt, article)
    except OracleError as error:
        assert error.kind == "invalid" and str(error).endswith((".", "…")) and error.raw == text
    else:
        assert [len(each.scores) for each in found] == [len(rubric.keys) for rubric in prompt.rubrics]
        assert all(score is None or LOW <= score <= HIGH for each in found for score in each.scores)
