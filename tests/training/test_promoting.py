import pytest
from django.contrib.auth import get_user_model

from distillery_site.common.errors import BadInput, Permanent
from distillery_site.common.models import AuditEntry
from tests.training import world
from training.models import Deployment, ModelOutput, ModelVersion, Promotion
from training.services import model_for, promote, rollback


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


OPEN = {"gate": "golden", "passed": True, "sentence": "It answers as it did."}
CLOSED = {"gate": "constant", "passed": False, "sentence": "On impact a constant does better."}
TOLD = {"gate": "opened", "passed": None, "sentence": "The test split of news was opened once."}


def test_a_promotion_keeps_its_gates_as_they_stood(models, uplifting, lead):
    promote(model=models[0], filter=uplifting.filter, actor=lead, gates=[OPEN, TOLD])
    row = Promotion.objects.get()
    assert (row.model, row.before, row.by, row.gates, row.reason) == (models[0], None, lead, [OPEN, TOLD], "")


def test_a_closed_gate_needs_a_reason_and_the_refusal_names_it(models, uplifting):
    with pytest.raises(BadInput, match="one gate is closed: On impact a constant does better.") as refused:
        promote(model=models[0], filter=uplifting.filter, gates=[OPEN, CLOSED, TOLD], reason="  ")
    assert len(refused.value.problems) == 2
    assert not Promotion.objects.exists() and not Deployment.objects.exists()


def test_a_reason_opens_a_closed_gate_and_is_kept(models, uplifting):
    promote(model=models[0], filter=uplifting.filter, gates=[OPEN, CLOSED], reason=" Impact is not shown to readers. ")
    row = Promotion.objects.get()
    assert (row.reason, row.closed) == ("Impact is not shown to readers.", [CLOSED["sentence"]])
    assert AuditEntry.objects.get().after["reason"] == row.reason


def test_a_reason_is_not_kept_where_no_gate_was_closed(models, uplifting):
    promote(model=models[0], filter=uplifting.filter, gates=[OPEN], reason="Because.")
    assert Promotion.objects.get().reason == ""


def test_it_refuses_an_essay_for_a_reason(models, uplifting):
    with pytest.raises(BadInput, match="501 characters; 500 is the most"):
        promote(model=models[0], filter=uplifting.filter, gates=[CLOSED], reason="x" * 501)


def test_a_rollback_brings_back_who_answered_before(models, uplifting, lead):
    for model in models:
        promote(model=model, filter=uplifting.filter)
    assert rollback(filter=uplifting.filter, actor=lead) == models[0]
    assert model_for(uplifting.filter) == models[0]
    last = AuditEntry.objects.order_by("pk").last()
    assert (last.actor, last.action, last.after["model"]) == (lead, "roll back champion", "news/v1")


def test_a_second_rollback_goes_one_step_further_and_not_back_to_what_was_bad(models, uplifting):
    for model in (*models, models[0], models[1]):
        promote(model=model, filter=uplifting.filter)
    assert [rollback(filter=uplifting.filter) for _ in range(3)] == [models[0], models[1], models[0]]
    with pytest.raises(BadInput, match="nothing to go back to"):
        rollback(filter=uplifting.filter)


def test_what_is_promoted_after_a_rollback_can_be_rolled_back_too(models, uplifting):
    for model in models:
        promote(model=model, filter=uplifting.filter)
    rollback(filter=uplifting.filter)
    promote(model=models[1], filter=uplifting.filter)
    assert rollback(filter=uplifting.filter) == models[0]


def test_a_rollback_of_something_else_than_was_seen_changes_nothing(models, uplifting):
    for model in models:
        promote(model=model, filter=uplifting.filter)
    seen = Promotion.objects.standing(uplifting.filter, "champion").pk
    rollback(filter=uplifting.filter, undo=seen)
    with pytest.raises(BadInput, match="changed since this page was opened"):
        rollback(filter=uplifting.filter, undo=seen)
    assert Promotion.objects.count() == 3


def test_each_alias_has_a_history_of_its_own(models, uplifting):
    promote(model=models[0], filter=uplifting.filter)
    promote(model=models[1], filter=uplifting.filter, alias="challenger")
    with pytest.raises(BadInput, match="No version was the champion"):
        rollback(filter=uplifting.filter)
    assert model_for(uplifting.filter, "challenger") == models[1]
