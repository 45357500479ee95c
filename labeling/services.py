"""What can be done with filters, articles, labels and reviews: each verb once, for pages, commands and the demo alike."""

import random
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from labeling.articles.external import import_external_labels
from labeling.articles.intake import ImportReport, import_articles
from labeling.articles.prefilter import Rules, Verdict, judge
from labeling.comparing.readings import readings_subset, repeat_pairs
from labeling.demo import recordings
from labeling.models import (
    Article,
    Filter,
    FilterVersion,
    Oracle,
    Policy,
    PrefilterVerdict,
)
from labeling.oracles import registry
from labeling.reviewing.policies import fill_queue
from labeling.reviewing.submitting import submit_review
from labeling.reviewing.tasks import open_review, open_reviews, review_disagreements, send_article, send_disagreements, send_list
from labeling.rubrics.packages import FilterPackage
from labeling.running.runs import (
    EXTERNAL,
    cancel_labeling,
    pause_labeling,
    resume_labeling,
    retry_failed,
    run_labeling,
    set_filter_cap,
    start_labeling,
    work_shard,
)

__all__ = [
    "ImportReport",
    "cancel_labeling",
    "fill_queue",
    "get_oracle",
    "import_articles",
    "import_external_labels",
    "import_package",
    "keep_oracle",
    "name_oracle",
    "open_review",
    "open_reviews",
    "pause_labeling",
    "readings_subset",
    "repeat_pairs",
    "resume_labeling",
    "retry_failed",
    "review_disagreements",
    "run_labeling",
    "run_prefilter",
    "sample_articles",
    "send_article",
    "send_disagreements",
    "send_list",
    "set_filter_cap",
    "start_labeling",
    "submit_review",
    "work_shard",
]

BATCH = 1000
POLICY_FIELDS = ("weights", "tiers", "gatekeepers", "caps", "prefilter")


@transaction.atomic
def import_package(*, package: FilterPackage, actor: Any = None) -> FilterVersion:
    """The version of this rubric: the stored one where it is known, else a new one. A changed policy gets a new number."""
    Filter.objects.get_or_create(slug=package.slug)
    found = Filter.objects.select_for_update().get(slug=package.slug)
    _name(found, package, actor)
    version = found.versions.filter(rubric_hash=package.rubric_hash).first()
    if version is None:
        number = 1 + (found.versions.aggregate(top=Max("number"))["top"] or 0)
        version = found.versions.create(number=number, rubric_hash=package.rubric_hash, **package.rubric)
        record(actor, "rubric imported", version, after={"rubric_hash": version.rubric_hash})
    _keep_policy(version, package.policy, actor)
    return version


def _name(row: Filter, package: FilterPackage, actor: Any) -> None:
    """A row without a name was only just made."""
    new, before = not row.name, {"name": row.name, "question": row.question}
    after = {"name": package.name, "question": package.question}
    row.name, row.question = package.name, package.question
    row.save(update_fields=["name", "question"])
    if new or before != after:
        record(actor, "filter made" if new else "filter renamed", row, before=None if new else before, after=after)


def _keep_policy(version: FilterVersion, policy: dict[str, Any], actor: Any) -> Policy:
    latest = version.policies.order_by("-number").first()
    if latest is not None and all(getattr(latest, name) == policy[name] for name in POLICY_FIELDS):
        return latest
    new = version.policies.create(number=latest.number + 1 if latest else 1, **policy)
    before = {name: getattr(latest, name) for name in POLICY_FIELDS} if latest else None
    record(actor, "policy changed" if latest else "policy imported", new, before=before, after=policy)
    return new


@transaction.atomic
def run_prefilter(*, policy: Policy, actor: Any = None, on_progress: Callable[[int], Any] | None = None) -> dict[str, Any]:
    """Judge every article under this policy, in the order of import; {"passed": n, "dropped": {reason: n}}."""
    rules, seen, dropped, passed = Rules.from_policy(policy.prefilter), set[str](), Counter[str](), 0
    rows = Article.objects.order_by("pk").only("pk", "title", "text", "words", "language")
    judged = (
        (article, judge(article.text, article.words, article.language, rules, seen, title=article.title))
        for article in rows.iterator(chunk_size=BATCH)
    )
    while batch := list(islice(judged, BATCH)):
        _store_verdicts(policy, batch)
        passed += sum(verdict.passed for _, verdict in batch)
        dropped.update(verdict.reason for _, verdict in batch if not verdict.passed)
        if on_progress is not None:
            on_progress(passed + dropped.total())
    told = {"passed": passed, "dropped": dict(dropped.most_common())}
    record(actor, "prefilter run", policy, after=told)
    return told


def _store_verdicts(policy: Policy, judged: list[tuple[Article, Verdict]]) -> None:
    fields = ["passed", "reason", "detail"]
    rows = [
        PrefilterVerdict(policy=policy, article=article, passed=found.passed, reason=found.reason, detail=found.detail[:300])
        for article, found in judged
    ]
    PrefilterVerdict.objects.bulk_create(rows, update_conflicts=True, unique_fields=["policy", "article"], update_fields=fields)


def sample_articles(*, policy: Policy, size: int | None = None, seed: int = 0) -> list[int]:
    """Primary keys of `size` random articles that passed (all of them where size is None); the same seed draws the same."""
    found = list(Article.objects.passed(policy).order_by("pk").values_list("pk", flat=True))
    if not found:
        raise BadInput(f"No article of {policy.version} has passed the prefilter; import articles and run the prefilter first.")
    draw = random.Random(seed)  # noqa: S311 (must be repeatable, not secret)
    return found if size is None else sorted(draw.sample(found, min(size, len(found))))


def name_oracle(
    *, provider: str, model: str = "", params: dict[str, Any] | None = None, name: str = "", about: str = ""
) -> Oracle:
    """The oracle of this identity, as a row that is stored only where it was before; provider "external" was asked elsewhere."""
    if provider == EXTERNAL:
        if not model.strip():
            raise BadInput("Name the oracle that gave these scores.")
        defaults: dict[str, Any] = {}
    else:
        known = registry.provider(provider)
        defaults = known.defaults | known.place(getattr(settings, known.url_setting, ""))
        model = model or known.default_model
    values = {**defaults, **(params or {})}
    if provider == recordings.PROVIDER:
        name, about = name or recordings.NAME, about or recordings.ABOUT
    name = name or (f"{model} at {values['host']}" if "host" in values else model)
    identity = Oracle.identity_of(provider, model, values)
    row = Oracle(provider=provider, model=model, params=values, name=name[:120], about=about, identity=identity)
    return Oracle.objects.filter(identity=identity).first() or row


def keep_oracle(oracle: Oracle) -> Oracle:
    """The stored row of this identity, made when it is new."""
    row = {name: getattr(oracle, name) for name in ("provider", "model", "params", "name", "about")}
    return oracle if oracle.pk else Oracle.objects.get_or_create(identity=oracle.identity, defaults=row)[0]


def get_oracle(
    *, provider: str, model: str = "", params: dict[str, Any] | None = None, name: str = "", about: str = ""
) -> Oracle:
    """The stored oracle of this identity, made when it is new."""
    return keep_oracle(name_oracle(provider=provider, model=model, params=params, name=name, about=about))
