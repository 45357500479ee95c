"""How much of an article a student reads and after which words: the same in training, in scoring, and in its README."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillery_site.common.errors import BadInput
from tests.fakes import small_students
from training.student import artifact, tokens
from training.student.lora import model
from training.student.tokens import Reading


@pytest.fixture
def tokenizer(cast: small_students.Cast) -> Any:
    return tokens.tokenizer_of(cast.base)


def words(tokenizer: Any, row: list[int]) -> str:
    return tokenizer.decode(row)


LONG = "river " * 10 + "school " * 10


def test_the_head_keeps_what_the_tokenizer_itself_would_keep(tokenizer: Any) -> None:
    texts = ["", "the school", LONG, "Überschwemmung 洪水 فيضان 🌊"]
    for limit in (8, 64):
        library = tokenizer(texts, truncation=True, max_length=limit)["input_ids"]
        assert tokens.encode(tokenizer, texts, Reading(limit)) == [row or [tokenizer.pad_token_id] for row in library]


def test_marks_stay_around_an_article_that_is_cut(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Marking:
        """A tokenizer that begins with 900 and ends with 901, as an encoder's does."""

        pad_token_id = 1

        def __call__(self, texts: Any, add_special_tokens: bool = True, **more: Any) -> dict:
            plain = tokenizer(texts, **more)["input_ids"]
            if not add_special_tokens:
                return {"input_ids": plain}
            return {"input_ids": [900, *plain, 901] if isinstance(texts, str) else [[900, *row, 901] for row in plain]}

    (row,) = tokens.encode(Marking(), [LONG], Reading(8))
    assert (len(row), row[0], row[-1]) == (8, 900, 901)


def test_head_and_tail_keep_three_quarters_and_one(tokenizer: Any) -> None:
    (row,) = tokens.encode(tokenizer, [LONG], Reading(8, "head_tail"))
    whole = tokens.encode(tokenizer, [LONG], Reading(64))[0]
    assert row == whole[:6] + whole[-2:]
    assert tokens.encode(tokenizer, ["the school"], Reading(8, "head_tail")) == tokens.encode(
        tokenizer, ["the school"], Reading(8)
    )


def test_an_instruction_stands_before_the_article_and_takes_its_tokens(tokenizer: Any) -> None:
    reading = Reading(12, instruction="crisis in the town")
    (row,) = tokens.encode(tokenizer, [LONG], reading)
    assert words(tokenizer, row).startswith("crisis in the town\n\nriver") and len(row) == 12
    with pytest.raises(BadInput, match=r"instruction alone has \d+ tokens, which leaves nothing of max_tokens \(12\)"):
        tokens.encode(tokenizer, [LONG], Reading(12, instruction=LONG))


def test_an_instruction_that_cuts_the_article_away_is_refused(cast: small_students.Cast, tmp_path: Path) -> None:
    options = {"preset": "tiny", "max_tokens": 32, "max_lost_share": 0.3, "instruction": "school " * 18}
    done = small_students.run("--kind", "lora", "--data", cast.data, "--out", tmp_path, "--base", cast.base, **options)
    (error,) = done.named("error")
    assert done.code == 1 and "of which the instruction takes" in error["text"] and "raise max_tokens" in error["text"]


def test_a_student_reads_in_scoring_as_it_did_in_training_and_its_readme_too(cast: small_students.Cast, tmp_path: Path) -> None:
    options = {"preset": "tiny", "epochs": 1, "max_tokens": 24, "truncation": "head_tail", "instruction": "crisis or strike"}
    done = small_students.run("--kind", "lora", "--data", cast.data, "--out", tmp_path, "--base", cast.base, **options)
    assert done.code == 0, done.named("error")
    student = artifact.load(tmp_path, bases=cast.base.parent, golden=True)
    assert student.reading == Reading(24, "head_tail", "crisis or strike")  # type: ignore[attr-defined]
    assert student.manifest["truncation"]["instruction_tokens"] > 0
    folder = tmp_path / "model"
    code = (folder / "README.md").read_text().split("```python\n")[1].split("```")[0]
    code = code.replace('BASE, HERE = "tiny", "."', f"BASE, HERE = {str(cast.base)!r}, {str(folder)!r}")
    found: dict[str, Any] = {}
    exec(code.replace("An article …", LONG), found)
    raw = model.predict(student.scorer, student.tokenizer, [LONG], student.reading)  # type: ignore[attr-defined]
    assert np.allclose(found["scores"].detach().numpy(), raw, atol=1e-4)


def test_a_manifest_from_before_these_options_still_loads(cast: small_students.Cast) -> None:
    manifest = json.loads((cast.lora / "manifest.json").read_text())
    old = {key: value for key, value in manifest["config"].items() if key not in ("truncation", "instruction")}
    student = artifact.open_student(cast.lora, {**manifest, "config": old}, "", bases=cast.base.parent)
    assert student.reading == Reading(64)  # type: ignore[attr-defined]
