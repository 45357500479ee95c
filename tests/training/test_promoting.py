import pytest
from django.contrib.auth import get_user_model

from distillery_site.common.errors import BadInput, Permanent
from distillery_site.common.models import AuditEntry
from tests.training import world
from training.models import Deployment, ModelOutput, ModelVersion
from training.services import model_for, promote


@pytest.fixture
def lead(db):
    return get_user_model().objects.create_user("lead")


@pytest.fixture
def models(dataset, uplifting) -> list[ModelVersion]:
    made = []
    for number in (1, 2):
        model = ModelVersion.objects.create(
            name="news", number=number, kind="ridge", dataset=dataset, manifest={}, manifest_sha256=str(number) * 64
        )
        ModelOutput.objects.create(model=model, position=0, version=uplifting, dimension="impact")
        made.append(model)
    return made


def test_the_promoted_version_answers(models, uplifting, lead):
    assert promote(model=models[0], filter=uplifting.filter, actor=lead) is None
    assert model_for(uplifting.filter) == models[0]


def test_it_gives_back_who_answered_before(models, uplifting, lead):
    promote(model=models[0], filter=uplifting.filter, actor=lead)
    assert promote(model=models[1], filter=uplifting.filter, actor=lead) == models[0]
    assert model_for(uplifting.filter) == models[1]


def test_each_change_is_audited_and_no_change_is_not(models, uplifting, lead):
    for model in (models[0], models[1], models[1]):
        promote(model=model, filter=uplifting.filter, actor=lead)
    rows = AuditEntry.objects.order_by("pk")
    assert [(row.actor, row.action) for row in rows] == [(lead, "promote champion")] * 2
    assert (rows[1].before["model"], rows[1].after["model"]) == ("news/v1", "news/v2")


def test_a_challenger_leaves_the_champion_alone(models, uplifting):
    promote(model=models[0], filter=uplifting.filter)
    promote(model=models[1], filter=uplifting.filter, alias="challenger")
    assert model_for(uplifting.filter) == models[0]
    assert model_for(uplifting.filter, "challenger") == models[1]


def test_it_refuses_a_version_that_cannot_answer(models):
    risk = world.version("risk", ("shock",))
    with pytest.raises(BadInput, match="news v1 has no output for risk"):
        promote(model=models[0], filter=risk.filter)
    assert not Deployment.objects.exists()


def test_it_refuses_an_unknown_alias(models, uplifting):
    with pytest.raises(BadInput, match="no alias 'hero'"):
        promote(model=models[0], filter=uplifting.filter, alias="hero")


def test_a_filter_without_a_champion_says_so(uplifting):
    with pytest.raises(Permanent, match="Uplifting has no champion yet"):
        model_for(uplifting.filter)


def test_versions_that_serve_a_filter_come_newest_first(models, uplifting):
    assert list(ModelVersion.objects.serving(uplifting.filter)) == models[::-1]
