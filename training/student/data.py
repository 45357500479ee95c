"""What a student learns from: texts, the oracle's scores, and what each score column means."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from distillery_site.common.errors import BadInput

FORMAT = 1
Floats = NDArray[np.float64]
Split = Literal["train", "val"]


@dataclass(frozen=True)
class Output:
    """One column of targets and predictions: a dimension of one filter version."""

    filter: str
    version: int
    dimension: str


@dataclass(frozen=True)
class Example:
    id: str
    text: str
    targets: tuple[float | None, ...]
    split: Split
    weight: float = 1.0


@dataclass(frozen=True)
class Corpus:
    """A data set's training and validation rows; the test rows never reach a student."""

    name: str
    fingerprint: str
    outputs: tuple[Output, ...]
    view: Mapping[str, Any]
    rubric_hashes: Mapping[str, str]
    examples: tuple[Example, ...] = field(repr=False)
    languages: Mapping[str, int] = field(default_factory=dict)
    """Training articles by ISO 639 code, "" where it is unknown; empty where nobody counted."""

    def split(self, name: Split) -> list[Example]:
        return [example for example in self.examples if example.split == name]


def targets(examples: Iterable[Example]) -> Floats:
    """[n, outputs], NaN where the oracle gave no score."""
    return np.array([[np.nan if t is None else t for t in example.targets] for example in examples], dtype=np.float64)


def write_corpus(directory: Path, corpus: Corpus, examples: Iterable[Example] | None = None) -> None:
    """Write dataset.json and examples.jsonl; `examples` may be a stream that stands in for the corpus' own."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "examples.jsonl").open("w", encoding="utf-8") as file:
        for example in corpus.examples if examples is None else examples:
            file.write(json.dumps(asdict(example), ensure_ascii=False) + "\n")
    head = {
        "format": FORMAT,
        "name": corpus.name,
        "fingerprint": corpus.fingerprint,
        "outputs": [asdict(output) for output in corpus.outputs],
        "view": dict(corpus.view),
        "rubric_hashes": dict(corpus.rubric_hashes),
        "languages": dict(corpus.languages),
    }
    (directory / "dataset.json").write_text(json.dumps(head, ensure_ascii=False, indent=1), encoding="utf-8")


def read_corpus(directory: Path) -> Corpus:
    """Read and check a corpus; raises BadInput listing everything that is wrong with it."""
    head = _read_head(directory / "dataset.json")
    outputs = tuple(Output(**output) for output in head["outputs"])
    problems: list[str] = []
    examples = tuple(_read_examples(directory / "examples.jsonl", len(outputs), problems))
    for name in ("train", "val"):
        if not any(example.split == name for example in examples):
            problems.append(f"The data set has no {name} examples.")
    if problems:
        raise BadInput(*problems[:20])
    known = (head["name"], head["fingerprint"], outputs, head["view"], head["rubric_hashes"], examples)
    return Corpus(*known, languages=head.get("languages", {}))


def _read_head(path: Path) -> dict[str, Any]:
    try:
        head: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{path} is missing; a data set is dataset.json and examples.jsonl in one folder.") from None
    except ValueError as error:
        raise BadInput(f"{path} is not valid JSON: {error}.") from None
    missing = {"format", "name", "fingerprint", "outputs", "view", "rubric_hashes"} - head.keys()
    if missing:
        raise BadInput(f"{path} lacks {', '.join(sorted(missing))}.")
    if head["format"] != FORMAT:
        raise BadInput(f"{path} has format {head['format']}; this code reads format {FORMAT}.")
    if not head["outputs"]:
        raise BadInput(f"{path} names no outputs to learn.")
    return head


def _read_examples(path: Path, outputs: int, problems: list[str]) -> Iterator[Example]:
    if not path.exists():
        problems.append(f"{path} is missing.")
        return
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                example = Example(str(row["id"]), row["text"], tuple(row["targets"]), row["split"], row.get("weight", 1.0))
            except (ValueError, KeyError, TypeError) as error:
                problems.append(f"Line {number} of {path.name} cannot be read: {error!r}.")
                continue
            fault = _fault(example, outputs)
            if fault:
                problems.append(f"Line {number} of {path.name} (article {example.id}) {fault}")
            yield example


def _fault(example: Example, outputs: int) -> str:
    if example.split not in ("train", "val"):
        return f"belongs to the split {example.split!r}; only train and val may reach a student."
    if len(example.targets) != outputs:
        return f"has {len(example.targets)} targets for {outputs} outputs."
    if not isinstance(example.text, str):
        return "has no text."
    if not all(target is None or _is_number(target) for target in example.targets):
        return "has a target that is no number; a score that is not known is null."
    if any(target is not None and not 0 <= target <= 10 for target in example.targets):
        return "has a target outside 0–10."
    if not _is_number(example.weight) or example.weight <= 0:
        return "has a weight that is not positive."
    return ""


def _is_number(value: Any) -> bool:
    """JSON's numbers; Python's json also takes NaN and Infinity for such."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
