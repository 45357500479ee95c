"""`stack`: other students' scores and the training median, mixed for each output so that the validation MAE is least."""

import itertools
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distillery_site.common.errors import BadInput

from . import artifact, history
from .config import StackConfig
from .data import Corpus, Floats, Output, targets
from .events import Emit
from .finish import Trained
from .metrics import clip, mean_of_columns

MEMBERS = "members"
_TRAIN_SAMPLE = 96


class StackStudent:
    """score = Σ weight · member's score (clipped to 0–10) + weight · median, one set of weights an output."""

    kind = "stack"

    def __init__(self, members: Sequence[artifact.Student], manifest: Mapping[str, Any], sha256: str = ""):
        self.members, self.manifest, self.manifest_sha256 = list(members), manifest, sha256
        self.outputs: list[Output] = artifact.outputs_of(manifest)
        self.view: Mapping[str, Any] = manifest["view"]
        self.weights = np.array(manifest["blend"]["weights"], dtype=np.float64)
        self.median = np.array(manifest["blend"]["median"], dtype=np.float64)

    def predict(self, texts: Sequence[str]) -> Floats:
        return blend(self.weights, [member.predict(texts) for member in self.members], self.median)

    @classmethod
    def open(cls, directory: Path, manifest: Mapping[str, Any], sha256: str, *, bases: Path | None = None) -> "StackStudent":
        return cls([_member(directory, entry, bases) for entry in manifest["members"]], manifest, sha256)


def _member(directory: Path, entry: Mapping[str, Any], bases: Path | None) -> artifact.Student:
    """A member as it was before its own calibration, which was fitted on the very rows that the weights are chosen on."""
    return artifact.uncalibrated(artifact.load(directory / entry["path"], entry["manifest_sha256"], bases=bases))


def blend(weights: Floats, predicted: Sequence[Floats], median: Floats) -> Floats:
    """[n, outputs] from weights [members + 1, outputs], the last row for the median."""
    parts = np.stack([clip(raw)[0] for raw in predicted] + [np.broadcast_to(median, predicted[0].shape)])
    mixed: Floats = np.einsum("mo,mno->no", weights, parts)
    return mixed


def fit(
    corpus: Corpus, config: StackConfig, directory: Path, emit: Emit, members: Sequence[Path], bases: Path | None = None
) -> Trained:
    """Weights from the validation rows, cross-fitted: the figures come from folds whose weights never saw them."""
    started = time.monotonic()
    entries = [_take_in(path, directory, corpus) for path in members]
    if not 2 <= len(entries) <= 4 or len({entry["manifest_sha256"] for entry in entries}) < len(entries):
        raise BadInput(f"A stack needs two to four different members; {len(entries)} were given.")
    students = [_member(directory, entry, bases) for entry in entries]
    predicted = []
    for number, student in enumerate(students, 1):
        predicted.append(student.predict([example.text for example in corpus.split("val")]))
        emit("step", step=number, steps=len(students), epoch=number / len(students), loss=None, lr=None,
             eta_s=(time.monotonic() - started) / number * (len(students) - number), tokens_per_s=None)  # fmt: skip
    median = history.medians(corpus)
    weights, unseen = cross_fit(predicted, median, targets(corpus.split("val")), config)
    mixture = {"weights": weights.tolist(), "median": median.tolist(), "parts": [e["kind"] for e in entries] + ["median"]}
    manifest = artifact.describe("stack", corpus, config, members=entries, blend=mixture)
    stack = StackStudent(students, manifest)
    progress = history.History()
    progress.add(_epoch(stack, corpus, history.errors(targets(corpus.split("val")), unseen), config, started), emit)
    return Trained(manifest, stack.predict, progress, blend(weights, predicted, median), unseen, started)


def cross_fit(predicted: Sequence[Floats], median: Floats, truth: Floats, config: StackConfig) -> tuple[Floats, Floats]:
    """Weights [members + 1, outputs], the mean over folds; and each row's scores under the weights of the folds without it."""
    fold = np.random.default_rng(config.seed).permutation(len(truth)) % config.folds
    used = [part for part in np.unique(fold) if (fold != part).any()]
    found, unseen = [], np.full(truth.shape, np.nan)
    for part in used:
        rest, here = fold != part, fold == part
        weights = best_weights([p[rest] for p in predicted], median, truth[rest], config.grid)
        unseen[here] = blend(weights, [p[here] for p in predicted], median)
        found.append(weights)
    return np.mean(found, axis=0), unseen


def best_weights(predicted: Sequence[Floats], median: Floats, truth: Floats, grid: int) -> Floats:
    """For each output the multiples of 1 / grid, summing to 1, with the least MAE; equal shares where nothing is known."""
    choices = simplex(len(predicted) + 1, grid)
    parts = np.stack([clip(raw)[0] for raw in predicted] + [np.broadcast_to(median, predicted[0].shape)])
    weights = np.full((len(parts), truth.shape[1]), 1.0 / len(parts))
    for column in range(truth.shape[1]):
        known = ~np.isnan(truth[:, column])
        if known.any():
            error = np.abs(choices @ parts[:, known, column] - truth[known, column]).mean(axis=1)
            weights[:, column] = choices[int(np.argmin(error))]
    return weights


def simplex(parts: int, grid: int) -> Floats:
    """Every [parts] of multiples of 1 / grid that sum to 1."""
    cuts = itertools.combinations(range(grid + parts - 1), parts - 1)
    rows = [np.diff([-1, *cut, grid + parts - 1]) - 1 for cut in cuts]
    return np.array(rows, dtype=np.float64) / grid


def _take_in(source: Path, directory: Path, corpus: Corpus) -> dict[str, Any]:
    """Link or copy a member into the stack's folder, which then loads alone."""
    manifest, sha256 = artifact.read_manifest(source)
    same = (manifest["dataset"] or {}).get("fingerprint") == corpus.fingerprint  # none: it learned elsewhere
    if not same or artifact.outputs_of(manifest) != list(corpus.outputs):
        raise BadInput(f"{source} learned from another data set; a stack's members must share this one, {corpus.name}.")
    target = directory / MEMBERS / f"{manifest['kind']}-{sha256[:12]}"
    if not (target / artifact.MANIFEST).exists():
        for name in [*manifest["files"], artifact.MANIFEST]:  # the manifest last
            _link(source / name, target / name)
    return {"path": target.relative_to(directory).as_posix(), "kind": manifest["kind"], "manifest_sha256": sha256,
            "base": manifest.get("base")}  # fmt: skip


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _epoch(stack: StackStudent, corpus: Corpus, unseen: Floats, config: StackConfig, started: float) -> history.Epoch:
    seen = history.sample(_TRAIN_SAMPLE, corpus.split("train"), config.seed)
    train = history.errors(targets(seen), stack.predict([example.text for example in seen]))
    seconds = time.monotonic() - started
    return history.Epoch(1, mean_of_columns(train), mean_of_columns(unseen), history.by_output(unseen), seconds)
