"""What students said of one article when they were measured, and which articles are nearly the same text."""

from dataclasses import dataclass

import numpy as np

from labeling.models import Article
from scoring.models import Prediction
from training.models import DatasetItem, ModelVersion, Split


@dataclass(frozen=True)
class Said:
    """One version's scores, clipped to the scale, in the order of `names`; `error` is None where the oracle gave no score."""

    model: ModelVersion
    split: str
    scores: list[float | None]
    names: list[str]
    error: float | None


def students_said(article: Article) -> list[Said]:
    """Newest version first; only of articles that were held back from training."""
    rows = Prediction.objects.filter(article=article).select_related("benchmark__model")
    rows = rows.prefetch_related("benchmark__model__outputs").order_by("-benchmark__model", "-benchmark")
    targets = dict(DatasetItem.objects.filter(article=article).values_list("dataset", "targets"))
    return [_said(row, targets.get(row.benchmark.dataset_id)) for row in rows]


def _said(row: Prediction, targets: list[float | None] | None) -> Said:
    benchmark = row.benchmark
    scores = np.clip(np.array(row.raw), 0, 10)
    names = [output.dimension for output in benchmark.model.outputs.all()]
    gaps = np.abs(scores - np.array(targets, dtype=float)) if targets else np.array([np.nan])
    error = None if np.isnan(gaps).all() else float(np.nanmean(gaps))
    return Said(benchmark.model, Split(benchmark.split).label, scores.tolist(), names, error)


def near_duplicates(article: Article, limit: int = 10) -> list[Article]:
    """Those in the same cluster of the newest data set that holds the article."""
    item = DatasetItem.objects.filter(article=article).order_by("-dataset").first()
    if item is None:
        return []
    same = DatasetItem.objects.filter(dataset=item.dataset_id, cluster=item.cluster).exclude(article=article)
    return [other.article for other in same.select_related("article")[:limit]]
