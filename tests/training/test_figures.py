import pytest

from tests.training import world
from training import datasets
from training.figures import columns, dataset_table, lineage, run_curve
from training.models import Dataset, ModelVersion, TrainingEpoch, TrainingRun


@pytest.fixture
def run(dataset) -> TrainingRun:
    run = TrainingRun.objects.create(dataset=dataset, kind="ridge", model_name="news-ridge", loss_curve=[[1, 2.0]], steps=9)
    for number, mae in ((1, 0.5), (2, 0.4), (3, float("nan"))):
        TrainingEpoch.objects.create(run=run, number=number, val_mae=mae, val_mae_by_output=[mae, None], seconds=1)
    return run


def test_columns_name_every_dimension_in_order(dataset):
    assert [(column.filter, column.version, column.key, column.name) for column in columns(dataset)] == [
        ("uplifting", 1, "impact", "Impact"), ("uplifting", 1, "evidence", "Evidence"),
    ]  # fmt: skip


def test_a_curve_shows_loss_and_errors_by_column(run):
    curve = run_curve(run)
    assert (curve.loss, curve.steps) == ([(1, 2.0)], 9)
    assert [(column.key, mae) for column, mae in curve.epochs[0].by_output] == [("impact", 0.5), ("evidence", None)]


def test_the_best_epoch_so_far_is_the_least_known_error_until_one_is_chosen(run):
    assert run_curve(run).best.number == 2
    run.epochs.filter(number=1).update(chosen=True)
    assert run_curve(run).best.number == 1


def test_a_data_sets_table_counts_what_was_frozen(dataset):
    table = dataset_table(dataset)
    assert [(row.split, row.articles, row.clusters) for row in table.splits] == [("train", 32, 32), ("val", 4, 4), ("test", 4, 4)]
    impact, evidence = table.dimensions
    scores = [seed % 11 for seed in range(40)]
    assert (impact.n, impact.missing, impact.mean) == (40, 0, pytest.approx(sum(scores) / 40))
    assert impact.zero_share == scores.count(0) / 40
    assert impact.n_ge_5 == sum(score >= 5 for score in scores)
    assert impact.counts == [scores.count(score) for score in range(11)]
    assert evidence.counts[0] == 0  # halves round up


def test_a_table_counts_what_is_missing(uplifting, oracle, stories):
    risk = world.version("risk", ("shock", "debt"))
    world.label(stories[0], risk, oracle, [2, None])
    shock, debt = dataset_table(datasets.freeze(name="both", versions=[uplifting, risk], oracle=oracle)).dimensions[2:]
    assert (shock.n, shock.missing, shock.mean) == (1, 39, 2.0)
    assert (debt.n, debt.missing, debt.mean) == (0, 40, None)


def test_a_lineage_goes_one_step_back_and_one_step_on(run, dataset):
    made = ModelVersion.objects.create(
        name="news-lora",
        number=1,
        kind="lora",
        dataset=dataset,
        run=run,
        manifest_sha256="a",
        manifest={"base": {"name": "minilm", "revision": "0.1.0"}},
    )
    stacking = TrainingRun.objects.create(dataset=dataset, kind="stack", model_name="news-stack")
    stacking.parents.add(made)
    stack = ModelVersion.objects.create(name="news-stack", number=1, kind="stack", dataset=dataset, run=stacking, manifest={})
    line = lineage(made)
    assert (line.run, line.dataset, line.labelled_by, line.base) == (run, dataset, "Claude, reading 1", "minilm@0.1.0")
    assert (line.children, lineage(stack).parents, lineage(stack).base) == ([stack], [made], "")


def test_figures_cost_few_queries(run, dataset, django_assert_max_num_queries):
    fresh = Dataset.objects.get(pk=dataset.pk)
    with django_assert_max_num_queries(3):
        dataset_table(fresh)
    with django_assert_max_num_queries(4):
        run_curve(TrainingRun.objects.get(pk=run.pk))
