"""From labels to frozen data sets: choose, cluster near-duplicates, split by cluster, and hand to the students.

The only bridge between tables and what a student reads.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction
from django.db.models import Count

from distillery_site.common.errors import BadInput, Permanent
from distillery_site.common.models import record
from distillery_site.common.text import canonical_hash, text_hash
from labeling.models import FilterVersion, Oracle
from training.freezing import people as voices
from training.freezing.duplicates import cluster, count_across, shingles
from training.freezing.provenance import Made, count, drawn_notes, left_out
from training.freezing.soundness import warnings
from training.freezing.targets import Row, Wanted, choose, listed, rows_of
from training.models import Dataset, DatasetFilter, DatasetItem, Split
from training.student.data import Corpus, Example, Output, write_corpus

Fractions: TypeAlias = tuple[float, float, float]
STAGES = 3  # as often as `freeze` calls on_stage


def freeze(
    *,
    name: str,
    versions: Sequence[FilterVersion],
    oracle: Oracle,
    others: Sequence[Oracle] = (),
    reading: int = 1,
    mean_of_readings: bool = False,
    mix: bool = False,
    people: str = voices.People.IGNORE,
    size: int | None = None,
    seed: int = 0,
    fractions: Fractions = (0.8, 0.1, 0.1),
    threshold: float = 0.8,
    actor: Any = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Dataset:
    """A data set of every article that `oracle` labelled under at least one of `versions`, or a seeded sample of `size`.

    A target is one reading, or with `mean_of_readings` the mean of all there are. Labels of one filter come from one
    rubric, oracle and prompt: the prompt that was used most. With `mix` they may come from several versions of a filter,
    from `others` too and from every prompt, the first named first; recipe and notes then say how many came from where.
    `people` says what gold does to a target: nothing (ignore), take its place (override), be averaged with it (average), or
    take its place and count three times (weight); but for the first, articles that only people have scored join.
    Near-duplicates (Jaccard similarity of shingles ≥ `threshold`) are clustered first and the clusters are split,
    so no two lie in different splits. A version that did not label an article leaves its targets null.
    The same contents give the existing data set, under its own name. Raises BadInput with every problem found.
    """
    wanted = Wanted(versions, (oracle, *others), reading, mean_of_readings, mix, people)
    _check(name, wanted, size, fractions, threshold)
    on_stage("reading the labels")
    rows, notes = _labelled_rows(wanted)
    rows = _sample(rows, size, seed, notes)
    on_stage("clustering near-duplicates")
    clusters = cluster([shingles(row.text) for row in rows], threshold)
    splits = split_by_cluster(clusters, fractions, seed)
    on_stage("writing and counting leaks")
    made, corrected = Made.of(rows), voices.counted([row.corrections for row in rows])
    recipe = {
        "seed": seed,
        "size": size,
        "fractions": list(fractions),
        "near_duplicate_threshold": threshold,
        "oracle": oracle.pk,
        "oracle_identity": oracle.identity,
        "oracles": [one.pk for one in wanted.oracles],
        "versions": [f"{version.filter.slug}@{version.number}" for version in versions],
        "reading": reading,
        "mean_of_readings": mean_of_readings,
        "mix": mix,
        "people": people,
        "corrected": corrected,
        "sources": made.sources,
        "readings": made.readings,
    }
    draft = Dataset(
        name=name,
        recipe=recipe,
        view=versions[0].view,
        notes=[
            *made.notes(),
            *voices.notes(people, corrected, len(rows)),
            *drawn_notes(rows),
            *notes,
            *warnings(rows, splits, wanted.leads),
        ],
        clusters=len(set(clusters)),
        created_by=actor,
        fingerprint=_fingerprint(wanted, rows, splits, made),
    )
    return _store(draft, wanted.leads, rows, clusters, splits)


def _check(name: str, wanted: Wanted, size: int | None, fractions: Fractions, threshold: float) -> None:
    problems = list(wanted.problems())
    try:
        validate_slug(name)
    except ValidationError:
        problems.append(f"{name!r} can't name a data set; use letters, digits, hyphens and underscores.")
    if len({canonical_hash(version.view) for version in wanted.versions}) > 1:
        who = listed(wanted.versions)
        problems.append(f"{who} show their readers different parts of an article, so one student can't serve them.")
    if size is not None and size < 1:
        problems.append("The size must be 1 or more.")
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        problems.append("The shares of training, validation and test must be above 0 and add up to 1.")
    if not 0 < threshold <= 1:
        problems.append("The near-duplicate threshold must lie between 0 and 1.")
    if problems:
        raise BadInput(*problems)


def _labelled_rows(wanted: Wanted) -> tuple[list[Row], list[str]]:
    """The rows, and sentences about what was left out."""
    chosen = choose(wanted)
    if not chosen.articles:
        which = "" if wanted.mean else f", reading {wanted.reading},"
        raise BadInput(f"Nothing is labelled: no label of {wanted.who}{which} for {listed(wanted.versions)} fits its article.")
    rows, empty = rows_of(chosen)
    return rows, left_out(chosen, empty)


def _sample(rows: list[Row], size: int | None, seed: int, notes: list[str]) -> list[Row]:
    if size is None or size >= len(rows):
        return rows
    spare = count(len(rows) - size, "labelled article")
    notes.append(f"{spare} left out: a random sample of {size:,} was asked for (seed {seed}).")
    drawn = sorted(random.Random(seed).sample(range(len(rows)), size))  # noqa: S311
    return [rows[place] for place in drawn]


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
        found = f"{count(len(clusters), 'labelled article')} in {count(len(groups), 'cluster')}"
        raise BadInput(f"{found} can't fill three splits; label more.")
    return splits


def _fingerprint(wanted: Wanted, rows: Sequence[Row], splits: Sequence[Split], made: Made) -> str:
    """Hash of what a student could tell apart, and of what was mixed, averaged or corrected; names and order don't count."""
    outputs = [[version.filter.slug, version.rubric_hash, key] for version in wanted.leads for key in version.keys]
    contents = sorted(_content(row, split) for row, split in zip(rows, splits, strict=True))
    people = {"people": wanted.people} if any(any(row.corrections) for row in rows) else {}
    return canonical_hash({"outputs": outputs, "view": wanted.leads[0].view, "rows": contents, **made.identity, **people})


def _content(row: Row, split: Split) -> list[str]:
    """A weight is named only where it isn't 1, so that data sets keep the fingerprints they had before there were weights."""
    return [text_hash(row.text), split.value, repr(row.targets), *([f"{row.weight:g}"] if row.weight != 1 else [])]


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
            weight=row.weight,
            sampling_weight=row.sampling_weight,
            text_sha256=text_hash(row.text),
        )
        for row, number, split in zip(rows, clusters, splits, strict=True)
    )
    DatasetItem.objects.bulk_create(items, batch_size=1000)
    draft.leakage = leakage(draft)
    draft.save(update_fields=["leakage"])
    if draft.created_by is not None:
        record(draft.created_by, "data set frozen", draft, after={"name": draft.name, "fingerprint": draft.fingerprint})
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
        found = f"{count(len(changed), 'article')} changed since {dataset} was frozen, such as “{changed[0]}”"
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
        languages=languages_of(dataset),
    )
    write_corpus(directory, corpus, (_example(item, text) for item, text in _items(dataset, Split.TRAIN, Split.VAL)))


def languages_of(dataset: Dataset) -> dict[str, int]:
    """Training articles by language, the commonest first; "" where the import could not tell."""
    train = dataset.items.filter(split=Split.TRAIN).values_list("article__language")
    return dict(train.annotate(n=Count("pk")).order_by("-n", "article__language"))


def _example(item: DatasetItem, text: str) -> Example:
    return Example(
        id=f"{item.article.source}:{item.article.external_id}",
        text=text,
        targets=tuple(item.targets),
        split="train" if item.split == Split.TRAIN else "val",
        weight=item.weight,
    )
