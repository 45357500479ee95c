"""What to type in a terminal for what the pages show."""

from collections.abc import Iterator
from shlex import quote

from distillery_site.common.runs import RunState
from labeling.models import FilterVersion, LabelingRun
from labeling.oracles import registry
from labeling.running.budget import REACHED

STOPPED = (RunState.PAUSED, RunState.FAILED, RunState.CANCELLED)
LABEL = "python manage.py label"
Kind, Mode = LabelingRun.Kind, LabelingRun.Mode


def label_command(run: LabelingRun) -> str:
    """What starts such a run; one that stopped goes on with --resume."""
    return resume_command(run) if run.state in STOPPED else " ".join([LABEL, *_start(run)])


def resume_command(run: LabelingRun) -> str:
    """Its cap stays, unless that is what stopped it; then a person has to say the new one."""
    more = ["--budget USD"] if run.error.startswith(REACHED) else []
    return " ".join([LABEL, _name(run.version), "--resume", str(run.pk), *more])


def _start(run: LabelingRun) -> Iterator[str]:
    yield _name(run.version)
    yield from _oracle(run)
    for version in run.versions[1:]:
        yield f"--also {_name(version)}"
    if run.mode == Mode.BATCH:
        yield "--batch"
    yield from _articles(run)
    if run.reading > 1:
        yield f"--reading {run.reading}"
    yield from _budget(run)


def _name(version: FilterVersion) -> str:
    return f"{version.filter.slug}@{version.number}"


def _oracle(run: LabelingRun) -> Iterator[str]:
    """What differs from the provider's usual model and parameters."""
    oracle = run.oracle
    known = registry.PROVIDERS.get(oracle.provider)
    yield f"--provider {oracle.provider}"
    if known is None or oracle.model != known.default_model:
        yield f"--model {quote(oracle.model)}"
    for name, value in oracle.params.items():
        if known is None or known.defaults.get(name) != value:
            yield f"--param {quote(f'{name}={value}')}"


def _articles(run: LabelingRun) -> Iterator[str]:
    """How they were drawn; the same seed draws the same."""
    sampling = run.sampling
    if run.kind == Kind.ENRICHED and "pilot" in sampling:
        yield f"--enrich {sampling['pilot']}"
    if run.kind == Kind.PILOT:
        yield "--pilot"
    if sampling.get("how") != "all":
        yield f"--size {run.progress_total}"
    if sampling.get("seed"):
        yield f"--seed {sampling['seed']}"


def _budget(run: LabelingRun) -> list[str]:
    return [f"--budget {run.budget_usd:.2f}"] if run.budget_usd else []
