"""Scores brought nearer to the oracle's after training, and the range in which the oracle's own score lies. NumPy only.

Both are learnt from validation rows, one output at a time, and both distrust themselves. A map (`fit`) is kept only where
folds that it was not fitted on agree that it helps. An interval (`intervals`) is a split-conformal one: the quantile of
|oracle − student| over rows that the student was not fitted on, within a band of the student's score.
Which errors are honest: a stack's are cross-fitted, and so are those of a map. Penalties, shrinkage and the best epoch are
chosen on the same validation rows, but from few alternatives: choosing shrinkage anew in every fold left the measured
coverage where it was (ridge, 25 draws of 360 rows: .902 both ways). For penalties and epochs the test split is the check.
NaN means null and is left out everywhere; predictions are clipped to 0–10 before they are measured.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np

from . import metrics
from .data import Floats

FOLDS = 5
AGREEING = 4  # folds out of FOLDS in which a map must help
ENOUGH = {"affine": 100, "isotonic": 200}  # labelled validation rows below which a map isn't even tried
STEEPEST = 5.0  # a steeper map would blow up the last digits in which two machines differ
_SLOPES = np.linspace(0.0, 2.0, 41)
_BLOCK, _STEPS = 10, 20  # rows that a step of an isotonic map stands on, at least; steps it has, at most

LEVEL = 0.9
ENOUGH_IN_A_BAND = 40
TOP = 10.0
_EDGES = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, TOP)

Map = Mapping[str, Any]


def fit(truth: Floats, raw: Floats, seed: int = 0) -> tuple[dict[str, Any], Floats]:
    """The manifest's `calibration`, and the rows' scores under maps that never saw them, [n, outputs].

    `raw` are predictions by a student that was not fitted on these rows. Of "affine" and "isotonic" an output takes the one
    that lowers the MAE most on rows left out of its fit, if it does so in 4 of 5 folds and the mean gain over the rows is
    larger than that mean's standard error; else it keeps its scores as they are ("none").
    """
    fold = np.random.default_rng(seed).permutation(len(raw)) % FOLDS
    columns = [_choose(truth[:, column], raw[:, column], fold) for column in range(raw.shape[1])]
    chosen = [found for found, _ in columns]
    unseen = np.stack([scores for _, scores in columns], axis=1)
    return {"folds": FOLDS, "n": len(raw), "outputs": chosen}, unseen


def apply(calibration: Mapping[str, Any] | None, raw: Floats) -> Floats:
    """[n, outputs] calibrated scores, neither clipped nor rounded; without a calibration the scores themselves."""
    if calibration is None:
        return raw
    return np.stack([_mapped(one, raw[:, column]) for column, one in enumerate(calibration["outputs"])], axis=1)


def kept(calibration: Mapping[str, Any] | None) -> int:
    """How many outputs have a map."""
    return sum(one["kind"] != "none" for one in calibration["outputs"]) if calibration else 0


def _mapped(one: Map, scores: Floats) -> Floats:
    if one["kind"] == "affine":
        mapped: Floats = one["intercept"] + one["slope"] * scores
        return mapped
    return np.interp(scores, one["from"], one["to"]) if one["kind"] == "isotonic" else scores


def _choose(truth: Floats, raw: Floats, fold: np.ndarray) -> tuple[dict[str, Any], Floats]:
    """An output's map with what spoke for it, and its scores out of fold."""
    known = ~np.isnan(truth)
    before = _errors(truth, raw)
    figures = {"mae_before": _mean(before[known]), "mae_after": _mean(before[known]), "folds_agree": 0}
    best: tuple[dict[str, Any], Floats] = {"kind": "none", **figures}, raw
    for kind, learn in _LEARNERS.items():
        if known.sum() < ENOUGH[kind]:
            continue
        unseen = _out_of_fold(learn, truth, raw, fold)
        after, found = _errors(truth, unseen)[known], learn(truth[known], raw[known])
        agree, clear = _judge(before[known] - after, fold[known])
        if clear and agree >= AGREEING and _slope(found) <= STEEPEST and np.mean(after) < best[0]["mae_after"]:
            best = {**found, **figures, "mae_after": _mean(after), "folds_agree": agree}, unseen
    return best


def _judge(gain: Floats, fold: np.ndarray) -> tuple[int, bool]:
    """In how many folds the rows gain, and whether their mean gain is clearly above 0."""
    agree = sum(float(np.mean(gain[fold == part])) > 0 for part in np.unique(fold))
    return agree, bool(np.mean(gain) > np.std(gain, ddof=1) / np.sqrt(len(gain)))


def _out_of_fold(learn: Callable[[Floats, Floats], Map], truth: Floats, raw: Floats, fold: np.ndarray) -> Floats:
    known, unseen = ~np.isnan(truth), raw.copy()
    for part in np.unique(fold):
        rest = known & (fold != part)
        unseen[fold == part] = _mapped(learn(truth[rest], raw[rest]), raw[fold == part])
    return unseen


def _affine(truth: Floats, raw: Floats) -> dict[str, Any]:
    """The slope of a grid, with the median of what it leaves as intercept, that has the least MAE after clipping."""
    intercepts = np.median(truth - _SLOPES[:, None] * raw, axis=1)
    errors = [np.mean(_errors(truth, at + slope * raw)) for slope, at in zip(_SLOPES, intercepts, strict=True)]
    best = int(np.argmin(errors))
    return {"kind": "affine", "slope": float(_SLOPES[best]), "intercept": float(intercepts[best])}


def _isotonic(truth: Floats, raw: Floats) -> dict[str, Any]:
    """The non-decreasing steps with the least MAE, joined by straight lines.

    Pool adjacent violators with medians (Robertson & Wright 1980, "Algorithms in order restricted statistical inference
    and the Cauchy mean value property"); a mean, as in least squares, would pull the many zeros up.
    """
    order = np.argsort(raw, kind="stable")
    blocks = _blocks(raw[order], max(_BLOCK, len(order) // _STEPS))
    steps: list[tuple[int, list[float]]] = []  # how many blocks, and their labels
    for block in blocks:
        steps.append((1, truth[order[block]].tolist()))
        while len(steps) > 1 and np.median(steps[-2][1]) > np.median(steps[-1][1]):
            (right, last), (left, before) = steps.pop(), steps.pop()
            steps.append((left + right, before + last))
    values = [float(np.median(labels)) for count, labels in steps for _ in range(count)]
    return {"kind": "isotonic", "from": [float(np.median(raw[order[block]])) for block in blocks], "to": values}


_LEARNERS: dict[str, Callable[[Floats, Floats], dict[str, Any]]] = {"affine": _affine, "isotonic": _isotonic}


def _blocks(ordered: Floats, rows: int) -> list[np.ndarray]:
    """Places of at least `rows` each, in order; equal scores stay together."""
    ends, start = [], 0
    for place in (np.flatnonzero(np.diff(ordered) > 0) + 1).tolist():
        if place - start >= rows and len(ordered) - place >= rows:
            ends.append(place)
            start = place
    return np.split(np.arange(len(ordered)), ends)


def _slope(one: Map) -> float:
    """A map's steepest slope."""
    if one["kind"] == "affine":
        return float(one["slope"])
    rises = np.diff(one["to"]) / np.diff(one["from"])
    return float(rises.max(initial=0.0))


def intervals(truth: Floats, predicted: Floats, level: float = LEVEL) -> dict[str, Any]:
    """The manifest's `intervals`: for each output and band of the predicted score half the interval's width.

    Split conformal (Lei et al. 2018, "Distribution-free predictive inference for regression") within bands (Mondrian;
    Vovk et al. 2003): of a band's n absolute errors the ⌈(n + 1) · level⌉-th smallest, so that the oracle's score of
    another such article lies inside with a probability of at least `level`. Bands with fewer than 40 rows join a
    neighbour; where a rank of that size is beyond n, the interval is the whole scale.
    """
    clipped = metrics.clip(predicted)[0]
    columns = [_bands(truth[:, column], clipped[:, column], level) for column in range(clipped.shape[1])]
    return {"level": level, "source": "validation", "n": len(truth), "outputs": columns}


def _bands(truth: Floats, predicted: Floats, level: float) -> dict[str, Any]:
    known = ~np.isnan(truth)
    errors, scores = np.abs(predicted - truth)[known], predicted[known]
    edges = merged_edges(scores)
    band = _band_of(edges, scores)
    inside = [errors[band == number] for number in range(len(edges) - 1)]
    return {"edges": edges, "half_width": [conformal_quantile(e, level) for e in inside], "n": [len(e) for e in inside]}


def conformal_quantile(errors: Floats, level: float) -> float:
    """The ⌈(n + 1) · level⌉-th smallest of n errors; the scale's length where n is too small for that."""
    rank = ceil((len(errors) + 1) * level - 1e-9)  # 0.9 · 10 is a little more than 9 in binary
    return float(np.sort(errors)[rank - 1]) if rank <= len(errors) else TOP


def merged_edges(scores: Floats) -> list[float]:
    """Band edges from 0 to 10, from the top down: a band that lacks rows takes in the one below it.

    Most scores of most outputs are near 0. Where too few lie above the lowest edge, they aren't lost among these: the
    highest ones get a band that begins where it has enough rows.
    """
    ordered, edges = np.sort(scores), [TOP]
    left = len(ordered)  # the lowest ones, in no band yet
    for edge in _EDGES[-2:0:-1]:
        below = int(np.searchsorted(ordered, edge))
        if min(left - below, below) >= ENOUGH_IN_A_BAND:
            edges.append(edge)
            left = below
    if edges[-1] > _EDGES[1] and left >= 2 * ENOUGH_IN_A_BAND and np.median(ordered[:left]) < _EDGES[1]:
        edges += _high_ones(ordered[:left])
    return [0.0, *reversed(edges)]


def _high_ones(ordered: Floats) -> list[float]:
    """Where the highest scores begin, if they can be told from the rest: more may be equal than a band needs."""
    start = ordered[-ENOUGH_IN_A_BAND]
    if start == ordered[0]:
        above = ordered[ordered > start]
        return [float(above[0])] if len(above) >= ENOUGH_IN_A_BAND // 2 else []
    return [float(start)] if np.sum(ordered < start) >= ENOUGH_IN_A_BAND else []


def _band_of(edges: Sequence[float], scores: Floats) -> np.ndarray:
    return np.searchsorted(np.asarray(edges[1:-1]), scores, side="right")


def interval(known: Mapping[str, Any], scores: Floats) -> tuple[Floats, Floats]:
    """Lower and upper ends [n, outputs] for final scores [n, outputs], inside 0–10. `known`: a manifest's `intervals`."""
    clipped = metrics.clip(scores)[0]
    half = np.empty_like(clipped)
    for column, one in enumerate(known["outputs"]):
        half[:, column] = np.asarray(one["half_width"])[_band_of(one["edges"], clipped[:, column])]
    return np.maximum(clipped - half, 0.0), np.minimum(clipped + half, TOP)


def coverage(known: Mapping[str, Any], truth: Floats, predicted: Floats) -> list[dict[str, Any]]:
    """For each output {level, share, n, mean_width}: how often the oracle's score lay inside, over rows that have one."""
    low, high = interval(known, predicted)
    inside = (low <= truth + _ROUNDING) & (truth <= high + _ROUNDING)
    return [
        _covered(known["level"], inside[rows, column], (high - low)[rows, column])
        for column, rows in enumerate((~np.isnan(truth)).T)
    ]


_TINY, _ROUNDING = 1e-6, 1e-9  # a score exactly at an interval's end is inside


def _covered(level: float, inside: np.ndarray, widths: Floats) -> dict[str, Any]:
    return {"level": level, "share": _mean(inside), "n": len(inside), "mean_width": _mean(widths)}


def mean_coverage(
    truth: Floats, predicted: Floats, level: float = LEVEL, splits: int = 200, seed: int = 0, break_ties: bool = False
) -> Floats:
    """[splits, outputs]: intervals made on a random half of the rows, and their coverage of the other half.

    NaN where an output has no label in the other half. An interval includes its ends, so where many rows err by exactly the
    same (whole scores, a student that says 0 to most) it covers more than `level`: all of them are inside, and without
    them it would cover less. `break_ties` moves each of the oracle's scores by a random millionth, into the scale:
    conformal with ties broken at random (Vovk, Gammerman & Shafer 2005, "smoothed"), whose coverage is `level` exactly.
    It shows that the excess comes from ties alone; people get the closed intervals, for those keep their promise.
    """
    rng, found = np.random.default_rng(seed), []
    if break_ties:
        truth = truth + np.where(truth < TOP / 2, _TINY, -_TINY) * rng.random(truth.shape)
    for _ in range(splits):
        order = rng.permutation(len(truth))
        ours, theirs = order[: len(order) // 2], order[len(order) // 2 :]
        known = intervals(truth[ours], predicted[ours], level)
        found.append([one["share"] for one in coverage(known, truth[theirs], predicted[theirs])])
    return np.array(found, dtype=np.float64)


def _errors(truth: Floats, scores: Floats) -> Floats:
    return metrics.absolute_errors(truth, metrics.clip(scores)[0])


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None
