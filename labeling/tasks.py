"""The queue's way into a labelling run."""

from celery import shared_task

from labeling import services


@shared_task(name="labeling.label")
def label(run_id: int) -> None:
    services.run_labeling(run_id=run_id)
