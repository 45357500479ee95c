"""The clock's only job: look for runs that are due and send them to their lanes."""

from functools import partial

from celery import Task, shared_task

from distillery_site.common.runs import redispatch as send_due
from labeling.models import LabelingShard
from labeling.tasks import label
from scoring.models import Benchmark
from scoring.tasks import benchmark
from training.curves.tasks import draw
from training.models import LearningCurve, TrainingRun
from training.tasks import train

STALE_SECONDS = 10  # by then the clock has sent another; a busy lane drops these unread


def _send(task: Task, pk: int) -> None:
    task.apply_async((pk,), expires=STALE_SECONDS)


@shared_task(name="distillery_site.redispatch")
def redispatch() -> None:
    for model, task in ((LabelingShard, label), (TrainingRun, train), (LearningCurve, draw), (Benchmark, benchmark)):
        send_due(model, partial(_send, task))
