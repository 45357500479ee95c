"""Where people's word moved a label, who has learnt from the old one, and how to teach them the new one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from distillery_site.common.errors import BadInput
from labeling import lookup
from labeling.comparing.readings import Scores, Source, sources
from labeling.models import Article, Filter, FilterVersion
from labeling.reviewing.gold import Gold, gold
from training.datasets import freeze
from training.freezing.people import People, blend
from training.freezing.provenance import oracles_of, oracles_word
from training.models import Dataset, Kind, ModelVersion, TrainingRun
from training.services import start_training

SAME = 1e-6
Golds = dict[int, Gold]


@dataclass(frozen=True)
class Change:
    """An article on which gold and the oracle's first reading differ: (dimension, old, new) of each score that moved."""

    article: Article
    gold: Gold
    scores: list[tuple[str, float, float]]

    @property
    def most(self) -> float:
        return max(abs(new - old) for _, old, new in self.scores)


@dataclass(frozen=True)
class Learner:
    """A data set, of how many of its articles people changed the target since, and the students that learnt from it."""

    dataset: Dataset
    articles: int
    models: list[ModelVersion]

    @property
    def again(self) -> list[ModelVersion]:
        """Those that can learn again by themselves: the newest of each name. A stack is made anew of its new members."""
        newest = {model.name: model for model in sorted(self.models, key=lambda model: model.number)}
        return [model for model in newest.values() if model.run is not None and model.kind != Kind.STACK]

    @property
    def stacks(self) -> list[ModelVersion]:
        return [model for model in self.models if model.kind == Kind.STACK]


@dataclass(frozen=True)
class Changes:
    """All of one rubric: `source` is whose labels are compared, `golden` how many articles have gold beside a label of it."""

    version: FilterVersion
    source: Source | None
    golden: int
    changed: list[Change]
    learners: list[Learner]


def spoken_of(filter_: Filter) -> FilterVersion | None:
    """The newest rubric that people have scored articles by, or else the newest."""
    spoken = Q(review_tasks__reviews__isnull=False) | Q(decisions__isnull=False)
    return filter_.versions.filter(spoken).order_by("-number").first() or filter_.latest


def changes(version: FilterVersion) -> Changes:
    """The largest first."""
    words = gold(version)
    source = next(iter(sources(version, reading=1)), None)
    labels = {pk: scores for pk, scores in source.scores().items() if pk in words} if source else {}
    moved = {pk: list(_moved(version, scores, words[pk].scores)) for pk, scores in labels.items()}
    articles = Article.objects.defer("text").in_bulk([pk for pk, scores in moved.items() if scores])
    found = [Change(article, words[pk], moved[pk]) for pk, article in articles.items()]
    found.sort(key=lambda one: (-one.most, one.article.pk))
    return Changes(version, source, len(labels), found, learners(version, words))


def _moved(version: FilterVersion, before: Scores, after: Scores) -> Iterator[tuple[str, float, float]]:
    for dimension, old, new in zip(version.dimensions, before, after, strict=True):
        if old is not None and new is not None and abs(new - old) > SAME:
            yield dimension["name"], old, new


def learners(version: FilterVersion, words: Golds) -> list[Learner]:
    """Data sets frozen on other targets than they would get now, the newest first; at their own policy, or else with override."""
    datasets = Dataset.objects.covering([version]).prefetch_related("model_versions__run", "model_versions__deployments")
    counted = ((dataset, _stale(dataset, version, words)) for dataset in datasets)
    return [Learner(dataset, n, list(dataset.model_versions.all())) for dataset, n in counted if n]


def _stale(dataset: Dataset, version: FilterVersion, words: Golds) -> int:
    policy = _policy_of(dataset)
    start = [owner for owner, _ in dataset.outputs].index(version)
    labels = oracles_word(dataset, version, words) if policy == People.AVERAGE else {}
    rows = dataset.items.filter(article__in=words).values_list("article", "targets")
    return sum(
        _differ(targets[start : start + len(version.keys)], blend(policy, labels.get(pk), words[pk].scores), words[pk].scores)
        for pk, targets in rows
    )


def _policy_of(dataset: Dataset) -> str:
    own = dataset.recipe.get("people", People.IGNORE)
    return People.OVERRIDE if own == People.IGNORE else own


def _differ(target: Scores, wanted: Scores, said: Scores) -> bool:
    """Whether a target is another than people's word would make it, on a dimension that they have scored."""
    pairs = ((old, new) for old, new, word in zip(target, wanted, said, strict=True) if word is not None and new is not None)
    return any(old is None or abs(old - new) > SAME for old, new in pairs)


def freeze_and_retrain(
    *, dataset: Dataset, models: Sequence[ModelVersion], people: str, actor: Any = None
) -> tuple[Dataset, list[TrainingRun]]:
    """The same recipe over the labels of now with people's word, and a queued training for each of these students.

    The door sends the runs. Raises BadInput where nothing has changed, or one of them can't learn again by itself.
    """
    _check(dataset, models)
    made = freeze(name=_name(dataset), people=people, actor=actor, **_recipe(dataset))
    if made == dataset:
        raise BadInput(f"With this policy {dataset} would come out as it is; nothing was frozen.")
    return made, _teach(made, models, actor)


@transaction.atomic
def _teach(made: Dataset, models: Sequence[ModelVersion], actor: Any) -> list[TrainingRun]:
    options = ((model, model.run) for model in models if model.run is not None)
    return [
        start_training(dataset=made, kind=run.kind, name=model.name, preset=run.preset, config=run.config, actor=actor)
        for model, run in options
    ]


def _check(dataset: Dataset, models: Sequence[ModelVersion]) -> None:
    problems = [f"{model} did not learn from {dataset}." for model in models if model.dataset_id != dataset.pk]
    problems += [
        f"{model} is a stack of others; train these first, then a stack of them." for model in models if model.kind == Kind.STACK
    ]
    problems += [f"{model} learned elsewhere, so it can't learn again here." for model in models if model.run is None]
    if not models:
        problems.append("Choose at least one student that is to learn again.")
    if problems:
        raise BadInput(*problems)


def _recipe(dataset: Dataset) -> dict[str, Any]:
    """Its recipe as freeze's arguments; data sets of before there were several sources name one oracle and no versions."""
    recipe, oracles = dataset.recipe, oracles_of(dataset)
    if not oracles:
        raise BadInput(f"The oracle behind {dataset} is gone; freeze a data set of another's labels.")
    named = recipe.get("versions")
    return {
        "versions": [lookup.version(name) for name in named] if named else dataset.versions,
        "oracle": oracles[0],
        "others": oracles[1:],
        "reading": recipe.get("reading", 1),
        "mean_of_readings": recipe.get("mean_of_readings", False),
        "mix": recipe.get("mix", False),
        "size": recipe.get("size"),
        "seed": recipe["seed"],
        "fractions": tuple(recipe["fractions"]),
        "threshold": recipe["near_duplicate_threshold"],
    }


def _name(dataset: Dataset) -> str:
    """news-gold, then news-gold-2: the first that is free."""
    stem = f"{dataset.name[:70].partition('-gold')[0]}-gold"
    taken = set(Dataset.objects.filter(name__startswith=stem).values_list("name", flat=True))
    names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)
