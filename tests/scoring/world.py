"""A newsroom with a student that counts the good word, so that every figure can be worked out by hand."""

from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from distillery_site.common.models import ApiKey
from labeling.models import FilterVersion, Policy
from scoring import reports
from scoring.engine.local import LocalEngine
from scoring.models import Benchmark, Prediction
from tests.access import give_every_filter
from tests.fakes.student import FakeStudent, shelve
from training.models import Dataset, ModelOutput, ModelVersion
from training.student.data import Output

POLICY = {
    "weights": {"impact": 0.75, "evidence": 0.25},
    "tiers": [{"name": "high", "min": 6.0}, {"name": "low", "min": 0.0}],
    "gatekeepers": [{"dimension": "evidence", "min": 2.0, "cap": 1.5, "reason": "Hopes are not results."}],
    "caps": [{"pattern": "advertisement", "cap": 1.0, "reason": "Advertising."}],
}


GOLDEN = {"golden": {"texts": ["Nothing happened.", "water, water"], "predictions": [[1.0, -1.0], [3.0, 1.0]]}}


def count_water(text: str) -> list[float]:
    """Impact one too high, evidence one too low: raw scores leave 0–10 at both ends."""
    good = text.count("water")
    return [good + 1.0, good - 1.0]


def policy(version: FilterVersion, **changes: Any) -> Policy:
    number = version.policies.count() + 1
    return Policy.objects.create(version=version, number=number, **{**POLICY, **changes})


def model(dataset: Dataset, root: Path, name: str = "news-ridge", kind: str = "ridge", manifest: Any = None) -> ModelVersion:
    """A registered version whose folder an engine finds below `root`; its reference texts are those of `count_water`."""
    number = ModelVersion.objects.filter(name=name).count() + 1
    sha = shelve(root, f"{name}/v{number}")
    row = ModelVersion.objects.create(
        name=name,
        number=number,
        kind=kind,
        dataset=dataset,
        manifest_sha256=sha,
        manifest=GOLDEN if manifest is None else manifest,
    )
    ModelOutput.objects.bulk_create(
        ModelOutput(model=row, position=place, version=version, dimension=key)
        for place, (version, key) in enumerate(dataset.outputs)
    )
    return row


def engine(root: Path, dataset: Dataset, says: Any = count_water) -> LocalEngine:
    outputs = [Output(version.filter.slug, version.number, key) for version, key in dataset.outputs]
    return LocalEngine(root, load=lambda folder, sha: FakeStudent(outputs=outputs, says=says))


def person(name: str, role: str | None = None) -> Any:
    user = get_user_model().objects.create_user(name, password=None)
    if role:
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    give_every_filter(user)
    return user


def key(user: Any, **more: Any) -> str:
    return ApiKey.objects.issue(user=user, name="test", **more)[1]


def measured(row: ModelVersion, misses: Any, split: str = "test", dataset: Dataset | None = None) -> Benchmark:
    """A finished benchmark whose error on the i-th article and the c-th output is misses(i, c), towards the scale's middle."""
    dataset = dataset or row.dataset
    assert dataset is not None
    hashes = {"manifest_sha256": row.manifest_sha256, "dataset_fingerprint": dataset.fingerprint}
    run = Benchmark.objects.create(model=row, dataset=dataset, split=split, state="done", **hashes)
    for i, item in enumerate(dataset.items.filter(split=split).order_by("pk")):
        raw = [t + (misses(i, c) if t < 5 else -misses(i, c)) for c, t in enumerate(item.targets)]
        Prediction.objects.create(benchmark=run, article_id=item.article_id, raw=raw)
    run.report = reports.build(run)
    run.save()
    return run
