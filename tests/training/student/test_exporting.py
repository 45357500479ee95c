"""An exported student scores where this code is not: in another process, another folder, with plain libraries."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillery_site.common.errors import BadInput, DistilleryError, Permanent
from tests.fakes import small_students
from training.student import __main__ as command
from training.student import artifact
from training.student.travel import adapters, export, lines

CARD = {"front": "tags: [a]", "title": "Words", "lede": "A student of words.", "card": "## Limits\n\nMany."}
Export = Callable[..., Path]


@pytest.fixture
def exported(cast: small_students.Cast, tmp_path: Path) -> Export:
    def run(student: Path, **options: Any) -> Path:
        (tmp_path / "card.json").write_text(json.dumps(CARD))
        out = tmp_path / "given out"
        export.give_out(student, tmp_path / "card.json", out, cast.base.parent, lambda *args, **more: None, **options)
        return out

    return run


MERGED = ("lora, merged", "lora_mean, merged", "stack, merged")
ALL = {name: {} for name in ("ridge", "kernel", "lora", "lora_mean", "stack")} | {name: {"merged": True} for name in MERGED}


@pytest.fixture(scope="module")
def folders(cast: small_students.Cast, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every kind of student, given out as it is and merged."""
    place = tmp_path_factory.mktemp("given out")
    (place / "card.json").write_text(json.dumps(CARD))
    for name, options in ALL.items():
        student = cast.of(name.partition(",")[0])
        export.give_out(student, place / "card.json", place / name, cast.base.parent, lambda *args, **more: None, **options)
    return {name: place / name for name in ALL}


def lines_of(folder: Path) -> str:
    """What a reader copies out of the README, and the one change they make."""
    code = (folder / "README.md").read_text().split("```python\n")[1].split("```")[0]
    return code.replace('HERE = Path(".")', f"HERE = Path({str(folder)!r})")


def golden_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "student.json").read_text())["golden"]
    return found


def test_the_readmes_lines_score_without_this_code(cast: small_students.Cast, folders: dict[str, Path], tmp_path: Path) -> None:
    """In a process that has the libraries, and of this repository nothing."""
    script = ["import importlib.util, json", "assert importlib.util.find_spec('training') is None", "found = {}"]
    for name, folder in folders.items():
        script += [
            f"exec({lines_of(folder)!r}, names := {{}})",
            f"found[{name!r}] = names['score']({golden_of(folder)['texts']!r})",
        ]
    script += ["print(json.dumps({name: scores.tolist() for name, scores in found.items()}))"]
    (tmp_path / "lines.py").write_text("\n".join(script))
    environment = {"PATH": os.environ["PATH"], "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "BASE_TINY": str(cast.base)}
    environment["PYTHONPATH"] = sysconfig.get_path("purelib")  # with -S its .pth files, which name this repository, aren't read
    words = [sys.executable, "-S", "-W", "ignore", "lines.py"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for name, scores in json.loads(done.stdout.splitlines()[-1]).items():
        assert artifact.max_difference(np.array(scores), np.array(golden_of(folders[name])["predictions"])) <= artifact.TOLERANCE


def test_merged_weights_need_neither_peft_nor_the_base(folders: dict[str, Path]) -> None:
    for name in MERGED:
        texts = [path.read_text() for path in folders[name].rglob("*.py")] + [(folders[name] / "README.md").read_text()]
        assert not any("peft" in text or "BASE_" in text for text in texts)
        assert not list(folders[name].rglob("adapter_*"))


def test_a_merged_folder_names_its_outputs_and_no_path_of_this_machine(
    cast: small_students.Cast, folders: dict[str, Path]
) -> None:
    folder = folders["lora, merged"]
    stored = json.loads((folder / "config.json").read_text())
    assert stored["id2label"] == {"0": "crisis", "1": "strike", "2": "school"} and stored["problem_type"] == "regression"
    for path in folder.glob("*.*"):
        assert str(cast.base.parent).encode() not in path.read_bytes()


CALIBRATION = [
    {"kind": "none"},
    {"kind": "affine", "slope": 0.5, "intercept": 1.0},
    {"kind": "isotonic", "from": [0.0, 3.0], "to": [1.0, 2.0]},
]


@pytest.fixture
def changed(cast: small_students.Cast, tmp_path: Path) -> Callable[..., Path]:
    """A copy of a student with another manifest, its reference scores computed anew."""

    def run(kind: str, **changes: Any) -> Path:
        import shutil

        folder = tmp_path / "changed"
        shutil.copytree(cast.of(kind), folder)
        manifest = artifact.read_manifest(folder)[0]
        manifest |= {key: {**manifest[key], **value} for key, value in changes.items()}
        student = artifact.open_student(folder, manifest, "", bases=cast.base.parent)
        texts = [*manifest["golden"]["texts"], "flood " * 90 + "school"]
        manifest["golden"] = {"texts": texts, "predictions": student.predict(texts).tolist()}
        artifact.seal(folder, manifest)
        return folder

    return run


@pytest.mark.parametrize("kind", ["ridge", "lora"])
def test_a_calibration_is_part_of_the_lines(changed: Callable[..., Path], exported: Export, kind: str) -> None:
    folder = exported(changed(kind, calibration={"outputs": CALIBRATION}))
    assert "np.interp" in (folder / "score.py").read_text()


@pytest.mark.parametrize("kind", ["kernel", "lora"])
def test_instruction_and_truncation_are_part_of_the_lines(changed: Callable[..., Path], exported: Export, kind: str) -> None:
    folder = exported(changed(kind, config={"instruction": "How bad is it?", "truncation": "head_tail", "max_tokens": 40}))
    assert "BEFORE" in (folder / "README.md").read_text()


def test_an_export_comes_back_as_the_same_student(cast: small_students.Cast, folders: dict[str, Path], tmp_path: Path) -> None:
    from training.student.bases import store

    store.adopt(cast.base, "tiny", tmp_path / "bases")
    manifest, _ = artifact.read_manifest(cast.lora)
    wish = adapters.Wish(tuple(artifact.outputs_of(manifest)), manifest["view"], manifest["rubric_hashes"])
    adapters.take_in(folders["lora"], wish, tmp_path / "back", tmp_path / "bases", lambda *args, **more: None)
    student = artifact.load(tmp_path / "back", bases=tmp_path / "bases", golden=True)
    expected = artifact.load(cast.lora, bases=cast.base.parent).predict(["the school", "a crisis"])
    assert np.abs(student.predict(["the school", "a crisis"]) - expected).max() < 1e-5
    assert student.manifest["config"]["max_tokens"] == manifest["config"]["max_tokens"]
    mixed = adapters.Wish(wish.outputs[::-1], wish.view, wish.rubric_hashes)
    with pytest.raises(BadInput, match="add --dimensions crisis,strike,school"):
        adapters.take_in(folders["lora_mean"], mixed, tmp_path / "mixed", tmp_path / "bases", lambda *args, **more: None)


def test_lines_that_score_otherwise_are_not_handed_over(
    cast: small_students.Cast, exported: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = lines.of
    monkeypatch.setattr(lines, "of", lambda *args, **more: plain(*args, **more).replace("return scores", "return scores + 1"))
    with pytest.raises(Permanent, match="otherwise than the student: off by 1.0"):
        exported(cast.ridge)
    assert not [path for path in tmp_path.iterdir() if "given out" in path.name]


def test_what_cannot_be_exported_is_refused(cast: small_students.Cast, exported: Export, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="A ridge has no adapters to merge"):
        exported(cast.ridge, merged=True)
    (tmp_path / "given out").mkdir()
    (tmp_path / "given out" / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="is not empty"):
        exported(cast.ridge)
    with pytest.raises(DistilleryError, match="manifest.json is missing"):
        exported(tmp_path)


def test_the_command_says_that_it_is_done(cast: small_students.Cast, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(json.dumps(CARD))
    said: list[dict[str, Any]] = []
    parts = ["export", "--student", cast.ridge, "--card", tmp_path / "card.json", "--out", tmp_path / "out", "--bases", tmp_path]
    assert command.main([str(part) for part in parts], lambda event, **values: said.append({"event": event, **values})) == 0
    assert said[-1]["event"] == "done" and said[-1]["golden_max_diff"] <= artifact.TOLERANCE and said[-1]["files"] == 5
