"""Filter packages are read whole or refused with everything that is wrong with them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from distillery_site.common.errors import BadInput
from labeling.demo import recordings
from labeling.packages import load_package
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
