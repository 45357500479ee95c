"""What no student could learn from: dimensions without a score, or with always the same. (Labels are numbers from 0 to 10.)"""

from collections.abc import Iterator, Sequence

from distillery_site.common.errors import BadInput
from labeling.models import FilterVersion
from training.freezing.provenance import count
from training.freezing.targets import Row, Targets
from training.models import Dataset, DatasetItem, Split

FEW = 30  # articles below which an error is hardly more than luck


def _names(versions: Sequence[FilterVersion]) -> list[str]:
    return [f"{key} ({version})" for version in versions for key in version.keys]


def warnings(rows: Sequence[Row], splits: Sequence[Split], versions: Sequence[FilterVersion]) -> Iterator[str]:
    """Sentences about what a student learns nothing from, and about figures that will mean little."""
    names = _names(versions)
    learnt = _known([row.targets for row, split in zip(rows, splits, strict=True) if split == Split.TRAIN], len(names))
    for name, scores in zip(names, learnt, strict=True):
        if not scores:
            yield f"Warning: no training article has a score for {name}; no student can learn it from this data set."
        elif len(set(scores)) == 1:
            yield f"Warning: every training score of {name} is {scores[0]:g}: a student will learn to say just that."
    for split in (Split.VAL, Split.TEST):
        there = sum(one == split for one in splits)
        if there < FEW:
            yield f"Warning: {count(there, split.label + ' article')}: errors measured on so few are hardly more than luck."


def insist_on_something_to_learn(dataset: Dataset) -> None:
    """Raises BadInput with every dimension that no training article has a score for: its answers would mean nothing."""
    targets = list(DatasetItem.objects.filter(dataset=dataset, split=Split.TRAIN).values_list("targets", flat=True))
    names = _names(dataset.versions)
    silent = [name for name, scores in zip(names, _known(targets, len(names)), strict=True) if not scores]
    if silent:
        raise BadInput(
            f"No training article of {dataset} has a score for {' and '.join(silent)}, so a student's answer would mean nothing. "
            "Label more, or freeze a data set without it."
        )


def _known(targets: Sequence[Targets], columns: int) -> list[list[float]]:
    return [[row[place] for row in targets if row[place] is not None] for place in range(columns)]
