import pytest

from distillery_site.common.errors import Permanent
from training import registry
from training.models import ModelVersion, TrainingRun
from training.registry import nursery, register, was_moved
from training.services import start_training
from training.student import artifact


@pytest.fixture
def run(folders, dataset) -> TrainingRun:
    return start_training(dataset=dataset, kind="ridge")


def another(run: TrainingRun) -> TrainingRun:
    return TrainingRun.objects.create(dataset=run.dataset, kind="ridge", model_name=run.model_name)


def grow(run: TrainingRun, outputs: list | None = None) -> TrainingRun:
    """A complete folder without weights, different for every run."""
    out = nursery(run)
    out.mkdir(parents=True)
    (out / "weights").write_text(f"weights of {run.pk}")
    if outputs is None:
        outputs = [{"filter": v.filter.slug, "version": v.number, "dimension": key} for v, key in run.dataset.outputs]
    artifact.seal(out, {"format": 1, "kind": run.kind, "outputs": outputs, "metrics": {"val_mae": 0.4}, "run": run.pk})
    return run


def test_it_numbers_versions_by_name_and_moves_their_folders(run):
    first = register(run=grow(run), out_dir=nursery(run))
    next_run = grow(another(run))
    second = register(run=next_run, out_dir=nursery(next_run))
    assert (first.ref, second.ref) == ("news-ridge/v1", "news-ridge/v2")
    assert (second.path / "weights").read_text() == f"weights of {next_run.pk}"
    assert not nursery(run).exists()


def test_a_version_knows_its_columns(run, uplifting):
    model = register(run=grow(run), out_dir=nursery(run))
    assert model.columns(uplifting) == {"impact": 0, "evidence": 1}
    assert artifact.read_manifest(model.path) == (model.manifest, model.manifest_sha256)


def test_registering_twice_gives_the_same_version(run):
    first = register(run=grow(run), out_dir=nursery(run))
    assert register(run=run, out_dir=nursery(run)) == first
    assert ModelVersion.objects.count() == 1


def crash(*args, **values):
    raise SystemExit("the power went")


def test_a_crash_before_the_move_is_repaired_by_doing_it_again(run, monkeypatch):
    grow(run)
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(registry, "_settled", crash)
        register(run=run, out_dir=nursery(run))
    assert register(run=run, out_dir=nursery(run)).ref == "news-ridge/v1"


def test_a_crash_between_move_and_row_is_repaired_where_the_folder_lies(run, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(registry, "_add", crash)
        register(run=grow(run), out_dir=nursery(run))
    assert was_moved(run)
    model = register(run=run, out_dir=nursery(run))
    assert (model.ref, model.run) == ("news-ridge/v1", run)


def test_a_folder_whose_row_is_still_to_come_keeps_its_number(run, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(registry, "_add", crash)
        register(run=grow(run), out_dir=nursery(run))
    other = grow(another(run))
    assert register(run=other, out_dir=nursery(other)).number == 2
    assert register(run=run, out_dir=nursery(run)).number == 1


def test_it_refuses_a_file_that_changed_since_the_manifest(run):
    grow(run)
    (nursery(run) / "weights").write_text("other weights")
    with pytest.raises(Permanent, match="weights in the student run-.* has changed"):
        register(run=run, out_dir=nursery(run))


def test_it_refuses_a_folder_without_a_manifest(run):
    nursery(run).mkdir(parents=True)
    with pytest.raises(Permanent, match="never completely written"):
        register(run=run, out_dir=nursery(run))


def test_it_refuses_where_there_is_no_folder(run):
    with pytest.raises(Permanent, match="There is no student in"):
        register(run=run, out_dir=nursery(run))


def test_it_refuses_outputs_that_are_not_the_data_sets(run):
    grow(run, outputs=[{"filter": "uplifting", "version": 1, "dimension": "evidence"}])
    with pytest.raises(Permanent, match="not the dimensions of its data set"):
        register(run=run, out_dir=nursery(run))
