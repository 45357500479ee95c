"""Filter packages are read whole or refused with everything that is wrong with them."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from distillery_site.common.errors import BadInput
from labeling.demo import recordings
from labeling.rubrics.packages import FilterPackage, dump_package, load_package, package_of, stored_package
from tests.labeling.world import TINY


def write(folder: Path, prompt: str | None = "How good?", **changes: Any) -> Path:
    values = {**{key: value for key, value in TINY.items() if key != "prompt"}, **changes}
    (folder / "filter.yaml").write_text(yaml.safe_dump(values))
    if prompt is not None:
        (folder / "prompt.md").write_text(prompt)
    return folder


def problems(folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        load_package(folder)
    return "\n".join(caught.value.problems)


def test_it_reads_rubric_policy_and_prompt(tmp_path: Path):
    package = load_package(write(tmp_path))
    assert package.keys == ["good", "bad"]
    assert package.policy["weights"] == {"good": 0.5, "bad": 0.5}
    assert package.rubric["view"] == {"fields": ["title", "published", "text"], "max_words": 400}


DEMO = [("investment_risk", 8), ("uplifting", 6), ("sustainability_tech_innovation", 8)]


@pytest.mark.parametrize(("slug", "dimensions"), DEMO)
def test_the_demo_packages_are_sound(slug: str, dimensions: int):
    package = load_package(recordings.FOLDER / slug)
    assert package.slug == slug and len(package.dimensions) == dimensions
    assert package.prefilter.min_words == 60 and package.view.max_words == 400


def test_weights_and_tiers_belong_to_the_policy_and_not_to_the_rubric(tmp_path: Path):
    before = load_package(write(tmp_path)).rubric_hash
    heavier = [{**TINY["dimensions"][0], "weight": 0.9}, {**TINY["dimensions"][1], "weight": 0.1}]
    assert load_package(write(tmp_path, dimensions=heavier)).rubric_hash == before
    assert load_package(write(tmp_path, prompt="How bad?")).rubric_hash != before


def test_it_lists_every_unknown_key_and_wrong_value_at_once(tmp_path: Path):
    said = problems(write(tmp_path, slug="No Slug", colour="blue", view={"max_words": 0}))
    assert all(word in said for word in ("slug", "colour", "max_words"))


def test_it_lists_every_contradiction_at_once(tmp_path: Path):
    said = problems(
        write(
            tmp_path,
            dimensions=[{**TINY["dimensions"][0], "anchors": {"0": "not", "high": "very"}}, TINY["dimensions"][0]],
            tiers=[{"name": "low", "min": 1}, {"name": "high", "min": 5}],
            gatekeepers=[{"dimension": "ugly", "min": 1, "cap": 1, "reason": "x"}],
            caps=[{"pattern": "(", "cap": 1, "reason": "x"}],
            view={"fields": ["title", "colour"]},
            prefilter={"min_words": 9, "max_words": 3},
        )
    )
    parts = "twice: good", "last min must be 0", "dimensions: ugly", "regular expression", "not colour", "not high", "above"
    assert [part for part in parts if part not in said] == []


def test_weights_must_add_up_to_one(tmp_path: Path):
    assert "add up to 0.5" in problems(write(tmp_path, dimensions=TINY["dimensions"][:1]))


def test_a_missing_prompt_is_named(tmp_path: Path):
    assert "prompt.md can't be read: No such file" in problems(write(tmp_path, prompt=None))


def test_a_prompt_in_the_yaml_is_sent_to_its_own_file(tmp_path: Path):
    write(tmp_path)
    (tmp_path / "filter.yaml").write_text("slug: tiny\nprompt: How?\n")
    assert "belongs in prompt.md" in problems(tmp_path)


@pytest.mark.parametrize("text", ["- a\n- b\n", "slug: [", ""])
def test_yaml_that_is_no_package_is_refused_in_a_sentence(tmp_path: Path, text: str):
    write(tmp_path)
    (tmp_path / "filter.yaml").write_text(text)
    assert "filter.yaml" in problems(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    assert "nowhere" in problems(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("slug: tiny\nname: A\nname: B\n", "said twice: name"),
        ("slug: tiny\nview: {max_words: 1, max_words: 2}\n", "said twice: max_words"),
        ("a: &a [x]\nb: [*a, *a]\n", "aliases are not taken"),
        ("a: &a [*a]\n", "aliases are not taken"),
        ("a: 2026-02-31\n", "not valid YAML"),
        ("[" * 5000, "not valid YAML"),
    ],
)
def test_yaml_that_would_lose_something_or_never_end_is_refused(tmp_path: Path, text: str, complaint: str):
    write(tmp_path)
    (tmp_path / "filter.yaml").write_text(text)
    assert complaint in problems(tmp_path)


def test_plain_values_are_checked_like_files():
    assert package_of(TINY).slug == "tiny"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "name: String should have at least 1 character."),
        ({"colour": "blue"}, "colour: Extra inputs are not permitted."),
        ({"prompt": " \n "}, "prompt: String should have at least 1 character."),
        ({"prompt": None}, "prompt: Input should be a valid string."),
        ({"prompt": "How\x00?"}, "prompt: holds a character that can't be stored."),
        (
            {"dimensions": [{**TINY["dimensions"][0], "name": "\ud800"}]},
            "dimensions.0.name: holds a character that can't be stored.",
        ),
        ({"tiers": [{"name": "yes", "min": float("nan")}]}, "tiers.0.min: Input should be a finite number."),
        ({"dimensions": TINY["dimensions"][:1]}, "the weights add up to 0.5, not to 1."),
        ({"tiers": [{"name": "x", "min": 5}, {"name": "x", "min": 0}]}, "tiers named twice: x."),
    ],
)
def test_every_problem_names_its_place(changes: dict[str, Any], sentence: str):
    with pytest.raises(BadInput) as caught:
        package_of({**TINY, **changes})
    assert sentence in caught.value.problems


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=30)
DIMENSION = st.fixed_dictionaries(
    {
        "name": WORDS,
        "description": WORDS,
        "anchors": st.dictionaries(st.sampled_from(["0", "3", "6", "9-10"]), WORDS, min_size=2),
    }
)


@st.composite
def packages(draw: st.DrawFn) -> FilterPackage:
    dimensions = draw(st.lists(DIMENSION, min_size=1, max_size=4))
    keyed = [{**each, "key": f"k{number}", "weight": 1 / len(dimensions)} for number, each in enumerate(dimensions)]
    return package_of(
        {
            "slug": "drawn",
            "name": draw(WORDS),
            "question": draw(st.just("") | WORDS),
            "dimensions": keyed,
            "tiers": [{"name": draw(WORDS), "min": 0}],
            "caps": [{"pattern": r"\bx\d+", "cap": draw(st.floats(0, 10)), "reason": draw(WORDS)}],
            "prefilter": draw(st.just({}) | st.just({"min_words": 9, "languages": ["en"]})),
            "prompt": draw(WORDS.filter(str.strip)),
        }
    )


@settings(deadline=None)
@given(packages())
def test_what_is_written_back_is_read_as_the_same_package(package: FilterPackage):
    with TemporaryDirectory() as folder:
        for name, text in dump_package(package).items():
            Path(folder, name).write_text(text, encoding="utf-8", newline="")
        assert load_package(Path(folder)) == package


@pytest.mark.parametrize(("slug", "dimensions"), DEMO)
def test_the_demo_packages_survive_being_written(tmp_path: Path, slug: str, dimensions: int):
    package = load_package(recordings.FOLDER / slug)
    for name, text in dump_package(package).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert load_package(tmp_path) == package and load_package(tmp_path).rubric_hash == package.rubric_hash


def test_a_stored_filter_becomes_its_package_again():
    package = load_package(recordings.FOLDER / "uplifting")
    names = {"slug": package.slug, "name": package.name, "question": package.question}
    assert stored_package(names=names, rubric=package.rubric, policy=package.policy) == package
