"""The last steps of every training: reload from disk, compare, measure, report, and only then the manifest."""

import os
import platform
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distillery_site.common.errors import Permanent

from . import artifact, calibrate, reports
from .data import Corpus, Floats, targets
from .events import Emit
from .history import History, errors, sample, validation_metrics

_COMPARED = 48  # validation texts on which memory and disk are compared


@dataclass(frozen=True)
class Trained:
    """What a kind hands over once its weights are written: the manifest so far, and the student in memory."""

    manifest: Mapping[str, Any]
    predict: Callable[[Sequence[str]], Floats]
    history: History
    val_raw: Floats | None = None  # validation predictions where they are known already
    val_unseen: Floats | None = None  # cross-fitted ones, where the final student was fitted on the validation rows
    started: float = field(default_factory=time.monotonic)


def complete(trained: Trained, corpus: Corpus, directory: Path, emit: Emit, *, bases: Path | None = None) -> None:
    """Complete the folder and say so; refuses a student whose reloaded copy predicts otherwise than the one in memory."""
    own = artifact.open_student(directory, trained.manifest, "", bases=bases)
    measured = _measured(trained, own, corpus, emit)
    manifest = {**trained.manifest, **measured}
    reloaded = artifact.calibrated(own, manifest)
    figures = {**_compare(trained, reloaded, manifest, corpus), **measured["metrics"]}
    figures["chosen_epoch"] = _chosen_epoch(trained)
    texts = artifact.golden_texts(corpus)
    golden = {"texts": texts, "predictions": reloaded.predict(texts).tolist()}
    manifest |= {"metrics": figures, "golden": golden}
    _write_side_files(directory, manifest, trained, corpus)
    announce(directory, artifact.seal(directory, manifest), emit)


def announce(directory: Path, sha256: str, emit: Emit) -> None:
    """The `done` event of a complete student, also when a run finds that it was complete already."""
    shutil.rmtree(directory / artifact.WORK, ignore_errors=True)
    figures = artifact.read_manifest(directory)[0]["metrics"]
    wanted = ("val_mae", "chosen_epoch", "reload_max_diff", "batch_max_diff")
    emit("done", manifest_sha256=sha256, **{name: figures[name] for name in wanted})


def _chosen_epoch(trained: Trained) -> int:
    """The best epoch; where the mean of the last epochs' weights was better, the last of these."""
    averaged = trained.manifest.get("averaged")
    return int(averaged["epochs"][-1]) if averaged and averaged["kept"] else trained.history.best.number


def _compare(trained: Trained, reloaded: artifact.Student, manifest: Mapping[str, Any], corpus: Corpus) -> dict[str, float]:
    some = [example.text for example in sample(_COMPARED, corpus.split("val"), seed=0)]
    texts = [*artifact.golden_texts(corpus), *some]
    together, before = reloaded.predict(texts), calibrate.apply(manifest["calibration"], trained.predict(texts))
    few = texts[:8]
    alone = [reloaded.predict([text])[0] for text in few]
    figures = {
        "reload_max_diff": artifact.max_difference(before, together),
        "batch_max_diff": max(artifact.max_difference(a, b) for a, b in zip(alone, together[: len(few)], strict=True)),
    }
    for name, what in (("reload_max_diff", "read back from disk"), ("batch_max_diff", "asked alone instead of in a batch")):
        if not figures[name] <= artifact.TOLERANCE:
            raise Permanent(f"The student predicts otherwise when {what}: off by {figures[name]:.4f} points.")
    return figures


def _measured(trained: Trained, own: artifact.Student, corpus: Corpus, emit: Emit) -> dict[str, Any]:
    """The manifest's metrics, calibration and intervals, all from validation rows under choices that never saw them."""
    truth, raw = targets(corpus.split("val")), trained.val_raw
    if raw is None:
        raw = own.predict([example.text for example in corpus.split("val")])
    calibration, unseen = calibrate.fit(truth, raw if trained.val_unseen is None else trained.val_unseen)
    emit("note", text=_said(calibration))
    figures = validation_metrics(corpus, calibrate.apply(calibration, raw), errors(truth, unseen))
    return {"metrics": figures, "calibration": calibration, "intervals": calibrate.intervals(truth, unseen)}


def _said(calibration: Mapping[str, Any]) -> str:
    kept, fewest = [one for one in calibration["outputs"] if one["kind"] != "none"], min(calibrate.ENOUGH.values())
    if calibration["n"] < fewest:
        return f"No calibration: it takes {fewest} validation articles, and these are {calibration['n']}."
    if not kept:
        return "No calibration: on rows that it was not fitted on it did not clearly lower the validation MAE of any score."
    gain = sum(one["mae_before"] - one["mae_after"] for one in kept) / len(kept)
    return (
        f"Calibration is kept for {len(kept)} of {len(calibration['outputs'])} scores: on rows that it was not fitted on it "
        f"lowers their validation MAE by {gain:.3f} on average."
    )


def _write_side_files(directory: Path, manifest: Mapping[str, Any], trained: Trained, corpus: Corpus) -> None:
    seconds = time.monotonic() - trained.started
    machine = {"system": platform.platform(), "python": platform.python_version(), "processors": os.cpu_count()}
    about = {key: value for key, value in manifest.items() if key not in ("golden", "files")}
    artifact.write_json(directory / "training_metadata.json", {**about, "seconds": seconds, "machine": machine})
    artifact.write_json(directory / "training_history.json", trained.history.to_json())
    reports.write(directory / "reports", {**about, "seconds": seconds}, corpus, trained.history)
