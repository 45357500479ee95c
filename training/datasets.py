"""From labels to frozen data sets: choose, cluster near-duplicates, split by cluster, and hand to the students.

The only bridge between tables and what a student reads.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction
from django.db.models import Count, F, QuerySet

from distillery_site.common.errors import BadInput, Permanent
from distillery_site.common.text import canonical_hash, text_hash
from labeling.models import Article, FilterVersion, Oracle, OracleLabel
from training.duplicates import cluster, count_across, shingles
from training.models import Dataset, DatasetFilter, DatasetItem, Split
from training.student.data import Corpus, Example, Output, write_corpus

Fractions: TypeAlias = tuple[float, float, float]
Targets: TypeAlias = tuple[float | None, ...]
STAGES = 3  # as often as `freeze` calls on_stage


@dataclass(frozen=True)
class Row:
    """One article on its way into a data set: as it is read, and its labels side by side."""

    article_id: int
    text: str
    targets: Targets


def freeze(
    *,
    name: str,
    versions: Sequence[FilterVersion],
    oracle: Oracle,
    reading: int = 1,
    size: int | None = None,
    seed: int = 0,
    fractions: Fractions = (0.8, 0.1, 0.1),
    threshold: float = 0.8,
    actor: Any = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Dataset:
    """A data set of every article that `oracle` labelled under at least one of `versions`, or a seeded sample of `size`.

    Near-duplicates (Jaccard similarity of shingles ≥ `threshold`) are clustered first and the clusters are split,
    so no two lie in different splits. A version that did not label an article leaves its targets null.
    The same contents give the existing data set, under its own name. Raises BadInput with every problem found.
    """
    _check(name, versions, size, fractions, threshold)
    on_stage("reading the labels")
    rows, notes = _labelled_rows(versions, oracle, reading)
    rows = _sample(rows, size, seed, notes)
    on_stage("clustering near-duplicates")
    clusters = cluster([shingles(row.text) for row in rows], threshold)
    splits = split_by_cluster(clusters, fractions, seed)
    on_stage("writing and counting leaks")
    recipe = {
        "seed": seed,
        "size": size,
        "fractions": list(fractions),
        "near_duplicate_threshold": threshold,
        "oracle": oracle.pk,
        "oracle_identity": oracle.identity,
        "reading": reading,
    }
    draft = Dataset(
        name=name,
        recipe=recipe,
        view=versions[0].view,
        notes=notes,
        clusters=len(set(clusters)),
        created_by=actor,
        fingerprint=_fingerprint(versions, rows, splits),
    )
    return _store(draft, versions, rows, clusters, splits)


def _check(name: str, versions: Sequence[FilterVersion], size: int | None, fractions: Fractions, threshold: float) -> None:
    problems = []
    try:
        validate_slug(name)
    except ValidationError:
        problems.append(f"{name!r} can't name a data set; use letters, digits, hyphens and underscores.")
    if not versions:
        problems.append("A data set needs at least one filter.")
    if len({version.filter_id for version in versions}) < len(versions):
        problems.append("A filter is named twice; a data set takes one version of each.")
    if len({canonical_hash(version.view) for version in versions}) > 1:
        problems.append(f"{_and(versions)} show their readers different parts of an article, so one student can't serve them.")
    if size is not None and size < 1:
        problems.append("The size must be 1 or more.")
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        problems.append("The shares of training, validation and test must be above 0 and add up to 1.")
    if not 0 < threshold <= 1:
        problems.append("The near-duplicate threshold must lie between 0 and 1.")
    if problems:
        raise BadInput(*problems)


def _labelled_rows(versions: Sequence[FilterVersion], oracle: Oracle, reading: int) -> tuple[list[Row], list[str]]:
    """Rows in the order of (source, external id), so that a seed means the same in every database; and what was left out."""
    labels = _labels(versions, oracle, reading)
    if not labels:
        raise BadInput(f"Nothing is labelled: no label of {oracle}, reading {reading}, for {_and(versions)} fits its article.")
    rows, empty = [], 0
    for article in Article.objects.filter(pk__in=labels).order_by("source", "external_id").iterator(500):
        found = labels[article.pk]
        targets = tuple(score for version in versions for score in found.get(version.pk, [None] * len(version.keys)))
        if all(score is None for score in targets):
            empty += 1
        else:
            rows.append(Row(article.pk, article.rendered(versions[0].view), targets))
    return rows, _notes(versions, oracle, reading, labels, empty)


def _fitting(versions: Sequence[FilterVersion]) -> QuerySet[OracleLabel]:
    """Labels of the text as it is now, by the rubric as it is now."""
    return OracleLabel.objects.current().filter(version__in=versions, rubric_hash=F("version__rubric_hash"))


def _labels(versions: Sequence[FilterVersion], oracle: Oracle, reading: int) -> dict[int, dict[int, list[float | None]]]:
    """article → version → scores."""
    labels: defaultdict[int, dict[int, list[float | None]]] = defaultdict(dict)
    found = _fitting(versions).filter(oracle=oracle, reading=reading)
    for article, version, scores in found.values_list("article", "version", "scores"):
        labels[article][version] = scores
    return dict(labels)


def _notes(
    versions: Sequence[FilterVersion], oracle: Oracle, reading: int, labels: dict[int, dict[int, list[float | None]]], empty: int
) -> list[str]:
    everything = OracleLabel.objects.filter(version__in=versions)
    ours = everything.filter(oracle=oracle)
    stale = ours.filter(reading=reading).count() - sum(len(found) for found in labels.values())
    others = everything.exclude(oracle=oracle).values_list("oracle__name").annotate(n=Count("pk")).order_by("oracle__name")
    left_out = [
        (Article.objects.count() - len(labels), "article", f"{oracle} has no label for the text as it is now"),
        (empty, "article", "labelled without a single score"),
        (stale, "label", "the article's text changed since"),
        (ours.exclude(reading=reading).count(), "label", "another reading"),
        *((n, "label", f"another oracle, {name}") for name, n in others),
    ]
    notes = [f"{_count(n, what)} left out: {why}." for n, what, why in left_out if n]
    for version in versions:
        missing = sum(version.pk not in found for found in labels.values())
        if missing:
            notes.append(f"{_count(missing, 'article')} not labelled for {version}: those targets are empty.")
    return notes


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _and(versions: Sequence[FilterVersion]) -> str:
    return " and ".join(str(version) for version in versions)


def _sample(rows: list[Row], size: int | None, seed: int, notes: list[str]) -> list[Row]:
    if size is None or size >= len(rows):
        return rows
    spare = _count(len(rows) - size, "labelled article")
    notes.append(f"{spare} left out: a random sample of {size:,} was asked for (seed {seed}).")
    chosen = sorted(random.Random(seed).sample(range(len(rows)), size))  # noqa: S311
    return [rows[place] for place in chosen]


def split_by_cluster(clusters: Sequence[int], fractions: Fractions, seed: int) -> list[Split]:
    """A split for each article; whole clusters, shuffled by `seed`, fill test and validation up to their share of articles."""
    members: defaultdict[int, list[int]] = defaultdict(list)
    for place, number in enumerate(clusters):
        members[number].append(place)
    groups = list(members.values())
    random.Random(seed).shuffle(groups)  # noqa: S311
    room = {Split.TEST: round(fractions[2] * len(clusters)), Split.VAL: round(fractions[1] * len(clusters))}
    splits = [Split.TRAIN] * len(clusters)
    for group in groups:
        split = next((split for split in room if room[split] >= len(group)), Split.TRAIN)
        if split in room:
            room[split] -= len(group)
        for place in group:
            splits[place] = split
    if set(splits) != set(Split):
        found = f"{_count(len(clusters), 'labelled article')} in {_count(len(groups), 'cluster')}"
        raise BadInput(f"{found} can't fill three splits; label more.")
    return splits


def _fingerprint(versions: Sequence[FilterVersion], rows: Sequence[Row], splits: Sequence[Split]) -> str:
    """Hash of what a student could tell apart; names, primary keys and order of import don't count."""
    outputs = [[version.filter.slug, version.rubric_hash, key] for version in versions for key in version.keys]
    contents = sorted([text_hash(row.text), split.value, repr(row.targets)] for row, split in zip(rows, splits, strict=True))
    return canonical_hash({"outputs": outputs, "view": versions[0].view, "rows": contents})


@transaction.atomic
def _store(
    draft: Dataset, versions: Sequence[FilterVersion], rows: Sequence[Row], clusters: Sequence[int], splits: Sequence[Split]
) -> Dataset:
    # Two people who freeze the same thing at once wait here for each other; labelling goes on meanwhile.
    list(FilterVersion.objects.select_for_update(no_key=True).filter(pk__in=[version.pk for version in versions]).order_by("pk"))
    same = Dataset.objects.filter(fingerprint=draft.fingerprint).first()
    if same is not None:
        return same
    if Dataset.objects.filter(name=draft.name).exists():
        raise BadInput(f"A data set named {draft.name} exists and holds something else; choose another name.")
    draft.save()
    DatasetFilter.objects.bulk_create(DatasetFilter(dataset=draft, version=v, position=i) for i, v in enumerate(versions))
    items = (
        DatasetItem(
            dataset=draft,
            article_id=row.article_id,
            split=split,
            cluster=number,
            targets=list(row.targets),
            text_sha256=text_hash(row.text),
        )
        for row, number, split in zip(rows, clusters, splits, strict=True)
    )
    DatasetItem.objects.bulk_create(items, batch_size=1000)
    draft.leakage = leakage(draft)
    draft.save(update_fields=["leakage"])
    return draft


def leakage(dataset: Dataset) -> int:
    """Near-duplicate pairs that lie in different splits, counted afresh from the written rows."""
    sets, splits = [], []
    for item, text in _items(dataset, *Split):
        sets.append(shingles(text))
        splits.append(item.split)
    return count_across(sets, splits, dataset.recipe["near_duplicate_threshold"])


def _items(dataset: Dataset, *splits: str) -> Iterator[tuple[DatasetItem, str]]:
    """Items of these splits, in a fixed order, with the text as it was frozen; refuses where an article changed since.

    Streamed: whole articles are several times what a student reads of them.
    """
    changed = []
    for item in dataset.items.filter(split__in=splits).select_related("article").order_by("pk").iterator(500):
        text = item.article.rendered(dataset.view)
        if text_hash(text) == item.text_sha256:
            yield item, text
        else:
            changed.append(str(item.article)[:80])
    if changed:
        found = f"{_count(len(changed), 'article')} changed since {dataset} was frozen, such as “{changed[0]}”"
        raise Permanent(f"{found}; freeze a new data set.")


def texts(dataset: Dataset, split: str) -> list[tuple[int, str]]:
    """(article's primary key, text as a student reads it) of one split, in a fixed order."""
    return [(item.article_id, text) for item, text in _items(dataset, split)]


def export(dataset: Dataset, directory: Path) -> None:
    """Write the training and validation rows for a student's process; the test split stays in the tables."""
    versions = dataset.versions
    corpus = Corpus(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        outputs=tuple(Output(version.filter.slug, version.number, key) for version in versions for key in version.keys),
        view=dataset.view,
        rubric_hashes={version.filter.slug: version.rubric_hash for version in versions},
        examples=(),
    )
    write_corpus(directory, corpus, (_example(item, text) for item, text in _items(dataset, Split.TRAIN, Split.VAL)))


def _example(item: DatasetItem, text: str) -> Example:
    return Example(
        id=f"{item.article.source}:{item.article.external_id}",
        text=text,
        targets=tuple(item.targets),
        split="train" if item.split == Split.TRAIN else "val",
        weight=item.weight,
    )
