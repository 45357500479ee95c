"""Which language a text is in, by py3langid.

Its model takes 90 MB, so a process of its own holds it for as long as an import lasts (`python -m labeling.articles.language`:
a JSON list of texts a line in, a list of languages a line out) and the web process stays small.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

from distillery_site.common.errors import Permanent

# Real English news of 60 words and more is far above this; two-word scraps, which it takes for Serbian or French, far below.
SURE = 0.5
READ_CHARACTERS = 600
ROOT = Path(__file__).resolve().parents[2]


class Detector:
    """Names languages; the process behind it starts with the first text. Use `detector()`, which ends it."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None

    def detect(self, texts: Sequence[str]) -> list[str]:
        """ISO 639 code for each text, judged by its opening; "" where that is unclear. Raises Permanent."""
        if not texts:
            return []
        child = self._started()
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(json.dumps([text[:READ_CHARACTERS] for text in texts]) + "\n")
            child.stdin.flush()
            return list(json.loads(child.stdout.readline()))
        except (OSError, ValueError):
            raise Permanent(
                "Finding out an article's language did not work; it needs py3langid, from Distillery's [label] extra. "
                "Rows with a language of their own don't need it."
            ) from None

    def _started(self) -> "subprocess.Popen[str]":
        if self._child is None:
            command, pipe = [sys.executable, "-m", "labeling.articles.language"], subprocess.PIPE
            self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
        return self._child

    def close(self) -> None:
        if self._child is not None:
            self._child.communicate()


@contextmanager
def detector() -> Iterator[Detector]:
    found = Detector()
    try:
        yield found
    finally:
        found.close()


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _name(text: str) -> str:
    language, probability = _identifier().classify(text)
    return language if probability >= SURE else ""


def _serve(inward: IO[str], outward: IO[str]) -> None:
    for line in inward:
        print(json.dumps([_name(text) for text in json.loads(line)]), file=outward, flush=True)


if __name__ == "__main__":
    _serve(sys.stdin, sys.stdout)
