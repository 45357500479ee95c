"""What people's corrections change: the labels, the data sets that hold the old ones, and students that learn again."""

from typing import Any

import pytest
from django.test import Client

from distillery_site.common.errors import BadInput
from distillery_site.common.models import AuditEntry
from labeling.reviewing.deciding import decide
from tests.labeling.reviewing.people import person, say
from tests.training import world
from training import changing, datasets
from training.label_changes import changes, freeze_and_retrain, spoken_of
from training.models import Dataset, Deployment, ModelVersion, TrainingRun

PAGE = "/filters/uplifting/changes"


@pytest.fixture
def ridge(dataset: Dataset) -> ModelVersion:
    """What the data set's first student is: trained here, and champion."""
    config = {"min_articles": 3}
    run = TrainingRun.objects.create(dataset=dataset, kind="ridge", model_name="news-ridge", config=config, state="done")
    model = ModelVersion.objects.create(
        name="news-ridge", number=1, kind="ridge", dataset=dataset, run=run, manifest={}, manifest_sha256="r"
    )
    Deployment.objects.create(filter=dataset.versions[0].filter, alias="champion", model=model)
    return model


@pytest.fixture
def corrected(uplifting: Any, stories: Any, dataset: Dataset) -> Any:
    """The oracle said 3 and 3.5; a person says 6 and the same."""
    say(uplifting, stories[3], "ann", [6, 3.5])
    return stories[3]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[TrainingRun]:
    runs: list[TrainingRun] = []
    monkeypatch.setattr(changing, "send", runs.append)
    return runs


def test_the_old_label_stands_beside_gold(corrected: Any, uplifting: Any, stories: Any):
    decide(version=uplifting, article=stories[5], lead=person("lead", "lead"), scores=[0, 5.5])
    found = changes(uplifting)
    assert [(one.article, one.scores, one.gold.how) for one in found.changed] == [
        (stories[5], [("Impact", 5, 0)], "decided"),
        (corrected, [("Impact", 3, 6)], "single"),
    ]
    assert (found.golden, found.source.name) == (2, "Claude")


def test_what_people_confirm_is_no_change(uplifting: Any, stories: Any, dataset: Dataset):
    say(uplifting, stories[3], "ann", [3, 3.5])
    found = changes(uplifting)
    assert (found.golden, found.changed, found.learners) == (1, [], [])


def test_it_names_the_students_that_learnt_the_old_label(corrected: Any, ridge: ModelVersion, uplifting: Any):
    [learner] = changes(uplifting).learners
    assert (learner.dataset, learner.articles, learner.models, learner.again) == (ridge.dataset, 1, [ridge], [ridge])


@pytest.mark.parametrize("policy", ["override", "average", "weight"])
def test_who_learnt_the_new_label_is_not_named(corrected: Any, dataset: Dataset, uplifting: Any, oracle: Any, policy: str):
    datasets.freeze(name="gold", versions=[uplifting], oracle=oracle, people=policy)
    assert [one.dataset for one in changes(uplifting).learners] == [dataset]


def test_a_later_decision_makes_the_new_data_set_old(corrected: Any, dataset: Dataset, uplifting: Any, oracle: Any):
    made = datasets.freeze(name="gold", versions=[uplifting], oracle=oracle, people="average")
    decide(version=uplifting, article=corrected, lead=person("lead", "lead"), scores=[4, 3.5])
    assert [one.dataset for one in changes(uplifting).learners] == [made, dataset]


def test_a_column_of_another_filter_is_left_alone(stories: Any, uplifting: Any, oracle: Any):
    """The second filter's targets start after the first one's."""
    risk = world.version("risk", ("loss",))
    for story in stories:
        world.label(story, risk, oracle, [2])
    both = datasets.freeze(name="both", versions=[uplifting, risk], oracle=oracle)
    say(risk, stories[3], "ann", [2])
    assert changes(risk).learners == []
    say(risk, stories[4], "ann", [5])
    assert [(one.dataset, one.articles) for one in changes(risk).learners] == [(both, 1)]


def test_the_rubric_that_people_have_spoken_of_is_shown(corrected: Any, uplifting: Any):
    world.version(keys=("impact",), number=2)
    assert spoken_of(uplifting.filter) == uplifting


def test_freezing_again_keeps_the_splits_and_takes_the_new_label(corrected: Any, ridge: ModelVersion, dataset: Dataset):
    made, [run] = freeze_and_retrain(dataset=dataset, models=[ridge], people="override")
    assert made.name == "news-gold" and made.items.get(article=corrected).targets == [6, 3.5]
    splits = [dict(one.items.values_list("article", "split")) for one in (dataset, made)]
    assert splits[0] == splits[1]
    assert (run.dataset, run.kind, run.model_name, run.config) == (made, "ridge", "news-ridge", {"min_articles": 3})


def test_names_go_on_counting(corrected: Any, ridge: ModelVersion, dataset: Dataset):
    freeze_and_retrain(dataset=dataset, models=[ridge], people="override")
    made, _ = freeze_and_retrain(dataset=dataset, models=[ridge], people="average")
    assert made.name == "news-gold-2"


def test_nothing_is_frozen_where_nothing_changed(ridge: ModelVersion, dataset: Dataset):
    with pytest.raises(BadInput, match="news would come out as it is"):
        freeze_and_retrain(dataset=dataset, models=[ridge], people="override")


def test_what_can_not_learn_again_is_said(corrected: Any, ridge: ModelVersion, dataset: Dataset):
    stack = ModelVersion.objects.create(
        name="news-stack", number=1, kind="stack", dataset=dataset, manifest={}, manifest_sha256="s", run=None
    )
    with pytest.raises(BadInput, match="is a stack of others"):
        freeze_and_retrain(dataset=dataset, models=[ridge, stack], people="override")
    with pytest.raises(BadInput, match="Choose at least one"):
        freeze_and_retrain(dataset=dataset, models=[], people="override")
    assert Dataset.objects.count() == 1


def test_the_page_shows_both_and_its_button_retrains(
    client: Client, corrected: Any, ridge: ModelVersion, dataset: Dataset, sent: list[TrainingRun]
):
    client.force_login(person("lead", "lead", dataset.versions[0].filter))
    shown = client.get(PAGE).content.decode()
    assert "3.0 → <b>6.0</b>" in shown and "one person" in shown and "champion" in shown and "Freeze and retrain" in shown
    answer = client.post(PAGE, {"dataset": dataset.pk, "models": [ridge.pk], "people": "override"})
    assert answer.headers["Location"] == "/data-sets/news-gold/" and len(sent) == 1
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["data set frozen", "training started"]


def test_the_button_without_a_student_says_so(client: Client, corrected: Any, dataset: Dataset):
    client.force_login(person("lead", "lead", dataset.versions[0].filter))
    answer = client.post(PAGE, {"dataset": dataset.pk, "people": "override"}, follow=True)
    assert "Choose at least one student" in answer.content.decode() and Dataset.objects.count() == 1


def test_who_leads_only_one_of_its_filters_may_not_retrain(client: Client, stories: Any, uplifting: Any, oracle: Any):
    risk = world.version("risk", ("loss",))
    for story in stories:
        world.label(story, risk, oracle, [2])
    both = datasets.freeze(name="both", versions=[uplifting, risk], oracle=oracle)
    model = ModelVersion.objects.create(name="both", number=1, kind="ridge", dataset=both, manifest={}, manifest_sha256="b")
    client.force_login(person("lead", "lead", uplifting.filter))
    assert client.post(PAGE, {"dataset": both.pk, "models": [model.pk], "people": "override"}).status_code == 403


def test_without_corrections_it_says_where_they_come_from(client: Client, dataset: Dataset):
    client.force_login(person("viewer", "viewer"))
    shown = client.get(PAGE).content.decode()
    assert "No corrections yet" in shown and "Freeze and retrain" not in shown
