"""`python -m training.student.screen` guesses the scores of unlabelled articles from a few labelled ones.

A ridge regression on TF-IDF of words and word pairs: with some 80 articles to learn from, runs of characters add nothing
but time. Texts come and guesses go as files of JSON lines, so that only this process ever loads scikit-learn.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from distillery_site.common.errors import BadInput

from .baselines import solve
from .data import Floats

ALPHA = 1.0
FEATURES = 20_000
CHUNK = 1_000  # texts in memory at a time


class Guesser:
    """score = tfidf(text) · coef + intercept, one column a dimension; NaN in `scores` is a score that is not there."""

    def __init__(self, texts: Sequence[str], scores: Floats):
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.vectors = TfidfVectorizer(ngram_range=(1, 2), max_features=FEATURES, sublinear_tf=True, dtype=np.float32)
        try:
            rows = self.vectors.fit_transform(texts)
        except ValueError:
            raise BadInput("The labelled articles hold no words to learn from.") from None
        self.coef, self.intercept = solve(rows.tocsr(), scores, np.ones(len(texts)), ALPHA)

    def __call__(self, texts: Sequence[str]) -> Floats:
        return np.asarray(self.vectors.transform(texts) @ self.coef, dtype=np.float64) + self.intercept


def screen(labelled: Path, pool: Path, out: Path) -> int:
    """Read {text, scores} and {id, text} lines, write {id, scores} lines in the pool's order; how many there were."""
    known = list(_rows(labelled))
    scores = [[np.nan if score is None else score for score in row["scores"]] for row in known]
    guess, done = Guesser([row["text"] for row in known], np.array(scores, dtype=np.float64)), 0
    with out.open("w", encoding="utf-8") as written:
        rows = _rows(pool)
        while chunk := list(islice(rows, CHUNK)):
            _write(written, chunk, guess([row["text"] for row in chunk]))
            done += len(chunk)
    return done


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _write(written: IO[str], chunk: Sequence[dict[str, Any]], guesses: Floats) -> None:
    for row, scores in zip(chunk, guesses, strict=True):
        written.write(json.dumps({"id": row["id"], "scores": [round(float(score), 4) for score in scores]}) + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.student.screen", description=__doc__)
    for name in ("labelled", "pool", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args(argv)
    try:
        screen(args.labelled, args.pool, args.out)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
