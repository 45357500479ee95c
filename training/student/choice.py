"""Among penalties and widths tried on the same rows, each output takes what misses the validation rows least."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from . import history
from .data import Floats
from .metrics import mean_of_columns

Coefficients = NDArray[np.floating]  # [features or training rows, outputs]
_SHRINKS = np.linspace(0.0, 1.0, 21)


class Options(Protocol):
    @property
    def root(self) -> bool: ...

    @property
    def shrink(self) -> bool: ...


class Scale:
    """Scores as a regression sees them: their square roots, or the scores themselves."""

    def __init__(self, root: bool):
        self.root = root

    def to(self, scores: Floats) -> Floats:
        return np.sqrt(scores) if self.root else scores

    def back(self, values: Floats) -> Floats:
        return np.maximum(values, 0.0) ** 2 if self.root else values


class Choice:
    """For each output the setting and the pull towards the median with the smallest validation MAE so far."""

    def __init__(self, median: Floats, width: int, options: Options):
        outputs, self.scale = len(median), Scale(options.root)
        self.median, self.shrinks = self.scale.to(median), _SHRINKS if options.shrink else _SHRINKS[-1:]
        self.error, self.kept = np.full(outputs, np.inf), np.zeros(outputs)
        self.setting: list[tuple[float, ...]] = [()] * outputs
        self.coef: Coefficients = np.zeros((width, outputs), dtype=np.float32)
        self.intercept = self.median.copy()

    def consider(
        self, setting: tuple[float, ...], coef: Coefficients, intercept: Floats, predicted: Floats, truth: Floats
    ) -> float:
        """Take over the outputs that get better; returns this setting's own mean validation MAE."""
        for kept in self.shrinks[::-1]:  # of equals the least pulled
            pulled = self.scale.back(self.median + kept * (predicted - self.median))
            error = np.array(history.by_output(history.errors(truth, pulled)))
            better = np.nan_to_num(error, nan=0.0) < self.error
            self.error[better], self.kept[better] = np.nan_to_num(error)[better], kept
            self.coef[:, better] = kept * coef[:, better]
            self.intercept[better] = self.median[better] + kept * (intercept - self.median)[better]
            for column in np.flatnonzero(better):
                self.setting[column] = setting
        return mean_of_columns(history.errors(truth, self.scale.back(predicted)))
