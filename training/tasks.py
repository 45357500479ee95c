"""The gpu lane's jobs. A message only says "look at run N"; the row decides whether there is work."""

from celery import shared_task

from training.bases import shelf as base_models
from training.models import TrainingRun
from training.services import queued_ridges, run_training


@shared_task(name="training.train")
def train(run_id: int) -> None:
    run_training(run_id=run_id)


@shared_task(name="training.fetch_base")
def fetch_base(name: str) -> None:
    """Only starts it: a training need not wait for a download."""
    base_models.start(name)


def send(run: TrainingRun) -> None:
    """What every door does with a new run: its data set's waiting ridge first, then the run, once they are committed."""
    for row in (*queued_ridges(run), run):
        train.delay_on_commit(row.pk)
