"""Something on every page of the site: a data set, students, runs, people at odds, invitations; rows only, nobody is asked."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from distillery_site.people.invitations import invite
from labeling import services
from labeling.models import Article, FilterVersion
from labeling.reviewing.deciding import decide
from scripts.bench import review_world as world
from tests.labeling import paid
from tests.scoring import world as students
from training import datasets
from training.models import TrainingRun
from training.services import promote

ARTICLES = 60


def furnish(version: FilterVersion, lead: Any) -> list[str]:
    """Addresses that no link leads to, once the rooms are full."""
    found = world.articles("rooms", ARTICLES)
    world.label(version, found)
    train(version)
    label(version)
    compared = "/models/compare?first=rooms-lora/v1&second=rooms-ridge/v1&split=test&filter=" + version.filter.slug
    return [compared, f"/filters/{version.filter.slug}/next", *review(version, found, lead)]


def train(version: FilterVersion) -> None:
    oracle = services.get_oracle(provider=services.EXTERNAL, model="bench oracle")
    made = datasets.freeze(name="rooms", versions=[version], oracle=oracle, fractions=(0.6, 0.2, 0.2))
    for name, miss in (("rooms-ridge", 0.7), ("rooms-lora", 0.4)):
        model = students.model(made, Path(settings.MODELS_ROOT), name=name, kind=name.partition("-")[2])
        for split in ("val", "test"):
            students.measured(model, lambda i, c, miss=miss: miss + 0.1 * ((i + c) % 3), split)
    promote(model=model, filter=version.filter, reason="There is no other.")
    run = TrainingRun.objects.create(dataset=made, kind="lora", model_name="rooms-lora", state="failed", error="Out of memory.")
    run.epochs.create(number=1, train_mae=0.6, val_mae=0.7, val_mae_by_output=[0.7] * len(world.KEYS), seconds=60)


def label(version: FilterVersion) -> None:
    run = paid.run(version, state="paused", error="The cap of 1.00 USD is reached.")
    for item, state in zip(run.items.all(), ("answered", "failed", "out"), strict=False):
        paid.call(item, state=state)


def review(version: FilterVersion, found: list[Article], lead: Any) -> list[str]:
    """Desks in each of their states, people far apart, a guideline, and the doors to an account."""
    people = [world.reviewer(f"rooms{number}", version) for number in range(3)]
    world.queue(version, found[:8], wanted=2)
    tasks = {task.article_id: task for task in version.review_tasks.open().filter(article__in=found[:8])}
    score, settle, done, apart, agreed = (tasks[one.pk] for one in found[:5])
    for task, points in ((done, (2.0, 3.0)), (apart, (0.0, 9.5)), (agreed, (5.0, 5.5))):
        for person, each in zip(people, points, strict=False):
            services.submit_review(task=task, reviewer=person, scores=[each] * len(world.KEYS), comment="So it seems.")
    services.submit_review(task=settle, reviewer=lead, scores=[4.0] * len(world.KEYS))
    decide(
        version=version, article=agreed.article, lead=lead, scores=[5.0] * len(world.KEYS), why="A plain case.", guideline=True
    )
    key, token = urlsafe_base64_encode(force_bytes(people[2].pk)), default_token_generator.make_token(people[2])
    secret = invite(actor=lead, role="reviewer", filters=[version.filter], days=3)[1]
    desks = [f"/review/{task.pk}/" for task in (score, settle, done)]
    return [*desks, f"/join/{secret}/", f"/password/{key}/{token}/"]
