"""A draft keeps every word as it was typed, and says where it isn't a filter yet. Pure."""

from typing import Any

import pytest
import yaml

from labeling.demo import recordings
from labeling.rubrics.draft_checks import checked
from labeling.rubrics.draft_parts import key_from
from labeling.rubrics.drafts import Draft
from labeling.rubrics.packages import load_package
from tests.labeling.world import TINY


def tiny(**changes: Any) -> Draft:
    return Draft.of({**TINY, **changes})


def sent(draft: Draft) -> list[tuple[str, str]]:
    """What a browser makes of the page: line ends become CRLF."""
    boxes = [(box.name, box.value.replace("\n", "\r\n")) for box in draft.every_box]
    gone = [(f"gone.{box.name}", box.value) for part in draft.gone for box in part.every_box]
    places = [(f"gone.{part.name}.at", str(part.at)) for part in draft.gone]
    return [*boxes, *(("fields", name) for name in draft.fields), *gone, *places]


def problems(draft: Draft) -> dict[str, str]:
    return dict(checked(draft)[1])


def keys(draft: Draft) -> list[str]:
    return [part.key for part in draft.parts["dimension"]]


@pytest.mark.parametrize("slug", ["investment_risk", "uplifting", "sustainability_tech_innovation"])
def test_a_package_goes_through_the_page_and_back_unchanged(slug: str):
    folder = recordings.FOLDER / slug
    values = yaml.safe_load((folder / "filter.yaml").read_text()) | {"prompt": (folder / "prompt.md").read_text()}
    package, wrong = checked(Draft.typed(sent(Draft.of(values))))
    assert wrong == [] and package == load_package(folder)


def test_it_keeps_words_that_are_no_filter_yet():
    typed = [("name", " Half a "), ("max_words", "many"), ("dimension.4.weight", "heavy"), ("dimension.4.anchor.2.text", "so-so")]
    draft = Draft.typed([*typed, ("nonsense", "x"), ("dimension.x.key", "y"), ("tier.1.colour", "z")])
    assert [pair for pair in sent(draft) if pair[1]] == typed


def test_the_order_in_the_page_is_the_order_of_the_dimensions():
    draft = Draft.typed([("dimension.7.name", "Last first"), ("dimension.2.name", "Then this")])
    assert keys(draft) == ["last_first", "then_this"]


def test_dimensions_move_up_and_down_and_stop_at_the_ends():
    draft = tiny()
    for command, order in (("down dimension.0", "bad good"), ("down dimension.0", "bad good"), ("up dimension.0", "good bad")):
        draft.do(command)
        assert keys(draft) == order.split()


def test_a_dimension_that_was_taken_out_can_be_put_back_where_it_was():
    draft = tiny()
    draft.do("remove dimension.0")
    draft = Draft.typed(sent(draft))
    assert keys(draft) == ["bad"]
    draft.do("back dimension.0")
    package, wrong = checked(draft)
    assert wrong == [] and package is not None and package.keys == ["good", "bad"]


def test_an_anchor_is_added_and_taken_out():
    draft = tiny()
    focus = draft.do("add dimension.1.anchor")
    assert focus == "in-dimension-1-anchor-2-score"
    draft.do("remove dimension.1.anchor.0")
    assert [anchor.name for anchor in draft.parts["dimension"][1].anchors] == ["dimension.1.anchor.1", "dimension.1.anchor.2"]


@pytest.mark.parametrize(
    "command", ["", "up", "up dimension.99", "add nonsense", "remove tier", "back dimension.0", "fly dimension.0"]
)
def test_a_command_that_makes_no_sense_changes_nothing(command: str):
    draft = tiny()
    draft.do(command)
    assert draft.values == tiny().values


@pytest.mark.parametrize(
    ("weights", "balanced"),
    [
        (("1", "1"), "0.5 0.5"),
        (("0.2", ""), "0.5 0.5"),
        (("3", "0"), "1 0"),
        (("0.4", "0.8"), "0.33 0.67"),
        (("x", "y"), "0.5 0.5"),
    ],
)
def test_weights_are_made_to_add_up_to_one(weights: tuple[str, str], balanced: str):
    draft = tiny()
    for part, weight in zip(draft.parts["dimension"], weights, strict=True):
        part.boxes["weight"].value = weight
    draft.do("balance")
    assert " ".join(part.boxes["weight"].value for part in draft.parts["dimension"]) == balanced
    assert draft.weights == 1


def test_a_blank_page_says_what_is_missing_and_nothing_twice():
    assert problems(Draft.blank()) == {
        "name": "This is needed.",
        "prompt": "This is needed.",
        "dimension.0.name": "This is needed.",
        "dimension.0.description": "This is needed.",
        "dimension.0": "Describe at least two scores.",
    }


def test_every_problem_is_told_at_its_place():
    first = {**TINY["dimensions"][0], "weight": 3, "anchors": {"0": "not", "high": "very"}}
    draft = tiny(
        slug="No Slug",
        dimensions=[first, TINY["dimensions"][1]],
        tiers=[{"name": "yes", "min": 12}, {"name": "", "min": 0}],
        view={"fields": [], "max_words": 0},
        prefilter={"min_words": "few"},
    )
    places = {
        "slug",
        "dimension.0.weight",
        "dimension.0.anchor.1.score",
        "tier.0.min",
        "tier.1.name",
        "fields",
        "max_words",
        "least",
    }
    assert set(problems(draft)) == places


def test_contradictions_are_told_at_their_places():
    draft = tiny(
        dimensions=[{**TINY["dimensions"][0], "weight": 0.9}, {**TINY["dimensions"][1], "key": "good", "weight": 0.9}],
        tiers=[{"name": "high", "min": 5}, {"name": "low", "min": 1}],
        gatekeepers=[{"dimension": "ugly", "min": 1, "cap": 1, "reason": "x"}],
        caps=[{"pattern": "(", "cap": 1, "reason": "x"}],
        view={"fields": ["title", "colour"]},
        prefilter={"min_words": 9, "max_words": 3, "exclude": ["fine", "["]},
    )
    places = {"dimensions", "dimension.1.key", "tiers", "gatekeeper.0.dimension", "cap.0.pattern", "fields", "most", "exclude"}
    assert set(problems(draft)) == places


def test_a_score_that_is_described_twice_is_told():
    draft = tiny()
    draft.parts["dimension"][0].anchors[1].boxes["score"].value = "0"
    assert problems(draft)["dimension.0.anchor.1.score"] == "0 is described above already."


def test_tiers_are_read_from_the_highest_down():
    package, wrong = checked(tiny(tiers=[{"name": "no", "min": 0}, {"name": "yes", "min": 5}]))
    assert wrong == [] and package is not None and [tier.name for tier in package.tiers] == ["yes", "no"]


@pytest.mark.parametrize(
    ("name", "key"), [("Évidence level!", "evidence_level"), ("2 of 3", "of_3"), ("Covid 19", "covid_19"), ("?", "")]
)
def test_a_key_is_made_from_a_name(name: str, key: str):
    assert key_from(name) == key
