"""Learning curves in the gpu lane. A message only says "look at curve N"; the row decides whether there is work."""

from celery import shared_task

from training.curves.service import run_curve
from training.models import LearningCurve


@shared_task(name="training.curve")
def draw(run_id: int) -> None:
    run_curve(run_id=run_id)


def send(run: LearningCurve) -> None:
    """What every door does with a new curve, once it is committed."""
    draw.delay_on_commit(run.pk)
