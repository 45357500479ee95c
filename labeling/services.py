"""What can be done with filters, articles, labels and reviews: each verb once, for pages, commands and the demo alike."""

import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from distillery_site.common.errors import BadInput, Cancelled, LeaseLost, Permanent, Transient
from distillery_site.common.models import record
from distillery_site.common.net import check_outbound
from distillery_site.common.runs import RunState
from labeling import figures
from labeling.asking import Asking
from labeling.budget import OverBudget, book_lost_replies, dollars, spent
from labeling.demo import recordings
from labeling.external import import_external_labels
from labeling.intake import ImportReport, import_articles
from labeling.models import (
    Article,
    Filter,
    FilterVersion,
    LabelingItem,
    LabelingRun,
    Oracle,
    OracleLabel,
    Policy,
    PrefilterVerdict,
)
from labeling.oracles import base, registry
from labeling.oracles.prices import Prices
from labeling.packages import FilterPackage, load_package
from labeling.prefilter import Rules, Verdict, judge
from labeling.reviews import open_review, repeat_pairs, review_disagreements, submit_review

__all__ = [
    "ImportReport",
    "cancel_labeling",
    "get_oracle",
    "import_articles",
    "import_external_labels",
    "import_package",
    "open_review",
    "repeat_pairs",
    "resume_labeling",
    "review_disagreements",
    "run_labeling",
    "run_prefilter",
    "sample_articles",
    "start_labeling",
    "submit_review",
]

log = logging.getLogger(__name__)
BATCH = 1000
EXTERNAL = "external"
PATIENCE_SECONDS = 30.0
POLICY_FIELDS = ("weights", "tiers", "gatekeepers", "caps", "prefilter")


@transaction.atomic
def import_package(*, package: FilterPackage, actor: Any = None) -> FilterVersion:
    """The version of this rubric: the stored one where it is known, else a new one. A changed policy gets a new number."""
    Filter.objects.get_or_create(slug=package.slug)
    found = Filter.objects.select_for_update().get(slug=package.slug)
    found.name, found.question = package.name, package.question
    found.save(update_fields=["name", "question"])
    version = found.versions.filter(rubric_hash=package.rubric_hash).first()
    if version is None:
        number = 1 + (found.versions.aggregate(top=Max("number"))["top"] or 0)
        version = found.versions.create(number=number, rubric_hash=package.rubric_hash, **package.rubric)
        record(actor, "rubric imported", version, after={"rubric_hash": version.rubric_hash})
    _keep_policy(version, package.policy, actor)
    return version


def _keep_policy(version: FilterVersion, policy: dict[str, Any], actor: Any) -> Policy:
    latest = version.policies.order_by("-number").first()
    if latest is not None and all(getattr(latest, name) == policy[name] for name in POLICY_FIELDS):
        return latest
    new = version.policies.create(number=latest.number + 1 if latest else 1, **policy)
    before = {name: getattr(latest, name) for name in POLICY_FIELDS} if latest else None
    record(actor, "policy changed" if latest else "policy imported", new, before=before, after=policy)
    return new


@transaction.atomic
def run_prefilter(*, policy: Policy, on_progress: Callable[[int], Any] | None = None) -> dict[str, Any]:
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
    return {"passed": passed, "dropped": dict(dropped.most_common())}


def _store_verdicts(policy: Policy, judged: list[tuple[Article, Verdict]]) -> None:
    fields = ["passed", "reason", "detail"]
    rows = [
        PrefilterVerdict(policy=policy, article=article, passed=found.passed, reason=found.reason, detail=found.detail[:300])
        for article, found in judged
    ]
    PrefilterVerdict.objects.bulk_create(rows, update_conflicts=True, unique_fields=["policy", "article"], update_fields=fields)


def sample_articles(*, policy: Policy, size: int | None = None, seed: int = 0, read_by: Oracle | None = None) -> list[int]:
    """Primary keys of `size` random articles that passed (all of them where size is None); the same seed draws the same.

    With `read_by`, only articles of which that oracle has given a first reading: those that can be asked about again.
    """
    passed = Article.objects.passed(policy).order_by("pk")
    if read_by is not None:
        first = OracleLabel.objects.filter(version=policy.version, oracle=read_by).first_readings()
        passed = passed.filter(pk__in=first.values("article"))
    found = list(passed.values_list("pk", flat=True))
    if not found:
        what = f"been read by {read_by}" if read_by else "passed the prefilter; import articles and run the prefilter first"
        raise BadInput(f"No article of {policy.version} has {what}.")
    draw = random.Random(seed)  # noqa: S311 (must be repeatable, not secret)
    return found if size is None else sorted(draw.sample(found, min(size, len(found))))


def get_oracle(
    *, provider: str, model: str = "", params: dict[str, Any] | None = None, name: str = "", about: str = ""
) -> Oracle:
    """The oracle of this identity, made when it is new; provider "external" names one that was asked elsewhere."""
    if provider == EXTERNAL:
        if not model.strip():
            raise BadInput("Name the oracle that gave these scores.")
        defaults: dict[str, Any] = {}
    else:
        known = registry.provider(provider)
        model, defaults = model or known.default_model, known.defaults
    values = {**defaults, **(params or {})}
    if provider == recordings.PROVIDER:
        name, about = name or recordings.NAME, about or recordings.ABOUT
    row = {"provider": provider, "model": model, "params": values, "name": (name or model)[:120], "about": about}
    return Oracle.objects.get_or_create(identity=Oracle.identity_of(provider, model, values), defaults=row)[0]


@transaction.atomic
def start_labeling(
    *,
    version: FilterVersion,
    oracle: Oracle,
    articles: Sequence[int],
    reading: int = 1,
    budget_usd: Decimal | None = None,
    actor: Any = None,
) -> LabelingRun:
    """A queued run over these articles (primary keys). A paid oracle needs a cap in USD."""
    if oracle.provider == EXTERNAL:
        raise BadInput(f"{oracle} was asked elsewhere; it can't be asked from here.")
    if not articles:
        raise BadInput("There is no article to label.")
    if registry.provider(oracle.provider).paid:
        Prices.of(oracle.provider, oracle.model, settings.ORACLE_PRICES)  # refuse now what could never be reserved
        if not budget_usd or budget_usd <= 0:
            raise BadInput(f"{oracle} costs money: give a cap in USD.")
    each = list(dict.fromkeys(articles))
    run = LabelingRun.objects.create(
        version=version, oracle=oracle, reading=reading, budget_usd=budget_usd, created_by=actor, progress_total=len(each)
    )
    LabelingItem.objects.bulk_create([LabelingItem(run=run, article_id=pk) for pk in each], batch_size=BATCH)
    after = {"version": str(version), "oracle": str(oracle), "articles": len(each), "budget_usd": str(budget_usd)}
    record(actor, "labelling started", run, after=after)
    return run


def run_labeling(*, run_id: int) -> None:
    """Work a run off, if it is due and nobody else holds it; whatever happens ends in the run's row.

    Ends done, cancelled, failed, paused (at the cap, or until a person acts) or back in the queue (the provider asks
    for patience). Answers that are there stay, whatever the end.
    """
    run = LabelingRun.objects.claim(run_id)
    if run is None:
        return
    try:
        book_lost_replies(run)
        run.beat(progress_done=run.items.exclude(state=LabelingItem.State.WAITING).count())
        Asking(run, _engage(run)).work()
    except LeaseLost as error:
        log.warning("%s", error)
    except Cancelled:
        run.stop_cancelled()
    except OverBudget as error:
        run.pause(str(error))
    except base.OracleError as error:
        _leave_unanswered(run, error)
    except Transient as error:
        run.put_back(str(error), error.retry_after or PATIENCE_SECONDS)
    except Permanent as error:
        run.fail(str(error))
    else:
        run.finish(stage=_summary(run))


def _leave_unanswered(run: LabelingRun, error: base.OracleError) -> None:
    if error.pauses_run:
        run.pause(str(error))
    else:
        run.put_back(str(error), error.retry_after or PATIENCE_SECONDS)


def _summary(run: LabelingRun) -> str:
    counts = figures.run_counts(run)
    parts = [(counts.labelled, "labelled"), (counts.stored, "known already"), (counts.absent, "without a recording")]
    parts.append((counts.failed, "failed"))
    return ", ".join(f"{count:,} {what}" for count, what in parts if count)


def _engage(run: LabelingRun) -> base.Oracle:
    """The oracle with what it needs from this site: a checked address and a key, or the folder of its recordings."""
    oracle = run.oracle
    needs = {"recorded": _recordings_of, "anthropic": _anthropic_settings}
    return registry.make(oracle.provider, oracle.model, oracle.params, **needs[oracle.provider](run))


def _recordings_of(run: LabelingRun) -> dict[str, Any]:
    """Recordings answer one rubric only; another version must not be given their scores."""
    slug = run.version.filter.slug
    if slug not in recordings.RECORDED:
        raise BadInput(f"Nothing is recorded for {slug}; there are recordings for {' and '.join(recordings.RECORDED)}.")
    folder = recordings.FOLDER / slug
    if load_package(folder).rubric_hash != run.version.rubric_hash:
        raise BadInput(f"The recordings answer another rubric than {run.version}; a live oracle has to be asked for it.")
    return {"folder": folder, "source": recordings.SOURCE}


def _anthropic_settings(run: LabelingRun) -> dict[str, Any]:
    base_url = check_outbound(settings.ANTHROPIC_BASE_URL, settings.OUTBOUND_ALLOW)
    return {"api_key": settings.ANTHROPIC_API_KEY, "base_url": base_url, "prices": settings.ORACLE_PRICES}


@transaction.atomic
def cancel_labeling(*, run: LabelingRun, actor: Any = None) -> None:
    """Questions that are out are still settled: they are paid for."""
    record(actor, "labelling cancelled", run, before={"state": run.state})
    run.request_cancel()


@transaction.atomic
def resume_labeling(*, run: LabelingRun, budget_usd: Decimal | None = None, actor: Any = None) -> None:
    """Queue a paused, failed or cancelled run again, under a new cap where one is given; the door sends the task."""
    row = LabelingRun.objects.select_for_update(of=("self",)).get(pk=run.pk)
    if row.state not in (RunState.PAUSED, RunState.FAILED, RunState.CANCELLED):
        raise BadInput(f"{row} is {row.state}; only a paused, failed or cancelled run can be resumed.")
    if budget_usd is not None:
        if budget_usd <= spent(row):
            raise BadInput(f"The cap must be above the {dollars(spent(row))} that is spent.")
        record(actor, "cap changed", row, before={"budget_usd": str(row.budget_usd)}, after={"budget_usd": str(budget_usd)})
        LabelingRun.objects.filter(pk=row.pk).update(budget_usd=budget_usd)
    record(actor, "labelling resumed", row, before={"state": row.state})
    run.resume()
