"""More of the rare: a few labels teach a quick student, which picks the articles most likely to score high.

How the articles of an enriched run are drawn, so that what is said of all of them stays honest:
1. The pool: articles that passed and have no answer of this oracle yet; at most SCREENED of them, at random.
2. The holdout: a fifth of the draw, at random from the pool, before anything is screened. It is never enriched.
3. The likely ones: for each scale on which high scores are rare, in turn, the article with the highest guess that was
   not taken yet, until the rest of the draw is full. Articles of the holdout that come up on the way are likely ones too.
4. The weights: every likely article is in the run, so it stands for itself; each other one of the holdout stands for its
   share of all that are not likely. Both times pool / screened. Sums of weights are then the size of the pool.
"""

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings

from distillery_site.common.errors import BadInput, Permanent
from labeling.models import Article, LabelingRun
from labeling.planning import sampled
from labeling.planning.measuring import labels_like
from labeling.planning.plans import Plan, plan, refused
from labeling.services import start_labeling
from training.running.child import Child
from training.running.launching import child_environment

SCREENED = 20_000  # ten seconds of a processor; a random part of a larger pool says as much
HOLDOUT = 0.2
FEWEST = 20  # labels to learn from
SMALLEST, USUAL_SIZE = 20, 500
SCREEN_SECONDS = 300.0
TICK_SECONDS = 0.2
CHUNK = 500
SCREEN = (sys.executable, "-m", "training.student.screen")
RULE = "for each of {names} in turn, the article with the highest score guessed by ridge on TF-IDF of {n:,} labels"
Guesses = Mapping[int, Sequence[float]]


@dataclass(frozen=True)
class Draw:
    """Articles of an enriched run: `picked` as likely, `holdout` unscreened; a weight for each, and how it was done."""

    holdout: frozenset[int]
    picked: frozenset[int]
    weights: dict[int, float]
    sampling: dict[str, Any]

    @property
    def articles(self) -> list[int]:
        return sorted(self.holdout | self.picked)


def start_enriched(
    *,
    pilot: LabelingRun,
    drawn: Draw,
    mode: str = LabelingRun.Mode.DIRECT,
    budget_usd: Decimal | None = None,
    plan: dict[str, Any] | None = None,
    agreed: bool = False,
    actor: Any = None,
) -> LabelingRun:
    """A queued run of the pilot's oracle and rubrics over what was drawn. The door sends its tasks."""
    return start_labeling(
        version=pilot.version,
        also=pilot.versions[1:],
        oracle=pilot.oracle,
        articles=drawn.articles,
        mode=mode,
        kind=LabelingRun.Kind.ENRICHED,
        budget_usd=budget_usd,
        sampling=drawn.sampling,
        weights=drawn.weights,
        enriched=drawn.picked,
        plan=plan,
        agreed=agreed,
        actor=actor,
    )


def plan_enriched(*, pilot: LabelingRun, size: int, mode: str = LabelingRun.Mode.DIRECT) -> Plan:
    """As for random articles of the pool: which ones they will be makes no difference to the price."""
    pool = pool_of(pilot)
    try:
        _check(pilot, size, len(pool), len(_labels(pilot)))
    except BadInput as error:
        return refused(pilot.version, pilot.oracle, error.problems)
    articles = random.Random(0).sample(pool, size)  # noqa: S311 (must be repeatable, not secret)
    return plan(version=pilot.version, oracle=pilot.oracle, articles=articles, also=pilot.versions[1:], mode=mode)


def pool_of(pilot: LabelingRun) -> list[int]:
    """Articles that passed the newest policy and that have no answer to what the pilot asked, in the order of their keys."""
    policy = pilot.version.policies.latest("number")
    known = labels_like(pilot, pilot.version).current()
    unread = Article.objects.passed(policy).exclude(pk__in=known.values("article"))
    return list(unread.order_by("pk").values_list("pk", flat=True))


def draw(*, pilot: LabelingRun, size: int, seed: int = 0) -> Draw:
    """Raises BadInput where there is nothing to learn from or to choose among; Permanent when the student failed."""
    pool, labels = pool_of(pilot), _labels(pilot)
    _check(pilot, size, len(pool), len(labels))
    chance = random.Random(seed)  # noqa: S311 (must be repeatable, not secret)
    screened = sorted(chance.sample(pool, min(SCREENED, len(pool))))
    holdout = frozenset(chance.sample(screened, round(HOLDOUT * size)))
    columns = _rare(pilot)
    guesses = guess(pilot, labels, screened)
    likely = choose(guesses, list(columns), size - len(holdout), holdout)
    weights = weigh(likely, holdout, screened=len(screened), pool=len(pool))
    *others, last = columns.values()
    rule = RULE.format(names=f"{', '.join(others)} and {last}" if others else last, n=len(labels))
    counts = {"size": size, "pool": len(pool), "screened": len(screened), "holdout": len(holdout), "likely": len(likely)}
    return Draw(holdout, likely - holdout, weights, {"how": "enriched", "pilot": pilot.pk, "seed": seed, **counts, "rule": rule})


def _check(pilot: LabelingRun, size: int, pool: int, labels: int) -> None:
    if labels < FEWEST:
        raise BadInput(f"{pilot} has {labels:,} labels; {FEWEST} are the fewest to learn from. Label a pilot first.")
    if size < SMALLEST:
        raise BadInput(f"An enriched draw takes {SMALLEST} articles or more, so that its unscreened part says something.")
    if size >= pool:
        raise BadInput(
            f"Only {pool:,} articles passed and are not read yet, so there is nothing to choose among; label all of them instead."
        )


def _labels(pilot: LabelingRun) -> dict[int, list[float | None]]:
    """article → its scores on every dimension of the prompt, side by side."""
    found: dict[int, list[float | None]] = {}
    for version in pilot.versions:
        for one in sampled.samples(pilot, version):
            found.setdefault(one.article, []).extend(one.scores)
    width = sum(len(version.keys) for version in pilot.versions)
    return {article: scores for article, scores in found.items() if len(scores) == width}


def _rare(pilot: LabelingRun) -> dict[int, str]:
    """Column → name of the scales where high scores are rare; all of them where none is."""
    reports = [sampled.rubric_report(version, sampled.samples(pilot, version)) for version in pilot.versions]
    scales = [scale for report in reports for scale in report.scales]
    rare = {place: scale.name for place, scale in enumerate(scales) if scale.rare}
    return rare or {place: scale.name for place, scale in enumerate(scales)}


def guess(pilot: LabelingRun, labels: Mapping[int, Sequence[float | None]], screened: Sequence[int]) -> dict[int, list[float]]:
    """Article → guessed score on every dimension, by a student that lives for this one question in a process of its own."""
    folder = Path(tempfile.mkdtemp(prefix="screen-", dir=_work()))
    try:
        return _ask(pilot, labels, screened, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _work() -> Path:
    work = Path(settings.VAR) / "work"
    work.mkdir(parents=True, exist_ok=True)
    return work


def _ask(
    pilot: LabelingRun, labels: Mapping[int, Sequence[float | None]], screened: Sequence[int], folder: Path
) -> dict[int, list[float]]:
    view = pilot.version.view
    _write(folder / "labelled.jsonl", ({"text": text, "scores": labels[pk]} for pk, text in _texts(sorted(labels), view)))
    _write(folder / "pool.jsonl", ({"id": pk, "text": text} for pk, text in _texts(screened, view)))
    files = [word for name in ("labelled", "pool", "out") for word in (f"--{name}", str(folder / f"{name}.jsonl"))]
    child = Child.start([*SCREEN, *files], folder=folder, cwd=Path(settings.BASE_DIR), env=child_environment())
    deadline = time.monotonic() + SCREEN_SECONDS
    try:
        for _ in child.events(TICK_SECONDS):
            if time.monotonic() > deadline:
                raise Permanent(f"Guessing took longer than {SCREEN_SECONDS:.0f} s and was stopped.")
    finally:
        status = child.stop()
    if status:
        raise Permanent(f"The student that picks likely articles failed. {child.last_words()}")
    rows = (json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines())
    return {row["id"]: row["scores"] for row in rows}


def _texts(articles: Sequence[int], view: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """(key, text as the oracle reads it), a few hundred whole articles in memory at a time."""
    for start in range(0, len(articles), CHUNK):
        for article in Article.objects.filter(pk__in=articles[start : start + CHUNK]).order_by("pk"):
            yield article.pk, article.rendered(view)


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def choose(guesses: Guesses, columns: Sequence[int], count: int, holdout: Collection[int]) -> frozenset[int]:
    """The likely articles: in turn for each column the highest guess not taken yet, until `count` are outside the holdout.

    Equal guesses go by key, so that the same guesses choose the same articles.
    """
    rankings = [_ranking(guesses, column) for column in columns]
    taken: set[int] = set()
    room = min(count, len(guesses) - len(holdout))
    while room:
        for ranking in rankings:
            best = next((pk for pk in ranking if pk not in taken), None)
            if best is not None:
                taken.add(best)
                room -= best not in holdout
            if not room:
                break
    return frozenset(taken)


def _ranking(guesses: Guesses, column: int) -> Iterator[int]:
    return iter(sorted(guesses, key=lambda pk: (-guesses[pk][column], pk)))


def weigh(likely: Collection[int], holdout: Collection[int], *, screened: int, pool: int) -> dict[int, float]:
    """How many articles of the pool each drawn one stands for (one over its chance, given which ones are likely)."""
    others = [pk for pk in holdout if pk not in likely]
    if not others and screened > len(likely):
        raise BadInput("All of the unscreened articles came up as likely, so none stands for the rest; draw fewer articles.")
    each = pool / screened
    rest = each * (screened - len(likely)) / len(others) if others else 0.0
    return {**dict.fromkeys(likely, each), **dict.fromkeys(others, rest)}
