"""How unusual a label is, given what a student that never saw it says: over all dimensions at once. NumPy only."""

import numpy as np

from distillery_site.common.statistics import Floats

FEW = 0.25  # points: errors on a dimension that is nearly always 0 are tiny, and yet no tenth of a point is a mistake
KEPT = 0.75  # share of the rows, the most usual ones, that say how dimensions err together
_STEPS = 10
_SHRINKAGE = 0.02
_NOTHING = 1e-9  # a student that makes no errors
_TO_DEVIATION = 1.4826  # from a median absolute deviation to a standard deviation, of a normal distribution


def surprise(misses: Floats, usual: Floats | None = None) -> Floats:
    """How many times as far as the usual (median) row each row of `misses`, [n, dimensions] of label − student, lies, [n].

    Mahalanobis distances (1936) whose covariance is learnt from the three quarters of rows that lie nearest, in the
    concentration steps of Rousseeuw and Van Driessen's FAST-MCD (1999), so that what is wrong doesn't pass for usual; over
    the square root of the number of dimensions known. `usual` is the size of a typical error where it is known, [n,
    dimensions]; else each dimension's, from its median absolute deviation. Three dimensions that usually err together say
    less than three that don't, and one that errs against the others says more than its size. NaN is left out; a row
    without any label is NaN.
    """
    told = ~np.isnan(misses).all(axis=0)
    centred = misses[:, told] - np.nanmedian(misses[:, told], axis=0)
    spread = _TO_DEVIATION * np.nanmedian(np.abs(centred), axis=0) if usual is None else usual[:, told]
    typical = centred / np.maximum(spread, FEW)
    found = _distances(typical, _moments(np.clip(typical, -3.0, 3.0)))
    for _ in range(_STEPS):
        nearest = found <= np.nanquantile(found, KEPT)
        found = _distances(typical, _moments(typical[nearest]))
    times: Floats = found / max(float(np.nanmedian(found)), _NOTHING)
    return times


def _distances(typical: Floats, moments: Floats) -> Floats:
    """One solution for each pattern of known dimensions, of which there are few."""
    found = np.full(len(typical), np.nan)
    known = ~np.isnan(typical)
    for pattern in np.unique(known[known.any(axis=1)], axis=0):
        rows = (known == pattern).all(axis=1)
        part = typical[rows][:, pattern]
        solved = np.linalg.solve(moments[np.ix_(pattern, pattern)], part.T).T
        found[rows] = np.sqrt((part * solved).sum(axis=1) / pattern.sum())
    return found


def _moments(typical: Floats) -> Floats:
    """Second moments over the rows that have both dimensions, drawn a little towards none in common, so that they invert."""
    known = ~np.isnan(typical)
    filled = np.where(known, typical, 0.0)
    both = np.maximum(known.T.astype(float) @ known, 1.0)
    raw: Floats = filled.T @ filled / both
    alone = np.maximum(np.diag(raw), _SHRINKAGE)
    return (1 - _SHRINKAGE) * raw + np.diag(alone - (1 - _SHRINKAGE) * np.diag(raw))
