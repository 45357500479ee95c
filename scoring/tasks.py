"""Benchmarks have a lane of their own, so that none waits behind an hour of training."""

from celery import shared_task

from scoring.services import run_benchmark


@shared_task(name="scoring.benchmark")
def benchmark(run_id: int) -> None:
    run_benchmark(run_id=run_id)
