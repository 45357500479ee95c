"""`manage.py agreement`: the page's figures in a terminal."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling.models import FilterVersion, Oracle, ReviewTask
from tests.labeling import world
from tests.labeling.comparing import judges


def typed(*words: str) -> str:
    out = io.StringIO()
    call_command("agreement", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def claude(version: FilterVersion) -> Oracle:
    claude, stories = judges.oracle(), world.articles(5)
    judges.says(claude, version, [(story, (5, 1)) for story in stories])
    judges.says(claude, version, [(story, (6, 1)) for story in stories[:3]], reading=2)
    judges.says(judges.oracle("Gemini"), version, [(story, (3, None)) for story in stories])
    return claude


def test_it_says_what_the_page_says(claude: Oracle):
    said = typed("tiny")
    assert said.startswith("Asked twice, Claude differs from itself by 0.50 points on average (0.50 to 0.50)")
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[1] == "Good 1.00 (1.00 to 1.00) ICC 0.00 n 3" and lines[3].startswith("Gemini is 2.00 stricter on Good")
    assert lines[5] == "Bad – apart – Spearman – n 0"
    assert lines[4] == "Good -2.00 (-2.00 to -2.00) apart 2.00 Spearman – n 5"


def test_as_json_it_has_every_figure_and_no_nan(claude: Oracle):
    told: Any = json.loads(typed("tiny@1", "--oracle", "Claude", "--json"), parse_constant=pytest.fail)
    good, bad = told["repeat"]["dimensions"]
    assert (good["mae"], bad["mae"]["value"]) == ({"value": 1.0, "ci": [1.0, 1.0], "n": 3}, 0.0)
    (gemini,) = told["between"]
    assert gemini["oracle"] == "Gemini" and gemini["dimensions"][0]["bias"]["value"] == -2.0
    assert gemini["dimensions"][1]["mae"] == {"value": None, "ci": [None, None], "n": 0}


def test_it_sends_the_largest_to_review(claude: Oracle):
    assert "2 articles wait for a review now." in typed("tiny", "--review", "2")
    assert ReviewTask.objects.count() == 2


def test_what_was_read_once_has_no_repeat_error(claude: Oracle):
    told = json.loads(typed("tiny", "--oracle", "Gemini", "--json"))
    assert told["repeat"] is None and len(told["between"]) == 1


@pytest.mark.parametrize("words", [("--oracle", "Pythia"), ("--prompt", "ffff")])
def test_labels_that_do_not_exist_get_a_sentence(claude: Oracle, words: tuple[str, str]):
    with pytest.raises(CommandError, match="No such labels of tiny v1. There is: Claude, Gemini."):
        typed("tiny", *words)


def test_a_filter_without_labels_gets_one_too(version: FilterVersion):
    with pytest.raises(CommandError, match="Nobody has labelled it yet"):
        typed("tiny")
