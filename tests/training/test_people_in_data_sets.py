"""What people's word does to a data set: four policies, told in recipe, notes and fingerprint."""

import json
from typing import Any

import pytest
from django.core.management import call_command

from distillery_site.common.errors import BadInput
from labeling.reviewing.deciding import decide
from tests.labeling.reviewing.people import person, say
from tests.training import world
from training import datasets
from training.as_typed import freeze_command
from training.forms import FreezeForm
from training.models import Dataset


def freeze(name: str, uplifting: Any, oracle: Any, **more: Any) -> Dataset:
    return datasets.freeze(name=name, versions=[uplifting], oracle=oracle, **more)


@pytest.fixture
def corrected(stories: Any, uplifting: Any) -> Any:
    """The oracle said 3 and 3.5 of this story; a person says 6 and can't say."""
    say(uplifting, stories[3], "ann", [6, None])
    return stories[3]


def target(dataset: Dataset, story: Any) -> list[float | None]:
    return dataset.items.get(article=story).targets


def test_without_a_word_of_it_the_data_set_is_the_oracles(dataset: Dataset, corrected: Any, uplifting: Any, oracle: Any):
    """A fingerprint of before there were people stays what it was."""
    assert freeze("again", uplifting, oracle) == dataset
    assert target(dataset, corrected) == [3, 3.5]


@pytest.mark.parametrize(("policy", "said", "weight"), [("override", 6, 1), ("average", 4.5, 1), ("weight", 6, 3)])
def test_gold_goes_into_the_target_dimension_by_dimension(
    corrected: Any, uplifting: Any, oracle: Any, policy: str, said: float, weight: float
):
    made = freeze("gold", uplifting, oracle, people=policy)
    assert target(made, corrected) == [said, 3.5]
    assert made.items.get(article=corrected).weight == weight
    assert set(made.items.exclude(article=corrected).values_list("weight", flat=True)) == {1}
    assert corrected.labels.get().scores == [3, 3.5]  # the old label stays


def test_every_policy_has_a_fingerprint_of_its_own(dataset: Dataset, corrected: Any, uplifting: Any, oracle: Any):
    prints = {freeze(policy, uplifting, oracle, people=policy).fingerprint for policy in ("override", "average", "weight")}
    assert len(prints | {dataset.fingerprint}) == 4


def test_where_nobody_has_spoken_the_policy_changes_nothing(dataset: Dataset, uplifting: Any, oracle: Any):
    assert freeze("gold", uplifting, oracle, people="override") == dataset


def test_recipe_and_notes_tell_by_whose_word(corrected: Any, stories: Any, uplifting: Any, oracle: Any):
    decide(version=uplifting, article=stories[5], lead=person("lead", "lead"), scores=[5, 1.5])
    made = freeze("gold", uplifting, oracle, people="override")
    counts = {"articles": 2, "decided": 1, "agreed": 0, "single": 1, "alone": 0, "moved": 2, "by": 3.5}
    assert (made.recipe["people"], made.recipe["corrected"]) == ("override", counts)
    assert (
        "People's word stands in the place of the oracle's in 2 of 40 articles: 1 decided by a lead, 1 by one person alone; "
        "2 scores moved, by 3.50 points on average. The oracle's labels stay."
    ) in made.notes


def test_an_article_that_only_people_scored_joins(stories: Any, uplifting: Any, oracle: Any):
    unread = world.article(world.prose(99))
    say(uplifting, unread, "ann", [8, 2])
    made = freeze("gold", uplifting, oracle, people="override")
    assert target(made, unread) == [8, 2] and made.items.count() == 41
    assert any("people's alone" in note for note in made.notes)
    assert not any("left out" in note for note in made.notes)


def test_an_article_on_which_people_are_apart_keeps_the_oracles_label(corrected: Any, uplifting: Any, oracle: Any):
    say(uplifting, corrected, "ben", [1, 1])
    assert target(freeze("gold", uplifting, oracle, people="override"), corrected) == [3, 3.5]


def test_the_command_takes_it_and_a_page_shows_the_command(corrected: Any, uplifting: Any, oracle: Any, capsys: Any):
    call_command("freeze", "gold", "--filter", "uplifting", "--people", "weight", "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["people"]["policy"], told["people"]["single"]) == ("weight", 1)
    assert "--people weight" in freeze_command(Dataset.objects.get(name="gold"))


def test_the_form_proposes_gold_once_there_is_some(stories: Any, uplifting: Any):
    assert FreezeForm()["people"].initial == "ignore"
    say(uplifting, stories[3], "ann", [6, 6])
    assert FreezeForm()["people"].initial == "override"


def test_an_unknown_policy_is_refused(stories: Any, uplifting: Any, oracle: Any):
    with pytest.raises(BadInput, match="ignore, override, average or weight, not 'maybe'"):
        freeze("gold", uplifting, oracle, people="maybe")
