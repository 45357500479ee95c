"""Labels that nothing can be learnt from, from the freeze to the start of a training."""

import math

import pytest
from django.db import IntegrityError

from distillery_site.common.errors import BadInput
from tests.training import world
from training import datasets
from training.freezing import soundness
from training.models import Dataset, DatasetItem, TrainingRun
from training.services import start_training


def freeze(uplifting, oracle) -> Dataset:
    return datasets.freeze(name="news", versions=[uplifting], oracle=oracle)


def labelled(uplifting, oracle, score) -> Dataset:
    """Forty articles whose second dimension has what `score` says for each."""
    for seed in range(40):
        world.label(world.article(world.prose(seed)), uplifting, oracle, [seed % 11, score(seed)])
    return freeze(uplifting, oracle)


def test_one_article_is_no_data_set(uplifting, oracle):
    world.labelled(1, uplifting, oracle)
    with pytest.raises(BadInput, match="1 labelled article in 1 cluster can't fill three splits; label more."):
        freeze(uplifting, oracle)
    assert not Dataset.objects.exists()


@pytest.mark.parametrize("score", [math.nan, math.inf, -1.0, 11.0])
def test_a_label_that_is_no_score_never_gets_as_far_as_a_data_set(uplifting, oracle, score):
    with pytest.raises(IntegrityError, match="oraclelabel_scores_in_range"):
        world.label(world.article(world.prose(1)), uplifting, oracle, [3.0, score])


def test_a_dimension_that_never_changes_is_warned_of_and_can_be_trained(uplifting, oracle):
    dataset = labelled(uplifting, oracle, lambda seed: 3.0)
    warning = "Warning: every training score of evidence (uplifting v1) is 3: a student will learn to say just that."
    assert warning in dataset.notes
    assert start_training(dataset=dataset, kind="ridge")


def test_a_dimension_without_a_score_can_be_frozen_but_not_learnt(uplifting, oracle):
    dataset = labelled(uplifting, oracle, lambda seed: None)
    assert any("no training article has a score for evidence (uplifting v1)" in note for note in dataset.notes)
    with pytest.raises(BadInput, match=r"No training article of news has a score for evidence \(uplifting v1\)"):
        start_training(dataset=dataset, kind="ridge")
    assert not TrainingRun.objects.exists()


def test_few_articles_to_measure_on_are_warned_of(uplifting, oracle, stories, monkeypatch):
    notes = freeze(uplifting, oracle).notes
    assert "Warning: 4 validation articles: errors measured on so few are hardly more than luck." in notes
    assert "Warning: 4 test articles: errors measured on so few are hardly more than luck." in notes
    monkeypatch.setattr(soundness, "FEW", 4)
    DatasetItem.objects.all().delete()
    Dataset.objects.all().delete()
    assert not [note for note in freeze(uplifting, oracle).notes if note.startswith("Warning")]
