"""What a data set's targets were made of: counted when it is frozen, told in its notes, and found again from its recipe."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from labeling.comparing.readings import SHORT, Scores, Source, prompt_name, source
from labeling.models import Article, FilterVersion, LabelingItem, Oracle, OracleLabel
from training.freezing.targets import Chosen, Row, enriched_items, listed
from training.models import Dataset

PICKED = {
    "enriched": ("enrichment", "likely to score high"),
    "teaching": ("what to label next", "those that teach a student most"),
}


@dataclass(frozen=True)
class Made:
    """How many targets came from each source, and how many are the mean of 1, 2, … readings."""

    sources: list[dict[str, Any]]
    readings: dict[str, int]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Made":
        origins = [origin for row in rows for origin in row.origins if origin]
        counts = Counter(origin.source for origin in origins)
        readings = Counter(origin.readings for origin in origins)
        return cls([_told(*counted) for counted in counts.most_common()], {str(k): readings[k] for k in sorted(readings)})

    @property
    def mixed(self) -> bool:
        """Whether any filter's targets came from more than one source."""
        return len({told["filter"] for told in self.sources}) < len(self.sources)

    @property
    def averaged(self) -> bool:
        return any(number != "1" for number in self.readings)

    @property
    def identity(self) -> dict[str, Any]:
        """What joins the fingerprint: nothing where every target is one reading, of one source a filter."""
        keys = ("filter", "rubric_hash", "oracle_identity", "prompt_hash")
        each = sorted([told[key] for key in keys] for told in self.sources)
        return {**({"sources": each} if self.mixed else {}), **({"mean_of_readings": True} if self.averaged else {})}

    def notes(self) -> Iterator[str]:
        if self.averaged:
            each = ", ".join(f"{n:,} of {count(int(number), 'reading')}" for number, n in self.readings.items())
            yield f"Targets are means over an article's readings: {each}. They are steadier than one reading is."
        for told in self.sources if self.mixed else ():
            rubric = f"{told['filter']} v{told['version']} (rubric {told['rubric_hash'][:SHORT]})"
            who = f"{told['name']}, {prompt_name(told['prompt_hash'])}"
            yield f"Mixed as was asked for: {count(told['articles'], 'target')} by {who}, under {rubric}."


def _told(of: Source, articles: int) -> dict[str, Any]:
    return {
        "filter": of.version.filter.slug,
        "version": of.version.number,
        "rubric_hash": of.version.rubric_hash,
        "oracle": of.oracle.pk,
        "oracle_identity": of.oracle.identity,
        "name": of.oracle.name,
        "prompt_hash": of.prompt_hash,
        "articles": articles,
    }


def left_out(chosen: Chosen, empty: int) -> list[str]:
    """Sentences about the articles and labels that are in no row, and why."""
    reasons = [*_articles(chosen, empty), *_labels(chosen)]
    notes = [f"{count(n, what)} left out: {why}." for n, what, why in reasons if n]
    for version, found in zip(chosen.wanted.leads, chosen.targets, strict=True):
        if missing := len(chosen.articles) - len(found):
            notes.append(f"{count(missing, 'article')} not labelled for {version}: those targets are empty.")
    return notes


def _articles(chosen: Chosen, empty: int) -> Iterator[tuple[int, str, str]]:
    without = Article.objects.count() - len(chosen.articles)
    yield without, "article", f"there is no label of {chosen.wanted.who} for the text as it is now"
    yield empty, "article", "labelled without a single score"


def _labels(chosen: Chosen) -> Iterator[tuple[int, str, str]]:
    wanted = chosen.wanted
    everything = OracleLabel.objects.filter(version__in=wanted.versions)
    ours = everything.filter(oracle__in=wanted.oracles)
    asked = ours if wanted.mean else ours.filter(reading=wanted.reading)
    used = sum(one.labels for one in chosen.used)
    taken = sum(origin.readings for found in chosen.targets for _, origin in found.values() if origin)
    yield asked.count() - used - sum(one.labels for one in chosen.passed_over), "label", "the article's text changed since"
    yield ours.count() - asked.count(), "label", "another reading"
    yield used - taken, "label", "a source that goes before it has a label for the same article"
    for one in chosen.passed_over:
        yield one.labels, "label", f"{one.oracle} was asked with another prompt ({prompt_name(one.prompt_hash)})"
    others = everything.exclude(oracle__in=wanted.oracles).values_list("oracle__name")
    for name, n in others.annotate(n=Count("pk")).order_by("oracle__name"):
        yield n, "label", f"another oracle, {name}"


def drawn_notes(rows: Sequence[Row]) -> Iterator[str]:
    """How many articles runs picked for what they were likely to say or teach, and that others were drawn without a look."""
    ours = {(origin.run, row.article_id) for row in rows for origin in row.origins if origin and origin.run}
    found = enriched_items(rows).values_list("run__sampling__how", "run", "article", "drawn")
    drawn = {article: (how, picked) for how, run, article, picked in found if (run, article) in ours}
    for how, (came, why) in PICKED.items():
        of = Counter(picked for by, picked in drawn.values() if (by == "teaching") == (how == "teaching"))
        if picked := of[LabelingItem.Drawn.ENRICHED]:
            beside = f"{of[LabelingItem.Drawn.RANDOM]:,} of the same runs drawn at random"
            yield (
                f"{count(picked, 'article')} came from {came}, picked as {why}, beside {beside}. Sampling weights are kept with "
                "the rows; errors and shares here are not weighted by them."
            )


def count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def sources_of(dataset: Dataset, version: FilterVersion) -> list[Source]:
    """The labels behind one filter's targets, as they are now; data sets frozen before sources were kept have one."""
    told = [one for one in dataset.recipe.get("sources", ()) if one["filter"] == version.filter.slug]
    told = told or [{"oracle": dataset.recipe["oracle"], "rubric_hash": version.rubric_hash, "prompt_hash": None}]
    oracles = Oracle.objects.in_bulk({one["oracle"] for one in told})
    rubrics = {one.rubric_hash: one for one in version.filter.versions.select_related("filter")}
    found = (source(rubrics[one["rubric_hash"]], oracles[one["oracle"]], one["prompt_hash"]) for one in told)
    return [one for one in found if one]


def oracles_word(dataset: Dataset, version: FilterVersion, articles: Collection[int]) -> dict[int, Scores]:
    """What the data set's own sources say of these articles, whatever people's word made of its targets; the first goes first."""
    found: dict[int, Scores] = {}
    for one in sources_of(dataset, version):
        found = {**one.scores(dataset.recipe.get("reading", 1)), **found}
    return {pk: scores for pk, scores in found.items() if pk in articles}


def readings_told(recipe: dict[str, Any]) -> str:
    """“reading 1”, or “mean of up to 3 readings”."""
    if not recipe.get("mean_of_readings"):
        return f"reading {recipe.get('reading', 1)}"
    most = max((int(number) for number in recipe.get("readings", {"1": 0})), default=1)
    return f"mean of up to {most} readings" if most > 1 else "mean of all readings, which is one"


def labelled_by(dataset: Dataset) -> str:
    """“Claude, reading 1”, “Claude and Gemini, mean of up to 2 readings”."""
    return f"{listed(oracles_of(dataset)) or 'an oracle that is gone'}, {readings_told(dataset.recipe)}"


def oracles_of(dataset: Dataset) -> list[Oracle]:
    """In their order of preference; those that are gone are left out."""
    keys = dataset.recipe.get("oracles") or [dataset.recipe.get("oracle")]
    found = Oracle.objects.in_bulk([key for key in keys if key is not None])
    return [found[key] for key in keys if key in found]
