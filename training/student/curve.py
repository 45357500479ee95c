"""`python -m training.student.curve` draws a learning curve: students of parts of a data set, and the law their errors follow.

Every seed puts the training articles into an order of its own, and its parts are beginnings of that order, so a larger
part holds the smaller one. All are measured on the same validation rows. Each point is kept on disk as soon as it is
known; a process that is started again with the same --work trains none twice.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery_site.common.errors import BadInput
from distillery_site.common.statistics import known_rows, mean_of_columns

from . import artifact, config, history, lease, powerlaw
from .config import KernelConfig
from .data import Corpus, Floats, read_corpus, targets
from .events import Emit, exit_code, to_stdout

KINDS = ("ridge", "kernel", "lora")
Floats32 = NDArray[np.float32]
SHARES = (0.1, 0.2, 0.4, 0.8, 1.0)
SEEDS, FEWEST_SEEDS, MOST_SEEDS = 3, 3, 20
FEWEST_ARTICLES = 8


@dataclass(frozen=True)
class Point:
    """One student to train: the first `articles` of seed's order."""

    share: float
    articles: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.articles}-{self.seed}"


def problems(shares: Sequence[float], seeds: int, articles: int) -> list[str]:
    """What is wrong with a plan for a data set of so many training articles, in sentences."""
    found = []
    if any(not 0 < share <= 1 for share in shares) or 1.0 not in shares:
        found.append("The shares must lie above 0 and up to 1, and the whole, 1, must be among them.")
    elif len({round(share * articles) for share in shares}) < powerlaw.FEWEST_SIZES:
        found.append(f"A curve needs {powerlaw.FEWEST_SIZES} different shares or more; {SHARES} are usual.")
    elif (least := round(min(shares) * articles)) < FEWEST_ARTICLES:
        found.append(
            f"The smallest share is {least} of {articles:,} training articles, and a student needs {FEWEST_ARTICLES} at least; "
            "leave the smallest shares out, or label more."
        )
    if not FEWEST_SEEDS <= seeds <= MOST_SEEDS:
        found.append(f"The curve takes {FEWEST_SEEDS} to {MOST_SEEDS} seeds, not {seeds}.")
    return found


def plan(shares: Sequence[float], seeds: int, articles: int, *, noisy: bool) -> list[Point]:
    """The students to train, small ones first. All articles are one set for every seed: only a `noisy` kind repeats it."""
    found = []
    for share in sorted(set(shares)):
        size = round(share * articles)
        found += [Point(share, size, seed) for seed in range(1 if size == articles and not noisy else seeds)]
    return found


def noisy(kind: str) -> bool:
    """Whether the same articles give another student with another seed."""
    return any(option.name == "seed" for option in fields(config.KINDS[kind]))


def chosen(point: Point, articles: int) -> list[int]:
    """Places of a part's articles among all of them, in their old order."""
    return sorted(np.random.default_rng(point.seed).permutation(articles)[: point.articles].tolist())


def part(corpus: Corpus, point: Point) -> Corpus:
    """The corpus with a part of its training rows and all validation rows; known by a name of its own."""
    train = corpus.split("train")
    examples = (*(train[i] for i in chosen(point, len(train))), *corpus.split("val"))
    return replace(corpus, examples=examples, fingerprint=f"{corpus.fingerprint} {point.name}")


@dataclass(frozen=True)
class Drawing:
    """One curve being drawn; `work` keeps a small file a point, and the student that is being trained."""

    corpus: Corpus
    config: config.Config
    work: Path
    emit: Emit
    base: Path | None = None

    def draw(self, points: Sequence[Point]) -> None:
        self._own_the_folder()
        done, total = 0, sum(point.articles for point in points)
        self.emit("started", points=len(points), articles=total)
        for point in points:
            self._say(done, total, point)
            figures = self._known(point) or self._measure(point)
            done += point.articles
            self.emit("point", **figures, done=done, total=total)
        self.emit("fitted", fit=fitted(self.corpus, {point: np.load(self._errors_of(point)) for point in points}))

    def _say(self, done: int, total: int, point: Point) -> None:
        self.emit("learning", articles=point.articles, seed=point.seed, done=done, total=total)

    def _own_the_folder(self) -> None:
        """Points of another data set, or of other options, are thrown away."""
        key = {"fingerprint": self.corpus.fingerprint, "config": config.to_json(self.config)}
        stored = self.work / "curve.json"
        if stored.is_file() and json.loads(stored.read_text(encoding="utf-8")) != key:
            shutil.rmtree(self.work)
        artifact.write_json(stored, key)

    def _errors_of(self, point: Point) -> Path:
        return self.work / f"{point.name}.npy"

    def _figures_of(self, point: Point) -> Path:
        return self.work / f"{point.name}.json"

    def _known(self, point: Point) -> dict[str, Any] | None:
        path = self._figures_of(point)
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() and self._errors_of(point).is_file() else None

    def _measure(self, point: Point) -> dict[str, Any]:
        began, student = time.monotonic(), self.work / "student"
        errors = self._errors(point, student)
        figures = {
            **asdict(point),
            "mae": mean_of_columns(errors),
            "mae_by_output": history.by_output(errors),
            "seconds": time.monotonic() - began,
        }
        np.save(self._errors_of(point), errors.astype(np.float32))
        artifact.write_json(self._figures_of(point), figures)  # last: a point with figures is a whole one
        shutil.rmtree(student, ignore_errors=True)
        return figures

    def _errors(self, point: Point, student: Path) -> Floats:
        """[validation rows, outputs]: absolute errors of a student of this part."""
        return history.errors(targets(self.corpus.split("val")), self._scores(point, part(self.corpus, point), student))

    def _scores(self, point: Point, corpus: Corpus, student: Path) -> Floats:
        student.mkdir(parents=True, exist_ok=True)
        match self.config:
            case config.RidgeConfig():
                from . import baselines

                trained = baselines.fit(corpus, self.config, student, self._quietly)
            case config.KernelConfig():
                return self._scores_of_kernel(point, corpus, self.config)
            case config.LoraConfig():
                from .lora import fit

                seeded = replace(self.config, seed=self.config.seed + point.seed)
                trained = fit.fit(corpus, seeded, student, self._quietly, self._base())
            case _:
                raise BadInput(f"A learning curve is drawn with {' or '.join(KINDS)}.")
        return trained.predict([example.text for example in corpus.split("val")])

    def _scores_of_kernel(self, point: Point, corpus: Corpus, settings: KernelConfig) -> Floats:
        """The base reads every article once for all points; after that a student takes seconds."""
        from . import kernel

        train, val = self._read
        parts, _ = kernel.learn(corpus, settings, train[chosen(point, len(train))], val)
        return kernel.Machine(parts, settings.root)(val)

    @cached_property
    def _read(self) -> tuple[Floats32, Floats32]:
        """[articles, features] of the whole corpus' training and validation rows, kept beside the points."""
        from . import kernel, reader, tokens

        assert isinstance(self.config, KernelConfig)
        reads = reader.Reader(
            self._base(), tokens.tokenizer_of(self._base()), tokens.Reading.of(vars(self.config)), self.config.layers
        )
        vectors = kernel.vectors_of(reads, self.corpus, self.config, self.work / "reading", self._quietly)
        articles = len(self.corpus.split("train"))
        return vectors[:articles], vectors[articles:]

    def _base(self) -> Path:
        if self.base is None:
            raise BadInput("This student needs --base, the folder of its base model.")
        return self.base

    def _quietly(self, event: str, **values: Any) -> None:
        """Of a student's own events only its steps are told: they say that it is alive, and how far."""
        if event == "step":
            self.emit("step", step=values["step"], steps=values["steps"])


def fitted(corpus: Corpus, errors: dict[Point, Floats]) -> dict[str, Any]:
    """What LearningCurve.fit keeps: for each filter its curve and its best constant; for each dimension the ends of its curve."""
    constant = history.errors(*_constant(corpus))
    columns: dict[str, list[int]] = {}
    for place, output in enumerate(corpus.outputs):
        columns.setdefault(output.filter, []).append(place)
    return {
        "labels": len(corpus.split("train")),
        "filters": {
            slug: {**_curve(errors, places).to_json(), "constant": mean_of_columns(constant[:, places])}
            for slug, places in columns.items()
        },
        "outputs": [_output(asdict(output), errors, constant, place) for place, output in enumerate(corpus.outputs)],
    }


def _constant(corpus: Corpus) -> tuple[Floats, Floats]:
    truth = targets(corpus.split("val"))
    return truth, np.tile(history.medians(corpus), (len(truth), 1))


def _curve(errors: dict[Point, Floats], places: list[int]) -> powerlaw.Curve:
    by_size: dict[int, list[Floats]] = {}
    for point, all_outputs in errors.items():
        by_size.setdefault(point.articles, []).append(all_outputs[:, places].astype(np.float64))
    return powerlaw.Curve.of(powerlaw.measured(by_size), known_rows(next(iter(errors.values()))[:, places]))


def _output(output: dict[str, Any], errors: dict[Point, Floats], constant: Floats, place: int) -> dict[str, Any]:
    """A dimension's figures, null where the validation rows have no score of it."""
    if np.isnan(constant[:, place]).all():
        return {**output, "curve": None, "constant": None}
    told = _curve(errors, [place]).to_json()
    return {**output, "curve": {**told, "laws": []}, "constant": float(np.nanmean(constant[:, place]))}


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m training.student.curve", description=__doc__)
    add = root.add_argument
    add("--kind", choices=KINDS, default="ridge", help="what is trained on each part (default %(default)s)")
    add("--data", required=True, type=Path, metavar="DIR", help="dataset.json and examples.jsonl")
    add("--work", required=True, type=Path, metavar="DIR", help="where points are kept; run again with it, none is trained twice")
    add("--config", type=Path, metavar="FILE", help='JSON: {"preset": NAME, option: value, …}')
    add("--base", type=Path, metavar="DIR", help="kernel and lora: the base model's folder")
    add(
        "--lease", type=Path, metavar="FILE", help="kernel and lora: the lock of this machine's accelerator, held while it learns"
    )
    add("--shares", type=float, nargs="+", default=SHARES, metavar="SHARE", help="of the training articles (default %(default)s)")
    add("--seeds", type=int, default=SEEDS, help="orders of the articles (default %(default)s)")
    return root


def run(args: argparse.Namespace, emit: Emit) -> None:
    options = json.loads(args.config.read_text(encoding="utf-8")) if args.config else {}
    corpus, student = read_corpus(args.data), config.make(args.kind, options)
    articles = len(corpus.split("train"))
    if wrong := problems(args.shares, args.seeds, articles):
        raise BadInput(*wrong)
    drawing = Drawing(corpus, student, args.work, emit, args.base)
    with _accelerator(args, emit):
        drawing.draw(plan(args.shares, args.seeds, articles, noisy=noisy(args.kind)))


def _accelerator(args: argparse.Namespace, emit: Emit) -> AbstractContextManager[None]:
    """A ridge needs none."""
    if args.lease is None or args.kind == "ridge":
        return nullcontext()
    about = {"what": "curve", "kind": args.kind, "out": str(args.work)}
    return lease.hold(args.lease, about, wait=lambda holder: emit("waiting", holder=holder))


def main(argv: Sequence[str] | None = None, emit: Emit = to_stdout) -> int:
    """The exit code; see `events.exit_code`."""
    args = parser().parse_args(argv)
    return exit_code(lambda: run(args, emit), emit)


if __name__ == "__main__":
    sys.exit(main())
