"""What a run's epochs say in words, and what its errors stand beside."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from training import datasets
from training.figures import options
from training.models import Dataset, ModelVersion, TrainingEpoch, TrainingRun
from training.running.forecasts import FEW, forecast, foreseen, gigabytes, span
from training.running.learning import baselines, in_line, learning, listed, trend

FORETOLD = {"seconds": 600.0, "peak_memory_bytes": 3e9, "device": "CPU", "truncation": {"share": 0.0, "max_tokens": 64}}
WHOLE = "No article is longer than the limit of 64 tokens."


def run(dataset: Dataset, errors: Any = (), **more: Any) -> TrainingRun:
    made = TrainingRun.objects.create(**{"dataset": dataset, "kind": "lora", "model_name": "news-lora", **more})
    for number, (train, val) in enumerate(errors, 1):
        TrainingEpoch.objects.create(
            run=made, number=number, train_mae=train, val_mae=val, val_mae_by_output=[val, None], seconds=1
        )
    return made


def ridge(dataset: Dataset, number: int, mae: float) -> ModelVersion:
    return ModelVersion.objects.create(
        name="news-ridge", number=number, kind="ridge", dataset=dataset, val_mae=mae,
        manifest={"metrics": {"val_constant_mae": 0.7}}, manifest_sha256=f"ridge {number}",
    )  # fmt: skip


def test_every_epoch_says_what_its_gap_means(dataset):
    found = learning(
        run(dataset, [(0.5, 0.52), (0.4, 0.48), (0.3, 0.42), (0.2, 0.41), (0.0, 0.41), (None, 0.4), (0.1, float("nan"))])
    )
    assert [epoch.reading for epoch in found.epochs] == [
        "may still improve", "healthy", "moderate overfitting", "high overfitting", "zero training error: no ratio", "", "",
    ]  # fmt: skip
    assert [epoch.gap for epoch in found.epochs[:2]] == pytest.approx([0.04, 0.2])
    assert found.chosen == "Epoch 6 is the best so far: its validation MAE is the smallest of 6."


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        ([0.5], ""),
        ([0.5, 0.4], "fell over the last 2 epochs (0.500 → 0.400)"),
        ([0.9, 0.5, 0.45, 0.4], "fell over the last 3 epochs (0.500 → 0.400)"),
        ([0.4, 0.45, 0.5], "rose over the last 3 epochs"),
        ([0.4, 0.401, 0.4], "is level over the last 3 epochs"),
        ([0.4, 0.5, 0.4], "went up and down"),
        ([0.0, 0.0], "is level"),
        ([0.4, float("nan"), 0.3], "fell over the last 2 epochs"),
    ],
)
def test_the_last_epochs_make_a_trend(errors, sentence):
    assert sentence in trend(errors)


@pytest.mark.parametrize(
    ("kept", "words"), [(True, "The mean of the weights of epochs 1–2 was kept"), (False, "Epoch 2 was kept")]
)
def test_a_mean_of_epochs_is_said_where_it_was_kept(dataset, kept, words):
    made = run(dataset, [(0.5, 0.5), (0.4, 0.4)], state="done")
    made.epochs.filter(number=2).update(chosen=True)
    manifest = {"averaged": {"epochs": [1, 2], "val_mae": 0.39, "kept": kept}}
    ModelVersion.objects.create(
        name="m", number=1, kind="lora", dataset=dataset, run=made, manifest=manifest, manifest_sha256="m"
    )
    assert learning(TrainingRun.objects.get(pk=made.pk)).chosen.startswith(words)


def test_errors_stand_beside_the_best_ridge_and_the_constant_of_their_data_set(dataset, uplifting, oracle):
    other = datasets.freeze(name="other", versions=[uplifting], oracle=oracle, seed=1)
    ridge(dataset, 1, 0.5)
    ridge(dataset, 2, 0.45)
    ridge(dataset, 3, 0.6)
    found = baselines([dataset.pk, other.pk])
    beside = found[dataset.pk]
    assert (beside.articles, beside.constant, beside.ridge, beside.ridge_model) == (4, 0.7, 0.45, "news-ridge v2")
    assert (found[other.pk].articles, found[other.pk].ridge) == (4, None)


def test_a_list_costs_the_same_however_long_it_is(dataset, django_assert_max_num_queries):
    for _ in range(4):
        run(dataset, [(0.5, 0.5), (0.3, 0.4), (0.2, float("nan"))])
    rows = TrainingRun.objects.select_related("result", "dataset")
    with django_assert_max_num_queries(4):
        found = listed(rows)
    assert [row.val_mae for row in found] == [0.4] * 4


def test_a_waiting_run_says_what_it_waits_for(dataset):
    first, second = run(dataset), run(dataset)
    assert in_line(first) == "It is next: a worker takes it within seconds."
    assert in_line(second) == "1 run waits before this one."
    TrainingRun.objects.claim(first.pk)
    third = run(dataset)
    assert in_line(third) == f"Training run {first.pk} is at work and 1 run waits before this one."
    assert in_line(TrainingRun.objects.get(pk=first.pk)) == ""


def test_a_forecast_is_a_range_and_says_what_it_rests_on(dataset):
    found = forecast(run(dataset, estimate=FORETOLD))
    assert (found.low_s, found.high_s) == (480.0, 900.0) and "Twenty steps" in found.basis
    assert found.rows == [
        ("Time", "8 to 15 min"), ("Memory", "3.0 GB"), ("Device", "CPU"), ("Articles", WHOLE),
    ]  # fmt: skip
    assert forecast(run(dataset)) is None


def test_once_there_is_a_record_here_the_range_comes_from_it(dataset):
    start = timezone.now()
    for minutes in range(FEW):
        end = start + timedelta(minutes=12 + minutes)
        run(dataset, estimate=FORETOLD, state="done", started_at=start, finished_at=end)
    long = start + timedelta(days=2)
    run(
        dataset,
        estimate=FORETOLD,
        state="done",
        started_at=start,
        finished_at=long,
        notes=["Resumed from the checkpoint at step 3."],
    )
    found = forecast(run(dataset, estimate=FORETOLD))
    assert (found.low_s, found.high_s) == (720, 960) and f"the last {FEW} trainings here" in found.basis


def test_a_training_stands_beside_the_estimate_that_was_made_for_it(dataset):
    run(dataset, purpose="estimate", state="done", estimate=FORETOLD)
    made = run(dataset, estimate={**FORETOLD, "peak_memory_bytes": 2e9})
    rows = {what: (told, became) for what, told, became in foreseen(made)}
    assert rows["Memory"] == ("3.0 GB", "2.0 GB") and rows["Time"] == ("8 to 15 min", "")
    assert foreseen(run(dataset, config={"epochs": 9})) == []


def test_spans_take_the_unit_that_suits_them():
    assert [span(30, 100), span(100, 200), span(3000, 9000), span(None, 1)] == ["30 to 100 s", "2 to 3 min", "0.8 to 2.5 h", ""]
    assert gigabytes(2_460_000_000) == "2.5 GB"


def test_options_that_changed_since_don_t_break_an_old_run_s_page(dataset):
    [only] = options(run(dataset, config={"gone": True}))
    assert (only.name, only.value) == ("gone", True)
