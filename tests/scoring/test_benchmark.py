"""A benchmark is a run over stored predictions: once a split, safe to interrupt, and patient with the scoring process."""

import pytest

from distillery_site.common.errors import BadInput, Permanent
from distillery_site.common.runs import RunState
from labeling.models import ReviewTask
from scoring import services
from scoring.engine.base import EngineDown, Overloaded, WrongHash
from scoring.engine.local import LocalEngine
from scoring.figures import times_opened
from scoring.models import Benchmark
from scoring.services import push_worst, run_benchmark, start_benchmark
from tests.fakes.student import FakeStudent
from tests.scoring import world
from tests.training import world as newsroom
from training.models import ModelOutput
from training.student.data import Output


class Refusing:
    """An engine that answers `good` times and then raises."""

    def __init__(self, engine, error, good=0):
        self.engine, self.error, self.left = engine, error, good

    def score(self, **asked):
        if self.left == 0:
            raise self.error
        self.left -= 1
        return self.engine.score(**asked)


@pytest.fixture
def benchmark(model, engine):
    return start_benchmark(model=model)


def ran(benchmark, through=None) -> Benchmark:
    run_benchmark(run_id=benchmark.pk, through=through)
    benchmark.refresh_from_db()
    return benchmark


def test_it_measures_every_article_of_the_split(benchmark, dataset):
    done = ran(benchmark)
    assert done.state == RunState.DONE, done.error
    assert done.predictions.count() == done.report["n"] == dataset.items.filter(split="test").count() == 16
    assert done.seconds_per_article > 0
    assert (done.progress_done, done.progress_total) == (16, 16)


def test_it_binds_the_report_to_what_was_measured(benchmark, model, dataset, uplifting):
    assert ran(benchmark).report["hashes"] == {
        "manifest": model.manifest_sha256,
        "dataset": dataset.fingerprint,
        "rubrics": {"uplifting v1": uplifting.rubric_hash},
    }


def test_asking_again_returns_the_same_row_and_opens_the_test_split_once(benchmark, model, dataset):
    before = ran(benchmark).report
    again = start_benchmark(model=model)
    assert (again.pk, again.state, ran(again).report) == (benchmark.pk, RunState.DONE, before)
    assert times_opened(dataset) == 1


def test_each_version_that_looks_at_the_test_split_is_counted(benchmark, dataset, root):
    start_benchmark(model=world.model(dataset, root))
    start_benchmark(model=benchmark.model, split="val")
    assert times_opened(dataset) == 2


def test_a_scoring_process_that_is_down_delays_it(benchmark, engine):
    late = ran(benchmark, Refusing(engine, EngineDown("Nobody answers.")))
    assert (late.state, late.error) == (RunState.QUEUED, "Nobody answers.")
    assert late.not_before is not None


def test_it_comes_back_when_a_busy_scoring_process_asked_it_to(benchmark, engine):
    late = ran(benchmark, Refusing(engine, Overloaded("Busy.", 40)))
    assert 30 < (late.not_before - late.started_at).total_seconds() < 60


def test_it_goes_on_where_it_stopped(benchmark, engine, monkeypatch):
    monkeypatch.setattr(services, "CHUNK", 5)
    late = ran(benchmark, Refusing(engine, EngineDown("Gone."), good=3))
    assert (late.state, late.predictions.count()) == (RunState.QUEUED, 10)
    Benchmark.objects.update(not_before=None)
    done = ran(benchmark)
    assert (done.state, done.predictions.count()) == (RunState.DONE, 16)


def test_a_lasting_refusal_fails_it_with_the_reason(benchmark, engine):
    failed = ran(benchmark, Refusing(engine, WrongHash("Another manifest.")))
    assert (failed.state, failed.error) == (RunState.FAILED, "Another manifest.")


def test_asking_again_revives_a_failed_one(benchmark, engine, model):
    ran(benchmark, Refusing(engine, WrongHash("Another manifest.")))
    assert ran(start_benchmark(model=model)).state == RunState.DONE


def test_a_person_can_cancel_it(benchmark, engine, monkeypatch):
    monkeypatch.setattr(Refusing, "score", lambda self, **asked: (benchmark.request_cancel(), engine.score(**asked))[1])
    assert ran(benchmark, Refusing(engine, None)).state == RunState.CANCELLED


def test_it_refuses_the_split_that_the_student_learned_from(model):
    with pytest.raises(BadInput, match="val or test"):
        start_benchmark(model=model, split="train")


def test_it_refuses_a_data_set_without_the_models_outputs(model, uplifting):
    stranger = newsroom.version("risk", ["severity"])
    ModelOutput.objects.create(model=model, position=2, version=stranger, dimension="severity")
    with pytest.raises(Permanent, match="severity of risk v1"):
        start_benchmark(model=model)


def test_it_refuses_columns_that_mean_something_else_on_disk(benchmark, root):
    turned = FakeStudent(outputs=[Output("uplifting", 1, key) for key in ("evidence", "impact")])
    failed = ran(benchmark, LocalEngine(root, load=lambda folder, sha: turned))
    assert failed.state == RunState.FAILED
    assert "are not those that were registered" in failed.error


def test_it_refuses_articles_that_changed_since(benchmark, dataset):
    story = dataset.items.filter(split="test").first().article
    story.text = "Something else."
    story.save()
    failed = ran(benchmark)
    assert failed.state == RunState.FAILED
    assert "changed since" in failed.error


def test_it_asks_people_about_the_worst(benchmark, uplifting):
    tasks = push_worst(benchmark=ran(benchmark), limit=3)
    assert len(tasks) == 3
    assert {(task.version_id, task.reason) for task in tasks} == {(uplifting.pk, ReviewTask.Reason.WORST)}
    assert tasks[0].priority == max(task.priority for task in tasks)
