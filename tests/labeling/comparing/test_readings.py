"""Labels stand side by side only when one oracle gave them, by one rubric, in the same words."""

import pytest

from distillery_site.common.errors import BadInput
from labeling import services
from labeling.comparing.readings import source, sources
from labeling.models import Article, FilterVersion, Oracle
from tests.labeling import world
from tests.labeling.comparing import judges


@pytest.fixture
def stories(version: FilterVersion) -> list[Article]:
    return world.articles(6)


@pytest.fixture
def claude(version: FilterVersion, stories: list[Article]) -> Oracle:
    """Read six articles alone, four of them twice, and two in a joint prompt, once more under reading 2."""
    claude = judges.oracle()
    judges.says(claude, version, [(story, [5, 5]) for story in stories])
    judges.says(claude, version, [(story, [6, 5]) for story in stories[:4]], reading=2)
    judges.says(claude, version, [(story, [9, 9]) for story in stories[:2]], prompt=judges.JOINT)
    judges.says(claude, version, [(stories[5], [0, 0])], prompt=judges.JOINT, reading=2)
    return claude


def test_each_prompt_is_a_source_of_its_own_and_the_most_used_comes_first(version: FilterVersion, claude: Oracle):
    found = sources(version)
    assert [(one.prompt_hash, one.labels, one.readings) for one in found] == [(judges.SOLO, 10, 2), (judges.JOINT, 3, 2)]
    assert [one.name for one in found] == ["Claude, prompt 50105010", "Claude, prompt 01170117"]
    assert [(one.prompt_hash, one.labels) for one in sources(version, reading=2)] == [(judges.SOLO, 4), (judges.JOINT, 1)]


def test_an_oracle_asked_in_one_way_has_its_plain_name(version: FilterVersion, stories: list[Article]):
    judges.says(judges.oracle("Gemini"), version, [(stories[0], [1, 1])], prompt="")
    (only,) = sources(version)
    assert only.name == "Gemini" and source(version, judges.oracle("Claude")) is None


def test_two_oracles_of_one_name_are_told_apart(version: FilterVersion, stories: list[Article]):
    first = judges.oracle()
    second = services.get_oracle(provider="external", model="Claude", params={"effort": "high"})
    for oracle in (first, second):
        judges.says(oracle, version, [(stories[0], [1, 1])])
    assert {one.name for one in sources(version)} == {f"Claude (number {first.pk})", f"Claude (number {second.pk})"}


def test_readings_of_different_prompts_are_no_pair(version: FilterVersion, stories: list[Article], claude: Oracle):
    pairs = services.repeat_pairs(version, claude)
    assert [article for article, _, _ in pairs] == [story.pk for story in stories[:4]]
    assert pairs[0][1:] == ([5.0, 5.0], [6.0, 5.0])
    assert services.repeat_pairs(version, claude, judges.JOINT) == [], "reading 2 of the joint prompt has no first"


def test_a_label_of_an_earlier_text_is_no_reading(version: FilterVersion, stories: list[Article], claude: Oracle):
    Article.objects.filter(pk=stories[0].pk).update(text_sha256="0" * 64)
    assert len(services.repeat_pairs(version, claude)) == 3
    assert sources(version)[0].labels == 8


def test_a_subset_is_random_repeatable_and_of_what_was_read_once(version: FilterVersion, claude: Oracle):
    more = world.articles(40)
    judges.says(claude, version, [(story, [5, 5]) for story in more[6:]])
    drawn = services.readings_subset(version=version, oracle=claude, n=10, seed=1)
    assert drawn == services.readings_subset(version=version, oracle=claude, n=10, seed=1) == sorted(drawn)
    assert drawn != services.readings_subset(version=version, oracle=claude, n=10, seed=2)
    assert len(set(drawn)) == 10 and set(drawn) <= {story.pk for story in more}


def test_a_larger_subset_holds_the_smaller_one_and_new_labels_keep_most_of_it(version: FilterVersion, claude: Oracle):
    more = world.articles(60)
    judges.says(claude, version, [(story, [5, 5]) for story in more[6:50]])
    small, large = (set(services.readings_subset(version=version, oracle=claude, n=n)) for n in (10, 20))
    assert small < large
    judges.says(claude, version, [(story, [5, 5]) for story in more[50:]])
    later = set(services.readings_subset(version=version, oracle=claude, n=20))
    assert len(large & later) >= 14, "what was asked twice already stays in the draw, less what newcomers push out"


def test_a_subset_of_articles_about_to_be_read_needs_no_label(version: FilterVersion, stories: list[Article]):
    keys = world.keys(stories)
    assert set(services.readings_subset(version=version, oracle=judges.oracle(), n=3, among=keys)) < set(keys)
    assert services.readings_subset(version=version, oracle=judges.oracle(), n=99, among=keys) == keys


def test_without_a_first_reading_there_is_nothing_to_ask_again(version: FilterVersion, stories: list[Article]):
    with pytest.raises(BadInput, match="Claude has read no article of tiny v1 once"):
        services.readings_subset(version=version, oracle=judges.oracle(), n=3)
    with pytest.raises(BadInput, match="1 article or more"):
        services.readings_subset(version=version, oracle=judges.oracle(), n=0)
