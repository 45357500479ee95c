"""The figures of a report, worked out by hand: the student says one too much on impact and one too little on evidence."""

import time

import numpy as np
import pytest

from scoring import reports
from scoring.reports import ENOUGH_HIGH_SCORES, Rows
from scoring.services import run_benchmark, start_benchmark
from tests.training import world as newsroom
from training.student.data import Output


@pytest.fixture
def done(model, engine):
    benchmark = start_benchmark(model=model)
    run_benchmark(run_id=benchmark.pk)
    benchmark.refresh_from_db()
    return benchmark


@pytest.fixture
def impact(done):
    return done.report["outputs"][0]


@pytest.fixture
def truth(dataset):
    return np.array(list(dataset.items.filter(split="test").order_by("pk").values_list("targets", flat=True)))


def test_it_names_its_columns_in_the_models_order(done):
    assert [(o["filter"], o["version"], o["dimension"]) for o in done.report["outputs"]] == [
        ("uplifting", 1, "impact"),
        ("uplifting", 1, "evidence"),
    ]


def test_it_clips_before_it_measures_and_says_how_often(impact, truth):
    beyond = float(np.mean(truth[:, 0] >= 9.5))
    assert impact["mae"] == pytest.approx(np.mean(np.minimum(truth[:, 0] + 1, 10) - truth[:, 0]))
    assert impact["clipped_share"] == pytest.approx(beyond)


def test_it_knows_the_direction_of_errors(done):
    assert done.report["outputs"][0]["bias"] > 0 > done.report["outputs"][1]["bias"]


def test_the_constant_is_the_median_of_the_training_targets(impact, dataset, truth):
    learned = [targets[0] for targets in dataset.items.filter(split="train").values_list("targets", flat=True)]
    assert impact["constant"] == np.median(learned)
    assert impact["constant_mae"] == pytest.approx(np.mean(np.abs(truth[:, 0] - np.median(learned))))


def test_the_rows_own_best_constant_stands_beside_it(impact, truth):
    assert impact["own_constant"] == np.median(truth[:, 0])
    assert impact["own_constant_mae"] <= impact["constant_mae"]


def test_skill_is_the_share_of_the_constants_error_that_is_gone(impact):
    assert impact["skill"] == pytest.approx(1 - impact["mae"] / impact["constant_mae"], abs=1e-6)
    assert impact["skill_ci"][0] <= impact["skill"] <= impact["skill_ci"][1]


def test_intervals_hold_their_estimate_and_come_out_the_same_again(done, impact):
    assert impact["mae_ci"][0] <= impact["mae"] <= impact["mae_ci"][1]
    assert reports.build(done) == done.report


def test_it_counts_high_scores_and_says_when_they_are_few(impact, truth):
    high = int(np.sum(truth[:, 0] >= 5))
    assert (impact["n"], impact["n_ge_5"], impact["few"]) == (16, high, high < ENOUGH_HIGH_SCORES)


def test_it_breaks_errors_down_by_the_oracles_score(impact):
    assert sum(band["n"] for band in impact["bands"]) == impact["n"]
    assert [band["low"] for band in impact["bands"]] == [0, 1, 3, 5, 7]


def test_the_repeat_error_is_how_far_the_oracle_lies_from_itself(done, impact):
    assert impact["repeat"] == {"mae": 0.5, "ci": [0.5, 0.5], "n": 5}
    assert done.report["filters"]["uplifting"]["repeat"]["mae"] == 0.5


def test_a_filters_error_is_the_mean_over_its_dimensions(done):
    found = done.report["filters"]["uplifting"]
    assert found["mae"] == pytest.approx(np.mean([output["mae"] for output in done.report["outputs"]]), abs=1e-6)
    assert (found["version"], found["n"]) == (1, 16)


def test_readings_in_other_words_are_no_repeat_error(done, uplifting, oracle):
    stories = [label.article for label in uplifting.labels.filter(reading=2).select_related("article")]
    for story in stories[:3]:
        for reading, score in ((1, 0), (2, 9)):
            newsroom.label(story, uplifting, oracle, [score, score], reading=reading, prompt="joint")
    assert reports.build(done)["outputs"][0]["repeat"]["mae"] == 0.5


def test_without_a_second_reading_there_is_no_repeat_error(done, uplifting):
    uplifting.labels.filter(reading=2).delete()
    assert reports.build(done)["outputs"][0]["repeat"] is None


def test_articles_without_a_score_are_left_out_of_that_dimension(done, dataset, monkeypatch):
    rows = reports.rows_of(done)
    truth = rows.truth.copy()
    truth[0, 0] = np.nan
    monkeypatch.setattr(reports, "rows_of", lambda _: Rows(rows.outputs, rows.article_ids, truth, rows.raw))
    first, second = reports.build(done)["outputs"]
    assert (first["n"], second["n"]) == (15, 16)


def test_a_dimension_without_any_score_has_no_figures_and_no_nan(done, monkeypatch):
    rows = reports.rows_of(done)
    empty = np.full_like(rows.truth, np.nan)
    monkeypatch.setattr(reports, "rows_of", lambda _: Rows(rows.outputs, rows.article_ids, empty, rows.raw))
    found = reports.build(done)["outputs"][0]
    assert (found["mae"], found["skill"], found["mae_ci"]) == (None, None, [None, None])


def test_intervals_for_a_whole_filter_take_less_than_two_seconds():
    rng = np.random.default_rng(1)
    truth = rng.uniform(0, 10, (400, 14))
    rows = Rows([Output("f", 1, f"d{n}") for n in range(14)], list(range(400)), truth, truth + rng.normal(size=truth.shape))
    readings = reports._Readings([f"d{n}" for n in range(14)], np.full((96, 14), 0.2))
    start = time.process_time()
    for column in range(14):
        reports._output(rows, column, 5.0, readings)
    assert time.process_time() - start < 2
