"""Ridge regression with a Gaussian kernel over what a frozen base makes of an article."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.small_students import run
from training.student import artifact, kernel, reader
from training.student.kernel import Machine, distances, solve
from training.student.reader import evenly


def test_it_compares_the_layers_of_its_base_up_to_the_last(cast):
    manifest, _ = artifact.read_manifest(cast.kernel)
    assert manifest["chosen"]["layers"] == [1, 2]
    assert {len(manifest["chosen"][f"{name}_by_output"]) for name in ("gamma", "alpha", "shrink")} == {3}
    assert manifest["parameters"]["trainable"] == 96 * 3


def test_it_needs_the_base_that_it_learned_with(cast, tmp_path):
    with pytest.raises(artifact.ArtifactError, match="is not on this machine"):
        artifact.load(cast.kernel, bases=tmp_path)


def fit(cast, out, **options):
    return run("--kind", "kernel", "--data", cast.data, "--base", cast.base, "--out", out, max_lost_share=1.0, **options)


def test_a_killed_training_does_not_read_its_articles_again(cast, tmp_path, monkeypatch):
    read, whole = [], reader.Reader.__call__

    def stumbling(self, texts):
        read.append(len(texts))
        if len(read) == 4:
            raise MemoryError
        return whole(self, texts)

    monkeypatch.setattr(reader, "_PIECE", 32)
    monkeypatch.setattr(reader.Reader, "__call__", stumbling)
    assert fit(cast, tmp_path / "out").code == 1
    assert fit(cast, tmp_path / "out").code == 0
    assert read[:5] == [32, 32, 32, 32, 32]
    assert sum(read[:5]) == 128 + 32  # the piece that failed, once more, and none of the others


def test_it_refuses_more_articles_than_it_can_compare(cast, tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "_MOST", 3)
    done = fit(cast, tmp_path / "out")
    assert (done.code, done.named("error")[0]["text"]) == (
        1, "A kernel student compares all pairs of articles: 3 are the most, and these are 96."
    )  # fmt: skip


def test_without_a_penalty_it_knows_its_training_rows_by_heart():
    rng = np.random.default_rng(0)
    rows, truth = rng.normal(size=(20, 4)).astype(np.float32), rng.uniform(0, 10, size=(20, 2))
    coef, intercept = solve(np.exp(-distances(rows, rows)), np.sqrt(truth), np.ones(20), 1e-9)
    parts = {"rows": rows, "mean": np.zeros(4, np.float32), "spread": np.ones(4, np.float32), "coef": coef,
             "intercept": intercept, "gamma": np.ones(2)}  # fmt: skip
    assert np.allclose(Machine(parts, root=True)(rows), truth, atol=1e-3)


def test_a_weight_of_two_counts_as_two_like_rows():
    rng = np.random.default_rng(1)
    rows, truth = rng.normal(size=(6, 3)).astype(np.float32), rng.uniform(size=(6, 1))
    twice, said = np.concatenate([rows, rows[:1]]), np.concatenate([truth, truth[:1]])
    weights = np.array([2.0, 1, 1, 1, 1, 1])
    one, first = solve(np.exp(-distances(rows, rows)), truth, weights, 0.3)
    two, second = solve(np.exp(-distances(twice, twice)), said, np.ones(7), 0.3)
    assert np.allclose(first, second)
    assert np.allclose(np.exp(-distances(rows, rows)) @ one, np.exp(-distances(rows, twice)) @ two)


def test_a_row_without_a_target_has_no_say_in_it():
    rng = np.random.default_rng(2)
    pairs = np.exp(-distances(*[rng.normal(size=(5, 2)).astype(np.float32)] * 2))
    truth = np.array([[1.0, 4], [2, np.nan], [3, 5], [4, 1], [np.nan, 2]])
    coef, _ = solve(pairs, truth, np.ones(5), 0.1)
    assert coef[1, 1] == coef[4, 0] == 0
    assert np.isfinite(coef).all()


@given(st.integers(1, 40), st.integers(1, 60))
def test_layers_are_spread_evenly_and_end_with_the_last(depth, count):
    chosen = evenly(depth, count)
    assert chosen[-1] == depth
    assert chosen == sorted(set(chosen)) and len(chosen) == min(depth, count)
    assert chosen[0] >= 1
