from collections import defaultdict

import pytest
from django.db import DatabaseError, transaction

from distillery_site.common.errors import BadInput, Permanent
from labeling.models import Article
from tests.training import world
from training import datasets
from training.models import Split


def test_it_splits_the_labelled_articles_eight_to_one_to_one(dataset):
    sizes = {split: dataset.items.filter(split=split).count() for split in Split}
    assert sizes == {Split.TRAIN: 32, Split.VAL: 4, Split.TEST: 4}
    assert dataset.leakage == 0


def test_targets_stand_in_the_order_of_the_outputs(dataset, stories):
    assert [key for _, key in dataset.outputs] == ["impact", "evidence"]
    assert dataset.items.get(article=stories[3]).targets == [3.0, 3.5]


def test_near_duplicates_stay_together_whatever_the_seed(uplifting, oracle):
    for seed in range(15):
        text = world.prose(seed, words=200)
        for extra in ("", " today", " today and tomorrow"):
            world.label(world.article(text + extra, title=f"Story {seed}"), uplifting, oracle, [1, 1])
    for seed in range(5):
        dataset = datasets.freeze(name=f"news-{seed}", versions=[uplifting], oracle=oracle, seed=seed)
        splits = defaultdict(set)
        for cluster, split in dataset.items.values_list("cluster", "split"):
            splits[cluster].add(split)
        assert dataset.clusters == 15
        assert all(len(found) == 1 for found in splits.values())
        assert dataset.leakage == 0


def test_the_leak_count_looks_at_the_rows_and_not_at_how_they_were_made(dataset, stories):
    """Were near-duplicates ever written into two splits, the figure would say so."""
    twin, other = (dataset.items.filter(split=split).first() for split in (Split.TRAIN, Split.TEST))
    Article.objects.filter(pk=other.article_id).update(title=twin.article.title, text=twin.article.text)
    hashes = {"text_sha256": twin.text_sha256}
    values = {field: getattr(other, field) for field in ("dataset", "article_id", "split", "cluster", "targets")}
    other.delete()
    dataset.items.create(**values, **hashes)
    assert datasets.leakage(dataset) == 1


def test_the_same_contents_are_the_same_data_set(dataset, uplifting, oracle):
    assert datasets.freeze(name="other-name", versions=[uplifting], oracle=oracle) == dataset


def test_another_seed_splits_otherwise(dataset, uplifting, oracle):
    assert datasets.freeze(name="other", versions=[uplifting], oracle=oracle, seed=1).fingerprint != dataset.fingerprint


def test_a_name_is_never_given_to_other_contents(dataset, uplifting, oracle):
    with pytest.raises(BadInput, match="exists and holds something else"):
        datasets.freeze(name="news", versions=[uplifting], oracle=oracle, seed=1)


def test_a_sample_is_random_seeded_and_noted(uplifting, oracle, stories):
    first = datasets.freeze(name="a", versions=[uplifting], oracle=oracle, size=20, seed=3)
    assert first.items.count() == 20
    assert "20 labelled articles left out: a random sample of 20 was asked for (seed 3)." in first.notes


def test_frozen_items_never_change(dataset):
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        dataset.items.update(split=Split.TEST)


def test_articles_without_a_label_are_left_out_and_said_so(uplifting, oracle, stories):
    world.article(world.prose(99))
    dataset = datasets.freeze(name="news", versions=[uplifting], oracle=oracle)
    assert dataset.items.count() == 40
    assert "1 article left out: there is no label of Claude for the text as it is now." in dataset.notes


def test_labels_of_an_earlier_text_are_left_out(uplifting, oracle, stories):
    Article.objects.filter(pk=stories[0].pk).update(text="Rewritten.", text_sha256="0" * 64)
    dataset = datasets.freeze(name="news", versions=[uplifting], oracle=oracle)
    assert dataset.items.count() == 39
    assert "1 label left out: the article's text changed since." in dataset.notes


def test_other_readings_and_other_oracles_never_mix_in(uplifting, oracle, stories):
    world.label(stories[0], uplifting, oracle, [9, 9], reading=2)
    world.label(stories[1], uplifting, world.oracle("Gemini"), [9, 9])
    dataset = datasets.freeze(name="news", versions=[uplifting], oracle=oracle)
    assert [9.0, 9.0] not in list(dataset.items.values_list("targets", flat=True))
    assert "1 label left out: another reading." in dataset.notes
    assert "1 label left out: another oracle, Gemini." in dataset.notes


def test_two_filters_share_rows_and_what_one_lacks_is_null(uplifting, oracle, stories):
    risk = world.version("risk", ("shock",))
    for story in stories[:30]:
        world.label(story, risk, oracle, [5])
    dataset = datasets.freeze(name="both", versions=[uplifting, risk], oracle=oracle)
    assert dataset.items.get(article=stories[0]).targets == [0.0, 0.5, 5.0]
    assert dataset.items.get(article=stories[39]).targets == [6.0, 6.5, None]
    assert "10 articles not labelled for risk v1: those targets are empty." in dataset.notes


def test_a_null_stays_null_and_rows_of_nulls_are_left_out(uplifting, oracle, stories):
    world.label(world.article(world.prose(70)), uplifting, oracle, [None, 2])
    world.label(world.article(world.prose(71)), uplifting, oracle, [None, None])
    dataset = datasets.freeze(name="news", versions=[uplifting], oracle=oracle)
    assert [None, 2.0] in list(dataset.items.values_list("targets", flat=True))
    assert "1 article left out: labelled without a single score." in dataset.notes


def test_it_refuses_filters_that_show_different_parts_of_an_article(uplifting, oracle, stories):
    short = world.version("short", view={"fields": ["title"], "max_words": 50})
    with pytest.raises(BadInput, match="different parts of an article"):
        datasets.freeze(name="news", versions=[uplifting, short], oracle=oracle)


def test_it_refuses_where_nothing_is_labelled(uplifting, oracle):
    with pytest.raises(BadInput, match="Nothing is labelled"):
        datasets.freeze(name="news", versions=[uplifting], oracle=oracle)


def test_it_refuses_too_few_articles_for_three_splits(uplifting, oracle):
    world.labelled(3, uplifting, oracle)
    with pytest.raises(BadInput, match="3 labelled articles in 3 clusters can't fill three splits"):
        datasets.freeze(name="news", versions=[uplifting], oracle=oracle)


def test_it_lists_everything_wrong_with_the_request(uplifting, oracle):
    with pytest.raises(BadInput) as refused:
        datasets.freeze(
            name="no good!", versions=[uplifting, uplifting], oracle=oracle, size=0, fractions=(0.9, 0.2, 0.1), threshold=2
        )
    assert len(refused.value.problems) == 5


def test_an_article_edited_after_the_freeze_stops_the_training_with_a_sentence(dataset, tmp_path):
    item = dataset.items.filter(split=Split.TRAIN).first()
    Article.objects.filter(pk=item.article_id).update(text="Rewritten.")
    with pytest.raises(Permanent, match="1 article changed since news was frozen, such as “Story"):
        datasets.export(dataset, tmp_path)


def test_the_export_holds_training_and_validation_and_no_test_row(dataset, tmp_path):
    from training.student.data import read_corpus

    datasets.export(dataset, tmp_path)
    corpus = read_corpus(tmp_path)
    assert (len(corpus.split("train")), len(corpus.split("val"))) == (32, 4)
    assert corpus.fingerprint == dataset.fingerprint
    written = (tmp_path / "examples.jsonl").read_text()
    assert not [item for item in dataset.items.filter(split=Split.TEST) if item.article.text in written]


def test_the_texts_of_a_split_are_what_a_student_reads(dataset):
    pairs = datasets.texts(dataset, Split.TEST)
    assert {article for article, _ in pairs} == set(dataset.items.filter(split=Split.TEST).values_list("article", flat=True))
    assert pairs[0][1] == Article.objects.get(pk=pairs[0][0]).rendered(dataset.view)
