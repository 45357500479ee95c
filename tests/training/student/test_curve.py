"""Drawing a learning curve: which students of which articles, and what is kept when the process dies."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import small_students
from training.student import curve, kernel, reader
from training.student.curve import Drawing, Point, part, plan, problems


@pytest.fixture(scope="module")
def corpus():
    return small_students.corpus()


class Scripted(Drawing):
    """Its students err by a law, at once; `trained` says which ones there were."""

    trained: list[str] = []

    def _errors(self, point, student):
        self.trained.append(point.name)
        if len(self.trained) == getattr(self, "dies_at", 0):
            raise KeyboardInterrupt
        return np.full((32, 3), 0.3 + 0.1 * point.share**-0.5 + 0.01 * point.seed) + np.array([0.0, np.nan, 0.1])


def draw(corpus, work: Path, points, kind=Scripted) -> list[dict]:
    events: list[dict] = []
    drawing = kind(corpus, curve.config.make("ridge"), work, lambda event, **values: events.append({"event": event, **values}))
    drawing.draw(points)
    return events


@pytest.fixture
def points():
    return plan((0.25, 0.5, 0.75, 1.0), 3, 96, noisy=False)


@pytest.fixture(autouse=True)
def fresh():
    Scripted.trained = []


def test_the_whole_is_trained_once_by_a_student_without_chance(points):
    assert [point.articles for point in points] == [24, 24, 24, 48, 48, 48, 72, 72, 72, 96]
    assert len(plan((0.25, 1.0), 3, 96, noisy=True)) == 6
    assert (curve.noisy("ridge"), curve.noisy("lora")) == (False, True)


def test_parts_are_nested_and_validated_on_the_same_rows(corpus):
    small, large = (part(corpus, Point(share, articles, 1)) for share, articles in ((0.25, 24), (0.5, 48)))
    assert {e.id for e in small.split("train")} < {e.id for e in large.split("train")}
    assert small.split("val") == large.split("val") == corpus.split("val")
    assert small.fingerprint != large.fingerprint != corpus.fingerprint


def test_seeds_are_different_orders_that_come_again(corpus):
    one, two, again = ([e.id for e in part(corpus, Point(0.25, 24, seed)).split("train")] for seed in (1, 2, 1))
    assert one == again != two


def test_it_tells_every_point_and_then_the_law_of_each_filter(corpus, tmp_path, points):
    events = draw(corpus, tmp_path, points)
    told = [event for event in events if event["event"] == "point"]
    assert len(told) == 10 and told[-1]["done"] == told[-1]["total"] == 24 * 3 + 48 * 3 + 72 * 3 + 96
    assert told[0]["mae"] == pytest.approx(0.55) and np.isnan(told[0]["mae_by_output"][1])
    fit = events[-1]["fit"]
    assert list(fit["filters"]) == ["gloom", "cheer"] and fit["labels"] == 96
    assert fit["filters"]["gloom"]["points"][-1][0] == pytest.approx(0.4)
    assert [output["curve"] is not None for output in fit["outputs"]] == [True, True, True]
    json.dumps(fit["filters"], allow_nan=False)


def test_it_trains_nothing_twice(corpus, tmp_path, points):
    Scripted.dies_at = 4
    with pytest.raises(KeyboardInterrupt):
        draw(corpus, tmp_path, points)
    Scripted.dies_at = 0
    events = draw(corpus, tmp_path, points)
    assert Scripted.trained == [*[point.name for point in points[:4]], *[point.name for point in points[3:]]]
    assert len([event for event in events if event["event"] == "point"]) == 10
    draw(corpus, tmp_path, points)
    assert len(Scripted.trained) == 11


def test_points_of_another_data_set_are_thrown_away(corpus, tmp_path, points):
    draw(corpus, tmp_path, points)
    draw(replace(corpus, fingerprint="another"), tmp_path, points)
    assert len(Scripted.trained) == 20


def test_a_point_without_its_errors_is_trained_again(corpus, tmp_path, points):
    draw(corpus, tmp_path, points)
    (tmp_path / "24-0.npy").unlink()
    draw(corpus, tmp_path, points)
    assert Scripted.trained.count("24-0") == 2 and len(Scripted.trained) == 11


@pytest.mark.parametrize(
    ("shares", "seeds", "articles", "sentence"),
    [
        ((0.1, 0.2, 0.4, 0.8), 3, 1000, "the whole, 1, must be among them"),
        ((0.0, 0.2, 0.4, 1.0), 3, 1000, "The shares must lie above 0"),
        ((0.1, 0.5, 1.0), 3, 1000, "A curve needs 4 different shares or more"),
        ((0.1, 0.2, 0.4, 1.0), 3, 40, "The smallest share is 4 of 40 training articles"),
        ((0.1, 0.2, 0.4, 1.0), 2, 1000, "The curve takes 3 to 20 seeds, not 2."),
    ],
)
def test_it_refuses_a_plan_that_gives_no_curve(shares, seeds, articles, sentence):
    assert sentence in problems(shares, seeds, articles)[0]


def test_the_usual_plan_is_fine():
    assert problems(curve.SHARES, curve.SEEDS, 2836) == []


def told(*arguments: str | Path) -> tuple[int, list[dict]]:
    events: list[dict] = []
    code = curve.main([str(word) for word in arguments], lambda event, **values: events.append({"event": event, **values}))
    return code, events


def test_ridges_learn_from_parts_of_real_files(tmp_path):
    data = small_students.write(tmp_path / "data")
    options = tmp_path / "config.json"
    options.write_text('{"alphas": [1.0], "char_features": 200}')
    code, events = told(
        "--data", data, "--work", tmp_path / "work", "--config", options, "--shares", "0.25", "0.5", "0.75", "1", "--seeds", "3"
    )
    assert code == 0
    assert {event["event"] for event in events} == {"started", "learning", "step", "point", "fitted"}
    filters = events[-1]["fit"]["filters"]
    assert filters["cheer"]["points"][0][0] > filters["cheer"]["points"][-1][0]
    assert filters["cheer"]["constant"] > filters["cheer"]["points"][-1][0]
    assert not (tmp_path / "work" / "student").exists()


def test_a_lora_learns_with_the_seed_of_its_order(cast, corpus, tmp_path):
    options = curve.config.make("lora", {"preset": "tiny", "epochs": 1})
    drawing = Drawing(corpus, options, tmp_path, lambda event, **values: None, cast.base)
    one, two = (drawing._measure(Point(0.25, 24, seed)) for seed in (0, 1))
    assert one["mae"] != two["mae"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["24-0.json", "24-0.npy", "24-1.json", "24-1.npy"]


def test_a_kernel_reads_every_article_once_for_all_points(cast, corpus, tmp_path, monkeypatch):
    read: list[str] = []
    monkeypatch.setattr(reader.Reader, "__call__", counted(reader.Reader.__call__, read))
    options = curve.config.make("kernel", {"base": "tiny", "layers": 2, "max_lost_share": 1.0, "max_tokens": 32})
    points = [Point(0.25, 24, 0), Point(0.5, 48, 0), Point(1.0, 96, 0)]
    drawing = Drawing(corpus, options, tmp_path, lambda event, **values: None, cast.base)
    maes = [drawing._measure(point)["mae"] for point in points]
    assert len(read) == 128 and len(set(maes)) == 3
    trained = kernel.fit(corpus, options, tmp_path / "alone", drawing.emit, cast.base)
    assert trained.history.best.val_mae == pytest.approx(maes[-1], abs=1e-6)


def counted(call, read):
    def counting(self, texts):
        read.extend(texts)
        return call(self, texts)

    return counting


def test_a_ridge_needs_no_accelerator(tmp_path):
    lease, said = tmp_path / "gpu.lease", lambda event, **values: None
    for kind in curve.KINDS:
        args = curve.parser().parse_args(["--kind", kind, "--data", ".", "--work", ".", "--lease", str(lease)])
        with curve._accelerator(args, said):
            assert lease.exists() == (kind != "ridge")


def test_it_says_what_is_missing(tmp_path):
    code, events = told("--data", tmp_path, "--work", tmp_path / "work")
    assert code == 1
    assert "dataset.json is missing" in events[-1]["text"] and events[-1]["permanent"]
