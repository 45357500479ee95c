"""What the pages draw: the version table, the distance to the oracle, scatter and the worst articles."""

import pytest

from scoring import figures
from scoring.services import run_benchmark, start_benchmark
from tests.scoring import world
from training.models import Kind
from training.services import promote


def measured(model, split="test"):
    benchmark = start_benchmark(model=model, split=split)
    run_benchmark(run_id=benchmark.pk)
    benchmark.refresh_from_db()
    return benchmark


@pytest.fixture
def ridge(model, engine):
    return measured(model)


@pytest.fixture
def lora(dataset, root, ridge):
    return measured(world.model(dataset, root, "news-lora", Kind.LORA))


def test_the_table_puts_baselines_first_and_new_versions_before_old(uplifting, ridge, lora):
    table = figures.version_table(uplifting.filter)
    assert [(row.kind, row.label) for row in table.rows] == [
        ("constant", "best constant"),
        ("ridge", "ridge (news-ridge v1)"),
        ("repeat", "the oracle, asked twice"),
        ("version", "news-lora v1"),
        ("version", "news-ridge v1"),
    ]
    assert [dimension["key"] for dimension in table.dimensions] == ["impact", "evidence"]
    assert (table.n, table.split) == (16, "test")


def test_a_cell_is_never_a_bare_error(uplifting, ridge):
    cell = figures.version_table(uplifting.filter).rows[-1].cells[0]
    assert cell.low <= cell.mae <= cell.high
    assert (cell.n, cell.skill) == (16, ridge.report["outputs"][0]["skill"])


def test_the_table_says_who_serves(uplifting, ridge, lora):
    promote(model=ridge.model, filter=uplifting.filter)
    rows = figures.version_table(uplifting.filter).rows
    assert {row.label: row.aliases for row in rows if not row.baseline} == {"news-lora v1": [], "news-ridge v1": ["champion"]}


def test_versions_of_another_data_set_are_marked(uplifting, ridge, lora, oracle, root):
    from training import datasets

    other = datasets.freeze(name="other", versions=[uplifting], oracle=oracle, seed=9, fractions=(0.6, 0.2, 0.2))
    promote(model=ridge.model, filter=uplifting.filter)
    measured(world.model(other, root, "other-ridge"))
    rows = {row.label: row.comparable for row in figures.version_table(uplifting.filter).rows if not row.baseline}
    assert rows == {"other-ridge v1": False, "news-lora v1": True, "news-ridge v1": True}


def test_a_filter_without_benchmarks_has_an_empty_table(uplifting):
    table = figures.version_table(uplifting.filter)
    assert (table.rows, table.dataset, table.version) == ([], None, uplifting)


def test_a_track_runs_from_zero_to_the_constant(ridge, lora, uplifting):
    track = figures.tracks(lora, uplifting)[0]
    figure = lora.report["outputs"][0]
    assert (track.mae, track.constant, track.travelled) == (figure["mae"], figure["constant_mae"], figure["skill"])
    assert (track.half_repeat, track.repeat) == (0.25, 0.5)
    assert track.ridge == ridge.report["outputs"][0]["mae"]


def test_a_ridge_is_not_measured_against_itself(ridge, uplifting):
    assert figures.tracks(ridge, uplifting)[0].ridge is None


def test_a_track_can_be_read_out(lora, uplifting):
    sentence = figures.tracks(lora, uplifting)[0].sentence
    assert sentence.startswith("impact: 1.00, 70 % better than a constant")
    assert "; asked twice, the oracle differs from itself by 0.50; n = 16" in sentence


def test_the_small_track_is_the_mean_over_dimensions(lora, uplifting):
    track = figures.mean_track(lora, uplifting.filter)
    assert track.mae == lora.report["filters"]["uplifting"]["mae"]


def test_a_dimension_that_was_never_measured_has_no_track(lora):
    assert figures.track(lora.report, "uplifting", "beauty") is None


def test_scatter_shows_clipped_predictions_beside_the_truth(ridge):
    impact, evidence = figures.scatter(ridge)
    assert (impact.dimension, evidence.dimension) == ("impact", "evidence")
    assert impact.predicted == [min(10, true + 1) for true in impact.truth]


def test_the_worst_articles_come_with_the_oracles_reasons(ridge, uplifting):
    uplifting.labels.update(reasoning="Water for all.")
    worst = figures.worst_articles(ridge, 4)
    assert [w.error for w in worst] == sorted((w.error for w in worst), reverse=True)
    assert worst[0].reasons == {"uplifting": "Water for all."}
    assert [(s.filter, s.dimension) for s in worst[0].scores] == [("uplifting", "impact"), ("uplifting", "evidence")]


def test_the_worst_can_be_asked_of_one_filter(ridge):
    assert figures.worst_articles(ridge, 3, "risk") == []
    assert len(figures.worst_articles(ridge, 3, "uplifting")) == 3
