"""A student's manifest says which languages its training articles were in."""

import json

from labeling.models import Article
from tests.fakes import small_students
from training import datasets
from training.models import Split
from training.student import artifact
from training.student.config import RidgeConfig
from training.student.data import read_corpus


def test_the_export_counts_the_training_articles_languages(dataset, tmp_path):
    dutch = dataset.items.filter(split=Split.TRAIN)[:3].values_list("article", flat=True)
    Article.objects.update(language="en")
    Article.objects.filter(pk__in=list(dutch)).update(language="nl")
    datasets.export(dataset, tmp_path)
    assert read_corpus(tmp_path).languages == {"en": 29, "nl": 3}


def test_an_unknown_language_is_counted_as_such(dataset):
    Article.objects.update(language="")
    assert datasets.languages_of(dataset) == {"": 32}


def test_the_manifest_carries_them_and_older_data_folders_have_none(tmp_path):
    corpus = small_students.replace(small_students.corpus(), languages={"en": 96})
    assert artifact.describe("ridge", corpus, RidgeConfig())["languages"] == {"en": 96}
    folder = small_students.write(tmp_path)
    head = json.loads((folder / "dataset.json").read_text())
    del head["languages"]
    (folder / "dataset.json").write_text(json.dumps(head))
    assert read_corpus(folder).languages == {}
