"""The queue's way into a labelling run: a message a shard."""

from celery import shared_task

from labeling import services
from labeling.models import LabelingRun


@shared_task(name="labeling.label")
def label(shard_id: int) -> None:
    services.work_shard(shard_id=shard_id)


def send(run: LabelingRun) -> None:
    """After the transaction: tell the workers of every shard. A message that gets lost is sent again by the clock."""
    for shard in run.shards.order_by("number").values_list("pk", flat=True):
        label.delay_on_commit(shard)
