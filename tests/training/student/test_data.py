import json
from pathlib import Path

import pytest

from distillery_site.common.errors import BadInput
from tests.fakes import small_students
from training.student.data import read_corpus, targets, write_corpus


def spoil(folder: Path, line: int, **changes: object) -> Path:
    """The corpus' folder with one example changed."""
    path = small_students.write(folder) / "examples.jsonl"
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    rows[line] |= changes
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_it_reads_what_was_written(tmp_path: Path) -> None:
    corpus = small_students.corpus()
    write_corpus(tmp_path, corpus)
    assert read_corpus(tmp_path) == corpus


def test_a_null_becomes_nan_and_never_zero(tmp_path: Path) -> None:
    corpus = small_students.corpus()
    missing = sum(example.targets[1] is None for example in corpus.examples)
    assert missing > 0
    assert [int(n) for n in (targets(corpus.examples) != targets(corpus.examples)).sum(axis=0)] == [0, missing, 0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"split": "test"}, "only train and val may reach a student"),
        ({"targets": [1.0]}, "has 1 targets for 3 outputs"),
        ({"targets": [1.0, 11.0, 0.0]}, "outside 0–10"),
        ({"targets": [1.0, float("nan"), 0.0]}, "no number; a score that is not known is null"),
        ({"targets": [1.0, "5", 0.0]}, "no number"),
        ({"targets": [1.0, True, 0.0]}, "no number"),
        ({"weight": 0}, "not positive"),
        ({"weight": float("inf")}, "not positive"),
        ({"text": None}, "has no text"),
    ],
)
def test_a_bad_example_is_named_with_its_line(tmp_path: Path, changes: dict, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence) as caught:
        read_corpus(spoil(tmp_path, 3, **changes))
    assert "Line 4" in str(caught.value) and "article a3" in str(caught.value)


def test_a_data_set_without_validation_rows_is_refused(tmp_path: Path) -> None:
    small_students.write(tmp_path, examples=tuple(small_students.corpus().split("train")))
    with pytest.raises(BadInput, match="no val examples"):
        read_corpus(tmp_path)


def test_missing_or_broken_files_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"dataset\.json is missing"):
        read_corpus(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(BadInput, match="not valid JSON"):
        read_corpus(tmp_path)
    (tmp_path / "dataset.json").write_text('{"format": 1}')
    with pytest.raises(BadInput, match="lacks fingerprint, name, outputs"):
        read_corpus(tmp_path)
