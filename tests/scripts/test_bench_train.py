"""The training bench on a tiny base: it drives the real code, takes turns, and its ratios mean what they say."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from scripts import bench_train
from scripts.bench import train_lap, train_speed
from scripts.bench.train_speed import Contestant, Lane, Turn
from tests.fakes import small_students

OPTIONS = {"preset": "tiny", "max_lost_share": 1.0}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.parametrize("what", ["ours", "trainer", "seed", "products"])
def test_a_contestant_takes_the_steps_it_is_told(
    cast: small_students.Cast, what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: a lap's real code, with stdin that says 2 steps and ends."""
    options = json.dumps({**OPTIONS, "max_tokens": 32})
    monkeypatch.setattr("sys.argv", ["train_lap", what, str(cast.data), str(cast.base), options, "--warm", "1"])
    monkeypatch.setattr("sys.stdin", io.StringIO("2\n"))
    put_back(monkeypatch)
    train_lap.main()
    ready, turn, end = (json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{"))
    assert ready == {"ready": True}
    assert turn["seconds"] > 0
    assert (turn["articles"], turn["tokens"] > 0) == ((0, False) if what == "products" else (16, True))
    assert end["peak_gb"] > 0


def put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contestant changes modules of a process that is its own; this one's are to stay as they were."""
    from training.student.lora import fused, trainer

    monkeypatch.setattr(trainer, "ScoreTrainer", trainer.ScoreTrainer)
    monkeypatch.setattr(fused, "fuse", fused.fuse)
    monkeypatch.setattr(torch, "compile", no_compiler)


def no_compiler(run: Any, **options: Any) -> Any:
    def compiled(*args: Any) -> None:
        raise RuntimeError("There is no compiler.")

    return compiled


def test_products_are_those_of_the_layers_that_learn(cast: small_students.Cast) -> None:
    from scripts.bench import train_products
    from training.student import config, tokens
    from training.student.data import read_corpus
    from training.student.lora import model, rows

    recipe, tokenizer = config.make("lora", {"preset": "tiny"}), tokens.tokenizer_of(cast.base)
    assert isinstance(recipe, config.LoraConfig)
    scorer = model.build(cast.base, tokenizer, "last", 3, recipe)
    found = train_products.shapes(scorer, rows.Rows(read_corpus(cast.data).split("train"), tokenizer, recipe))
    assert len(found) == 14  # seven layers in each of two
    assert [shape.below for shape in found[:4]] == [False, False, False, True]  # q, k, v of the first layer see embeddings


def turns(*rates: float, articles: int = 8, length: int = 100) -> list[Turn]:
    return [Turn(articles * length / rate, articles, articles * length) for rate in rates]


def test_a_ratio_is_the_median_of_rounds_in_articles_of_mean_length() -> None:
    taken = {"ours": turns(1000, 1200, 900), "seed": turns(500, 500, 900, length=200), "trainer": turns(500, 1000, 900)}
    found = train_speed.figures({**taken, "products": turns(4000, 2400, 1800)}, {"ours": 1.234}, {"max_tokens": 256}, False)
    assert found["speed_vs_seed"] == pytest.approx(2.0 * 2)  # per token the median is 2, and its articles are twice as long
    assert found["speed_vs_trainer"] == pytest.approx(1.2)
    assert found["roofline_share"] == pytest.approx(0.5)
    assert found["peak_memory_gb"] == 1.23
    assert found["speed_vs_trainer_bf16"] is None
    assert found["speed_vs_seed_at_512"] is None


def test_bf16_is_the_plain_peer_where_the_processor_has_it() -> None:
    recipe = {"batch_size": 16, "accumulate": 1, "max_tokens": 256}
    assert "trainer, bf16" in [who.name for who in train_speed.contestants(recipe, False)]
    native = {who.name: who.bf16 for who in train_speed.contestants(recipe, True)}
    assert "trainer, bf16" not in native
    assert native["trainer"]
    assert "ours, 512" not in [who.name for who in train_speed.contestants({**recipe, "max_tokens": 512}, True)]


def test_a_contestant_that_dies_ends_the_bench_by_name(tmp_path: Path, quick: None) -> None:
    with pytest.raises(SystemExit, match="ours ended with status 1"):
        Lane(Contestant("ours", "ours", 8), tmp_path / "nothing", tmp_path, 1)


def test_the_last_line_has_every_figure_and_null_for_what_was_not_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(bench_train.PARTS, "speed", lambda options: {"speed_vs_seed": 3.1})
    monkeypatch.setattr("sys.argv", ["bench_train", "speed", "--folder", str(tmp_path)])
    bench_train.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["speed_vs_seed"] == 3.1
    assert found["mae"] is None
    assert set(bench_train.FIGURES) <= found.keys()


def test_an_unknown_part_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["bench_train", "sped"])
    with pytest.raises(SystemExit):
        bench_train.arguments()


def test_intervals_cover_what_they_promise_over_random_halves() -> None:
    from scripts.bench import train_platform

    dice = np.random.default_rng(0)
    truth = dice.uniform(0, 10, (700, 2))
    rows: list[Any] = [SimpleNamespace(truth=part, predicted=part + dice.normal(0, 1, part.shape)) for part in np.split(truth, 2)]
    found = train_platform.covered(rows)
    assert 0.88 < found["mean"] < 0.93
    assert found["lowest"] <= found["mean"] <= found["highest"]


def test_dimensions_stand_beside_the_best_baseline() -> None:
    from scripts.bench import train_platform

    ours = {"filter": "f", "dimension": "d", "mae": 0.5, "mae_ci": [0.4, 0.6], "constant_mae": 0.9, "repeat": None, "n": 9}
    report, straight = {"outputs": [ours]}, {"outputs": [{"mae": 0.45}]}
    assert train_platform.dimensions(report, straight, "f")["d"]["kept_up"]
    straight["outputs"][0]["mae"] = 0.3
    assert not train_platform.dimensions(report, straight, "f")["d"]["kept_up"]
    assert train_platform.dimensions(report, straight, "g") == {}


def test_the_bench_trains_by_the_demos_recipe() -> None:
    recipe, native_bf16 = train_speed._recipe()
    assert (recipe["base"], recipe["max_tokens"], recipe["batch_size"]) == ("minilm", 256, 16)
    assert isinstance(native_bf16, bool)
