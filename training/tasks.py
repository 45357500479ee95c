"""The gpu lane's one job. A message only says "look at run N"; the row decides whether there is work."""

from celery import shared_task

from training.models import TrainingRun
from training.services import queued_ridges, run_training


@shared_task(name="training.train")
def train(run_id: int) -> None:
    run_training(run_id=run_id)


def send(run: TrainingRun) -> None:
    """What every door does with a new run: its data set's waiting ridge first, then the run, once they are committed."""
    for row in (*queued_ridges(run), run):
        train.delay_on_commit(row.pk)
