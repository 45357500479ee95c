"""What to type in a terminal for what the pages show."""

from distillery_site.common.runs import RunState
from labeling.models import LabelingRun

STOPPED = (RunState.PAUSED, RunState.FAILED, RunState.CANCELLED)


def label_command(run: LabelingRun) -> str:
    """What starts such a run; one that stopped goes on with --resume."""
    return resume_command(run) if run.state in STOPPED else " ".join(_start(run))


def resume_command(run: LabelingRun) -> str:
    budget = f" --budget {run.budget_usd:.2f}" if run.budget_usd else ""
    return f"python manage.py label {run.version.filter.slug}@{run.version.number} --resume {run.pk}{budget}"


def _start(run: LabelingRun) -> list[str]:
    parts = ["python manage.py label", f"{run.version.filter.slug}@{run.version.number}"]
    parts += ["--oracle", run.oracle.provider, "--size", str(run.progress_total)]
    parts += ["--reading", str(run.reading)] if run.reading > 1 else []
    parts += ["--budget", f"{run.budget_usd:.2f}"] if run.budget_usd else []
    return parts
