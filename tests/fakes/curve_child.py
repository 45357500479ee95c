"""A learning curve's process whose students learn by a known law: `python -m tests.fakes.curve_child SCENE LOG --kind …`.

Everything is real but the training: it appends a line to LOG for each student.
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from training.student import curve
from training.student.data import targets

LAW = {"draws": 0.2, "killed": 0.2, "flat": 0.0, "hangs": 0.2, "refuses": 0.2}


def errors(drawing: curve.Drawing, point: curve.Point, student: Path) -> Any:
    with log.open("a") as file:
        file.write(f"{point.name}\n")
    if scene == "hangs":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(120)
    if scene == "killed" and len(log.read_text().split()) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if scene == "refuses":
        raise curve.BadInput("The median article would lose 80 % of its tokens.")
    truth = targets(drawing.corpus.split("val"))
    rows = np.linspace(0.8, 1.2, len(truth))[:, None]
    return (0.3 + LAW[scene] * point.share**-0.5 + 0.002 * point.seed) * rows + np.zeros_like(truth)


if __name__ == "__main__":
    scene, log = sys.argv[1], Path(sys.argv[2])
    curve.Drawing._errors = errors  # type: ignore[method-assign]
    sys.exit(curve.main(sys.argv[3:]))
