"""One filter's labels come from one rubric, oracle and prompt, unless a person says otherwise; then the data set says so."""

import pytest

from distillery_site.common.errors import BadInput
from labeling.models import FilterVersion, LabelingItem, LabelingRun
from tests.training import world
from training import datasets
from training.freezing.provenance import oracles_of, readings_told, sources_of

SOLO, JOINT = "5010" * 16, "0117" * 16


@pytest.fixture
def gemini(db):
    return world.oracle("Gemini")


def freeze(versions, oracle, name="mixed", **more):
    return datasets.freeze(name=name, versions=versions, oracle=oracle, **more)


def target(dataset, story):
    return dataset.items.get(article=story).targets


# --- several readings


def test_a_target_can_be_the_mean_of_all_readings_there_are(dataset, uplifting, oracle, stories):
    world.label(stories[3], uplifting, oracle, [4, None], reading=2)
    world.label(stories[3], uplifting, oracle, [6, 4.5], reading=3)
    mean = freeze([uplifting], oracle, mean_of_readings=True)
    assert target(mean, stories[3]) == [pytest.approx(13 / 3, abs=1e-6), 4.0], "a null is left out of its dimension's mean"
    assert target(mean, stories[4]) == target(dataset, stories[4])
    assert mean.fingerprint != dataset.fingerprint


def test_it_says_how_many_targets_are_means_of_how_many_readings(dataset, uplifting, oracle, stories):
    for story in stories[:5]:
        world.label(story, uplifting, oracle, [1, 1], reading=2)
    mean = freeze([uplifting], oracle, mean_of_readings=True)
    assert mean.recipe["mean_of_readings"] and mean.recipe["readings"] == {"1": 35, "2": 5}
    assert (
        "Targets are means over an article's readings: 35 of 1 reading, 5 of 2 readings. They are steadier than one reading is."
        in mean.notes
    )
    assert not [note for note in mean.notes if "another reading" in note]
    assert (readings_told(mean.recipe), readings_told(dataset.recipe)) == ("mean of up to 2 readings", "reading 1")


def test_a_mean_of_single_readings_is_the_same_data_set(dataset, uplifting, oracle):
    assert freeze([uplifting], oracle, mean_of_readings=True) == dataset


# --- several prompts


def test_of_several_prompts_the_most_used_one_is_taken_and_the_rest_named(uplifting, oracle, stories):
    for story in stories[:7]:
        world.label(story, uplifting, oracle, [9, 9], prompt=JOINT)
    plain = freeze([uplifting], oracle)
    assert plain.items.count() == 40 and [9.0, 9.0] not in list(plain.items.values_list("targets", flat=True))
    assert "7 labels left out: Claude was asked with another prompt (prompt 01170117)." in plain.notes
    assert [(told["prompt_hash"], told["articles"]) for told in plain.recipe["sources"]] == [("", 40)]


def test_the_most_used_prompt_is_that_of_the_reading_asked_for(uplifting, oracle):
    stories = [world.article(world.prose(seed)) for seed in range(12)]
    for story in stories:
        world.label(story, uplifting, oracle, [1, 1], prompt=SOLO)
        world.label(story, uplifting, oracle, [2, 2], prompt=JOINT, reading=2)
    world.label(world.article(world.prose(50)), uplifting, oracle, [1, 1], prompt=SOLO)
    assert target(freeze([uplifting], oracle, reading=2), stories[0]) == [2.0, 2.0]


def test_prompts_mix_when_a_person_says_so_and_the_data_set_counts_them(uplifting, oracle, stories):
    world.label(stories[0], uplifting, oracle, [9, 9], prompt=JOINT)
    extra = world.article(world.prose(77))
    world.label(extra, uplifting, oracle, [8, 8], prompt=JOINT)
    mixed = freeze([uplifting], oracle, mix=True)
    assert target(mixed, extra) == [8.0, 8.0] and target(mixed, stories[0]) == [0.0, 0.5], "the prompt used most goes first"
    rubric = uplifting.rubric_hash[:8]
    assert (
        mixed.notes[:2]
        == [
            f"Mixed as was asked for: 40 targets by Claude, prompt not recorded, under uplifting v1 (rubric {rubric}).",
            f"Mixed as was asked for: 1 target by Claude, prompt 01170117, under uplifting v1 (rubric {rubric}).",
        ]
        or mixed.notes[:2][::-1]
    )
    assert "1 label left out: a source that goes before it has a label for the same article." in mixed.notes
    assert sorted(told["articles"] for told in mixed.recipe["sources"]) == [1, 40]


def test_where_nothing_is_mixed_in_the_end_it_is_the_same_data_set(dataset, uplifting, oracle):
    assert freeze([uplifting], oracle, mix=True) == dataset


# --- several oracles


def test_two_oracles_need_permission(uplifting, oracle, gemini, stories):
    with pytest.raises(BadInput, match="Claude and Gemini are different oracles: their labels are mixed only if you say so"):
        freeze([uplifting], oracle, others=[gemini])


def test_the_first_oracle_goes_first_and_the_other_fills_up(uplifting, oracle, gemini, stories):
    extra = world.article(world.prose(77))
    for story in (stories[0], extra):
        world.label(story, uplifting, gemini, [7, 7])
    mixed = freeze([uplifting], oracle, others=[gemini], mix=True)
    assert (target(mixed, stories[0]), target(mixed, extra)) == ([0.0, 0.5], [7.0, 7.0])
    assert {told["name"]: told["articles"] for told in mixed.recipe["sources"]} == {"Claude": 40, "Gemini": 1}
    assert oracles_of(mixed) == [oracle, gemini]
    assert [source.oracle for source in sources_of(mixed, uplifting)] == [oracle, gemini]


def test_the_same_targets_of_other_sources_are_another_data_set(dataset, uplifting, oracle, gemini, stories):
    """What a student learns is the same; what may be claimed of it is not."""
    moved = uplifting.labels.get(article=stories[3])
    moved.delete()
    world.label(stories[3], uplifting, gemini, moved.scores)
    mixed = freeze([uplifting], oracle, others=[gemini], mix=True)
    assert target(mixed, stories[3]) == target(dataset, stories[3])
    assert mixed.fingerprint != dataset.fingerprint


# --- several rubrics


@pytest.fixture
def second(uplifting):
    """The same dimensions in other words."""
    rubric = FilterVersion.hash_of(uplifting.dimensions, "better", uplifting.view)
    values = {"dimensions": uplifting.dimensions, "view": uplifting.view, "prompt": "better", "rubric_hash": rubric}
    return uplifting.filter.versions.create(number=2, **values)


def test_two_rubrics_of_one_filter_need_permission(uplifting, second, oracle, stories):
    with pytest.raises(BadInput, match="uplifting v2 and uplifting v1 are different rubrics"):
        freeze([uplifting, second], oracle)


def test_the_newest_rubric_leads_and_an_earlier_one_fills_up(uplifting, second, oracle, stories):
    world.label(stories[0], second, oracle, [3, 3])
    mixed = freeze([uplifting, second], oracle, mix=True)
    assert mixed.versions == [second]
    assert (target(mixed, stories[0]), target(mixed, stories[4])) == ([3.0, 3.0], [4.0, 4.5])
    assert {told["version"]: told["articles"] for told in mixed.recipe["sources"]} == {2: 1, 1: 39}
    assert {source.version for source in sources_of(mixed, second)} == {uplifting, second}


def test_rubrics_of_other_dimensions_never_mix(uplifting, oracle, stories):
    other = world.version(keys=("impact", "depth"), number=2)
    with pytest.raises(BadInput, match="have different dimensions"):
        freeze([uplifting, other], oracle, mix=True)


# --- enriched draws


def test_sampling_weights_come_along_and_enrichment_is_told(uplifting, oracle, stories):
    run = LabelingRun.objects.create(version=uplifting, oracle=oracle, kind="enriched")
    uplifting.labels.filter(article__in=stories[:3]).update(run=run)
    for story, drawn, weight in zip(stories, ("enriched", "enriched", "random"), (1.0, 1.0, 12.5), strict=False):
        LabelingItem.objects.create(run=run, article=story, drawn=drawn, weight=weight, state="labelled")
    found = freeze([uplifting], oracle)
    weights = dict(found.items.values_list("article", "sampling_weight"))
    assert [weights[story.pk] for story in stories[:4]] == [1.0, 1.0, 12.5, 1.0]
    assert set(found.items.values_list("weight", flat=True)) == {1.0}, "training does not weigh by them"
    assert found.notes[0].startswith(
        "2 articles came from enrichment, picked as likely to score high, beside 1 of the same runs drawn at random."
    )


def test_a_run_over_all_articles_takes_the_enrichment_back(uplifting, oracle, stories):
    enriched, rest = (LabelingRun.objects.create(version=uplifting, oracle=oracle, kind=kind) for kind in ("enriched", "full"))
    LabelingRun.objects.filter(pk=rest.pk).update(sampling={"how": "all"})
    uplifting.labels.filter(article=stories[0]).update(run=enriched)
    uplifting.labels.filter(article=stories[1]).update(run=rest)
    LabelingItem.objects.create(run=enriched, article=stories[0], drawn="enriched", weight=9.0, state="labelled")
    found = freeze([uplifting], oracle)
    assert set(found.items.values_list("sampling_weight", flat=True)) == {1.0}
    assert not [note for note in found.notes if "enrichment" in note]


def test_without_enrichment_nothing_is_said_of_it(dataset):
    assert not [note for note in dataset.notes if "enrichment" in note]


def test_a_data_set_from_before_sources_were_kept_still_finds_its_labels(dataset, uplifting, oracle):
    dataset.recipe = {key: dataset.recipe[key] for key in ("oracle", "reading", "seed", "size")}
    (source,) = sources_of(dataset, uplifting)
    assert (source.oracle, source.labels, oracles_of(dataset)) == (oracle, 40, [oracle])
