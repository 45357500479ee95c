"""How often the 95 % intervals of reviewing hold the truth that was planted: the anchoring meter, agreement, true quality.

A project of its real size is invented a thousand times: 300 articles drawn at random, each scored by two of five people
who are milder or stricter and noisy, on half points between 0 and 10 (low scores are common, high ones rare); one turn in
ten with the oracle's scores in sight, which pulls people towards them; and a student measured on 600 test articles of which
60 were reviewed. The true figures are those of the same process on a quarter of a million articles. Nothing of the
product is imitated here: the estimates are those that its pages show.

    python scripts/bench/review_coverage.py [--seeds 1000] [--articles 300]        about two minutes on one core
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from distillery_site.common.estimates import corrected_mean, difference, mean_interval
from distillery_site.common.raters import agreement
from distillery_site.common.statistics import Interval

Floats = NDArray[np.float64]
SEEDS, ARTICLES, TEST, TOLD = 1000, 300, 600, 60
MILDER = np.array([-0.5, -0.2, 0.0, 0.3, 0.6])  # each person's planted bias, in points
NOISE, ORACLE_BIAS, ORACLE_NOISE = 0.8, 0.4, 0.5
EACH, UNBLINDED, PULL = 2, 0.1, 0.4  # people an article; share of turns in sight; share of the way they are then pulled
MANY, DRAWS = 250_000, 400


@dataclass(frozen=True)
class Project:
    """Articles' true scores, the oracle's, each person's blind score, and what was said with the oracle's in sight."""

    true: Floats
    oracle: Floats
    blind: Floats
    sighted: Floats


def on_scale(scores: Floats) -> Floats:
    return np.clip(np.round(2 * scores) / 2, 0, 10)


def project(rng: np.random.Generator, n: int) -> Project:
    true = 10 * rng.beta(2, 4, n)
    oracle = np.clip(np.round(true + ORACLE_BIAS + rng.normal(0, ORACLE_NOISE, n), 1), 0, 10)
    heard = true[:, None] + MILDER + rng.normal(0, NOISE, (n, len(MILDER)))
    dealt = rng.random(heard.shape).argsort(axis=1) < EACH
    blind = np.where(dealt, on_scale(heard), np.nan)
    sighted = np.where(dealt, on_scale(heard + PULL * (oracle[:, None] - heard)), np.nan)
    return Project(true, oracle, blind, sighted)


def anchoring(rng: np.random.Generator, n: int) -> Interval:
    """How many points nearer to the oracle people land with its scores in sight; one lot a turn."""
    made = project(rng, n)
    shown = rng.random(made.blind.shape) < (UNBLINDED if n < MANY else 0.5)
    away = [np.abs(scores - made.oracle[:, None]) for scores in (made.blind, made.sighted)]
    return difference(away[0][~shown], away[1][shown])


def people(rng: np.random.Generator, n: int) -> dict[str, Interval]:
    """People beside people."""
    (found,) = agreement([project(rng, n).blind], draws=DRAWS if n < MANY else 2)
    return {"alpha": found.alpha, "icc": found.icc, "icc_k": found.icc_k, "apart": found.apart, "within": found.within}


def oracle(rng: np.random.Generator, n: int) -> dict[str, Interval]:
    """The mean of an article's people beside the oracle, and by how much that one is milder."""
    made = project(rng, n)
    table = np.column_stack([np.nanmean(made.blind, axis=1), made.oracle])
    (found,) = agreement([table], draws=DRAWS if n < MANY else 2)
    shift = mean_interval(table[:, 1] - table[:, 0])
    return {"oracle_alpha": found.alpha, "oracle_icc": found.icc, "oracle_apart": found.apart, "oracle_bias": shift}


def quality(rng: np.random.Generator, n: int) -> Interval:
    """The student's error against people: the oracle's on all test articles, put right by those that people scored."""
    made = project(rng, n)
    student = np.clip(made.oracle - 0.2 * (made.oracle - 3) + rng.normal(0, 0.6, n), 0, 10)
    said = np.abs(student - np.nanmean(made.blind, axis=1))
    told = rng.permutation(n) < (TOLD if n < MANY else n)
    return corrected_mean(np.abs(student - made.oracle), np.where(told, said, np.nan))


def measured(rng: np.random.Generator, articles: int, test: int) -> dict[str, Interval]:
    found = {"anchoring": anchoring(rng, articles), **people(rng, articles), **oracle(rng, articles)}
    return {**found, "true_quality": quality(rng, test)}


def coverage(
    seeds: int = SEEDS, articles: int = ARTICLES, test: int = TEST, say: Callable[[str], None] = lambda words: None
) -> dict[str, float]:
    """{figure: the share of seeds whose interval holds the planted value}."""
    truth = {name: found.value for name, found in measured(np.random.default_rng(10**6), MANY, MANY).items()}
    held = dict.fromkeys(truth, 0)
    for seed in range(seeds):
        for name, found in measured(np.random.default_rng(seed), articles, test).items():
            held[name] += found.low <= truth[name] <= found.high
        if (seed + 1) % 250 == 0:
            say(f"{seed + 1:,} seeds")
    say("planted: " + ", ".join(f"{name} {value:.3f}" for name, value in truth.items()))
    return {name: round(float(hits) / seeds, 4) for name, hits in held.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How often the 95 % intervals of reviewing hold the planted truth.")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--articles", type=int, default=ARTICLES)
    asked = parser.parse_args()
    print(json.dumps(coverage(asked.seeds, asked.articles, say=lambda words: print(words, file=sys.stderr))))
