"""A folder that learned elsewhere becomes a version once, whole, or not at all."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from distillery_site.common.errors import Permanent
from training import importing, registry
from training.models import ModelVersion
from training.registry import register_imported
from training.student import artifact


def grown(root: Path, version: Any, adapter: str = "a1", **config: Any) -> Path:
    """A complete student's folder without weights, as the importing process leaves it."""
    out = root / "models" / ".unfinished" / "import-1" / "student"
    out.mkdir(parents=True)
    (out / "weights").write_text(adapter)
    outputs = [{"filter": version.filter.slug, "version": version.number, "dimension": key} for key in reversed(version.keys)]
    origin = {"folder": "theirs", "adapter_sha256": adapter, "base_sha256": "b"}
    about = {"format": 1, "kind": "lora", "outputs": outputs, "origin": origin, "config": config, "metrics": {"val_mae": None}}
    artifact.seal(out, about)
    return out


def test_it_is_numbered_moved_and_keeps_its_own_order_of_outputs(folders: Path, uplifting: Any) -> None:
    model = register_imported(out_dir=grown(folders, uplifting), name="theirs", versions=[uplifting])
    assert (model.ref, model.run, model.dataset, model.val_mae) == ("theirs/v1", None, None, None)
    assert model.columns(uplifting) == {"evidence": 0, "impact": 1}
    assert model.origin["folder"] == "theirs" and (model.path / "weights").is_file()
    second = register_imported(out_dir=grown(folders, uplifting, "a2"), name="theirs", versions=[uplifting])
    assert second.number == 2


def test_the_same_adapter_read_the_same_way_stays_one_version(folders: Path, uplifting: Any) -> None:
    first = register_imported(out_dir=grown(folders, uplifting, max_tokens=64), name="theirs", versions=[uplifting])
    again = grown(folders, uplifting, max_tokens=64)
    assert register_imported(out_dir=again, name="theirs", versions=[uplifting]) == first and again.exists()
    assert sorted(path.name for path in first.path.parent.iterdir()) == ["v1"]


def test_when_the_rows_cannot_be_written_the_folder_goes_too(
    folders: Path, uplifting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*args: Any) -> None:
        raise SystemExit("the power went")

    monkeypatch.setattr(registry, "_add_imported", crash)
    with pytest.raises(SystemExit):
        register_imported(out_dir=grown(folders, uplifting), name="theirs", versions=[uplifting])
    assert not ModelVersion.objects.exists() and list((folders / "models" / "theirs").iterdir()) == []


def test_a_file_that_changed_since_the_manifest_is_refused(folders: Path, uplifting: Any) -> None:
    out = grown(folders, uplifting)
    (out / "weights").write_text("others")
    with pytest.raises(Permanent, match="weights in the student student has changed"):
        register_imported(out_dir=out, name="theirs", versions=[uplifting])
    assert not (folders / "models" / "theirs").exists()


def test_what_killed_imports_left_is_swept_after_a_day(tmp_path: Path) -> None:
    for name, age in (("import-old", 2), ("import-new", 0), ("run-1", 2)):
        (tmp_path / name).mkdir()
        long_ago = time.time() - age * 24 * 60 * 60
        os.utime(tmp_path / name, (long_ago, long_ago))
    importing._sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["import-new", "run-1"]
