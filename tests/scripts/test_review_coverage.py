"""The bench that plants biases and noise counts what it should."""

import numpy as np
import pytest

from scripts.bench import review_coverage as bench


def test_it_counts_how_often_each_interval_holds_its_planted_value(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bench, "MANY", 60_000)
    found = bench.coverage(seeds=40)
    assert {"anchoring", "alpha", "icc", "icc_k", "apart", "within", "oracle_bias", "true_quality"} <= found.keys()
    assert all(0.8 <= share <= 1 for share in found.values())


def test_what_it_plants_is_what_many_articles_show():
    """Half points and the scale's ends take a little of the planted pull, and of the oracle's bias."""
    made = bench.project(np.random.default_rng(0), 50_000)
    away = [np.nanmean(np.abs(scores - made.oracle[:, None])) for scores in (made.blind, made.sighted)]
    assert 1 - away[1] / away[0] == pytest.approx(bench.PULL, abs=0.05)
    assert np.nanmean(made.oracle - made.true) == pytest.approx(bench.ORACLE_BIAS, abs=0.02)
    assert (~np.isnan(made.blind)).sum(axis=1).tolist() == [bench.EACH] * 50_000
