"""The registry of students: a finished folder becomes a numbered version that never changes."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max

from distillery_site.common.errors import Permanent
from labeling.models import FilterVersion
from training.models import ModelOutput, ModelVersion, TrainingRun
from training.student import artifact


def nursery(run: TrainingRun) -> Path:
    """Where a run's student grows: on the registry's own file system, so that moving it in is one atomic step."""
    return Path(settings.MODELS_ROOT) / ".unfinished" / f"run-{run.pk}"


def was_moved(run: TrainingRun) -> bool:
    """True after a crash between the move and the rows: the student is complete and lies in the registry."""
    return not nursery(run).exists() and _seal_of(nursery(run)).exists()


@transaction.atomic
def register(*, run: TrainingRun, out_dir: Path) -> ModelVersion:
    """Make a finished folder the next version of the run's model name: check it, move it to name/vN, add the rows.

    Safe to repeat after a crash at any point: the same manifest gives the same version, and a folder that was moved
    but got no row is taken up where it lies. Raises Permanent when files and manifest disagree.
    """
    _one_at_a_time(run.model_name)
    sha256 = _sealed(out_dir)
    known = ModelVersion.objects.filter(manifest_sha256=sha256).first()
    if known is None:
        known = _add(run, _settled(run.model_name, sha256, out_dir), sha256)
    transaction.on_commit(lambda: _sweep(out_dir))
    return known


@transaction.atomic
def register_imported(*, out_dir: Path, name: str, versions: Sequence[FilterVersion]) -> ModelVersion:
    """Make a folder that learned elsewhere the next version of `name`; the same adapter with the same outputs stays one.

    When the rows can't be written, the folder goes too. Raises Permanent when files and manifest disagree.
    """
    _one_at_a_time(name)
    manifest, sha256 = artifact.read_manifest(out_dir)
    artifact.check_files(out_dir, manifest)
    wanted = {f"origin__{key}": manifest["origin"][key] for key in ("adapter_sha256", "base_sha256")}
    known = ModelVersion.objects.filter(name=name, manifest__outputs=manifest["outputs"], manifest__config=manifest["config"])
    if twin := known.filter(**wanted).first():
        return twin
    place = _settled(name, sha256, out_dir)
    try:
        with transaction.atomic():
            return _add_imported(place, sha256, versions)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _one_at_a_time(name: str) -> None:
    """Numbers are given out one at a time, also to a name without a version."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"register {name}"])


def _seal_of(out_dir: Path) -> Path:
    return out_dir.with_name(f"{out_dir.name}.sha256")


def _sealed(out_dir: Path) -> str:
    """The manifest's hash, once all files match it; kept beside the folder, to know it again after it was moved."""
    seal = _seal_of(out_dir)
    if out_dir.exists():
        manifest, sha256 = artifact.read_manifest(out_dir)
        artifact.check_files(out_dir, manifest)
        seal.write_text(sha256)
    if not seal.exists():
        raise Permanent(f"There is no student in {out_dir}.")
    return seal.read_text()


def _settled(name: str, sha256: str, out_dir: Path) -> Path:
    """The student's final folder: where it already lies, or the next free number's."""
    home = Path(settings.MODELS_ROOT) / name
    folders = {int(path.name[1:]): path for path in home.glob("v*") if path.name[1:].isdigit()}
    for path in folders.values():
        if (path / artifact.MANIFEST).exists() and artifact.file_sha256(path / artifact.MANIFEST) == sha256:
            return path
    highest = ModelVersion.objects.filter(name=name).aggregate(highest=Max("number"))["highest"]
    place = home / f"v{max([highest or 0, *folders]) + 1}"
    home.mkdir(parents=True, exist_ok=True)
    out_dir.replace(place)
    return place


def _add(run: TrainingRun, folder: Path, sha256: str) -> ModelVersion:
    manifest, _ = artifact.read_manifest(folder)
    outputs = run.dataset.outputs
    _check_outputs(manifest, [(version.filter.slug, version.number, key) for version, key in outputs])
    model = ModelVersion.objects.create(
        name=run.model_name,
        number=int(folder.name[1:]),
        kind=run.kind,
        run=run,
        dataset=run.dataset,
        manifest_sha256=sha256,
        manifest=manifest,
        val_mae=manifest["metrics"]["val_mae"],
    )
    ModelOutput.objects.bulk_create(
        ModelOutput(model=model, position=place, version=version, dimension=key) for place, (version, key) in enumerate(outputs)
    )
    return model


def _add_imported(folder: Path, sha256: str, versions: Sequence[FilterVersion]) -> ModelVersion:
    manifest, _ = artifact.read_manifest(folder)
    known = {(version.filter.slug, version.number): version for version in versions}
    model = ModelVersion.objects.create(
        name=folder.parent.name,
        number=int(folder.name[1:]),
        kind=manifest["kind"],
        origin=manifest["origin"],
        manifest_sha256=sha256,
        manifest=manifest,
    )
    ModelOutput.objects.bulk_create(
        ModelOutput(model=model, position=place, version=known[o["filter"], o["version"]], dimension=o["dimension"])
        for place, o in enumerate(manifest["outputs"])
    )
    return model


def _check_outputs(manifest: dict[str, Any], wanted: list[tuple[str, int, str]]) -> None:
    found = [(output["filter"], output["version"], output["dimension"]) for output in manifest["outputs"]]
    if found != wanted:
        raise Permanent("The student's outputs are not the dimensions of its data set, in their order.")


def _sweep(out_dir: Path) -> None:
    _seal_of(out_dir).unlink(missing_ok=True)
    shutil.rmtree(out_dir, ignore_errors=True)
