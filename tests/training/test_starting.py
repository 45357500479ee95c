import pytest

from distillery_site.common.errors import BadInput
from distillery_site.common.runs import RunState
from training.models import ModelVersion, TrainingRun
from training.services import queued_ridges, start_training


def student(dataset, kind: str, number: int = 1) -> ModelVersion:
    return ModelVersion.objects.create(
        name=f"{dataset.name}-{kind}", number=number, kind=kind, dataset=dataset, manifest={}, manifest_sha256=f"{kind} {number}"
    )


def test_it_queues_a_run_named_after_data_set_and_kind(dataset):
    run = start_training(dataset=dataset, kind="ridge")
    assert (run.state, run.model_name) == (RunState.QUEUED, "news-ridge")


def test_a_second_click_finds_the_run_under_way(dataset):
    first = start_training(dataset=dataset, kind="ridge", config={"shrink": False})
    assert start_training(dataset=dataset, kind="ridge", config={"shrink": False}) == first
    assert start_training(dataset=dataset, kind="ridge") != first


def test_a_finished_run_can_be_repeated(dataset):
    first = start_training(dataset=dataset, kind="ridge")
    first.request_cancel()
    assert start_training(dataset=dataset, kind="ridge") != first


def test_a_lora_brings_its_ridge_along(dataset):
    run = start_training(dataset=dataset, kind="lora", preset="tiny")
    assert [ridge.model_name for ridge in queued_ridges(run)] == ["news-ridge"]


@pytest.mark.parametrize("there", ["trained", "queued"])
def test_a_lora_needs_no_second_ridge(dataset, there):
    if there == "trained":
        student(dataset, "ridge")
    else:
        start_training(dataset=dataset, kind="ridge")
    start_training(dataset=dataset, kind="lora", preset="tiny")
    assert TrainingRun.objects.filter(kind="ridge").count() == (there == "queued")


def test_a_stack_is_made_of_the_newest_ridge_and_lora(dataset):
    made = [student(dataset, kind, number) for kind in ("ridge", "lora") for number in (1, 2)]
    run = start_training(dataset=dataset, kind="stack")
    assert set(run.parents.all()) == {made[1], made[3]}


@pytest.mark.parametrize(("there", "words"), [(["lora"], "only news-lora v1"), ([], "none yet")])
def test_a_stack_says_what_there_is_to_stack(dataset, there, words):
    for kind in there:
        student(dataset, kind)
    with pytest.raises(BadInput, match=f"two students or more of the data set news, and there is {words}: train them first"):
        start_training(dataset=dataset, kind="stack")


def test_a_stack_refuses_students_of_another_data_set(dataset, uplifting, oracle):
    from training import datasets

    other = datasets.freeze(name="other", versions=[uplifting], oracle=oracle, seed=1)
    with pytest.raises(BadInput, match="other-lora v1 did not learn from news"):
        start_training(dataset=dataset, kind="stack", parents=[student(dataset, "ridge"), student(other, "lora")])


def test_a_stack_refuses_a_single_student(dataset):
    with pytest.raises(BadInput, match="two students or more"):
        start_training(dataset=dataset, kind="stack", parents=[student(dataset, "ridge")])


def test_only_a_stack_has_parents(dataset):
    with pytest.raises(BadInput, match="Only a stack"):
        start_training(dataset=dataset, kind="ridge", parents=[student(dataset, "ridge")])


def test_it_refuses_unknown_options_all_at_once_and_queues_nothing(dataset):
    with pytest.raises(BadInput) as refused:
        start_training(dataset=dataset, kind="lora", config={"epochs": 0, "learning_speed": 1})
    assert len(refused.value.problems) == 2
    assert not TrainingRun.objects.exists()


def test_it_refuses_an_unknown_kind(dataset):
    with pytest.raises(BadInput, match="no student kind 'oak'"):
        start_training(dataset=dataset, kind="oak")


def test_it_refuses_a_name_that_makes_no_folder(dataset):
    with pytest.raises(BadInput, match="can't name a model"):
        start_training(dataset=dataset, kind="ridge", name="../up")
