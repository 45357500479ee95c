"""What is labelled: a filter and made-up articles, and a run over them that survives its database's death."""

import contextlib
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.db import Error, connection

from distillery_site import celery as celery  # tasks are sent by its app
from distillery_site.common.runs import FINAL
from labeling import services, tasks
from labeling.models import Article, FilterVersion, LabelingItem, LabelingRun
from labeling.oracles import registry
from labeling.rubrics.packages import FilterPackage
from scripts.bench.texts import RUBRIC, text_of

PATIENCE = 120.0


def patiently(work: Callable[[], Any]) -> Any:
    """Do it although the database may be away for a while."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except Error:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def version() -> FilterVersion:
    return services.import_package(package=FilterPackage.model_validate(RUBRIC))


def articles(source: str, count: int, words: int) -> list[int]:
    """Articles no two of which are alike; their primary keys."""

    def row(number: int) -> Article:
        title, text = f"{source} {number}", text_of(source, number, words)
        return Article(
            source=source,
            external_id=str(number),
            title=title,
            text=text,
            words=words,
            text_sha256=Article.hash_of(title, None, text),
        )

    for start in range(0, count, 5000):
        Article.objects.bulk_create([row(number) for number in range(start, min(start + 5000, count))])
    return list(Article.objects.filter(source=source).order_by("pk").values_list("pk", flat=True))


def start(found: list[int], budget: Decimal, mode: str = "direct") -> LabelingRun:
    known = registry.provider("anthropic")
    oracle = services.get_oracle(provider="anthropic", model=known.default_model)
    run = services.start_labeling(version=version(), oracle=oracle, articles=found, budget_usd=budget, mode=mode, agreed=True)
    tasks.send(run)
    return run


def read(run: LabelingRun) -> LabelingRun:
    return patiently(lambda: LabelingRun.objects.get(pk=run.pk))


def is_over(run: LabelingRun) -> bool:
    return run.state in FINAL


def unfinished(run: LabelingRun) -> int:
    """Articles that are neither labelled nor failed with a reason."""
    items = LabelingItem.objects.filter(run=run)
    return patiently(lambda: items.filter(state="waiting").count() + items.filter(state="failed", error_class="").count())


def resume(run: LabelingRun, budget: Decimal | None = None) -> None:
    patiently(lambda: services.resume_labeling(run=run, budget_usd=budget))
    with contextlib.suppress(Exception):  # with the queue away the clock sends it
        tasks.send(run)
