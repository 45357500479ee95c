"""What this machine's GPU makes of a 1.5B student: training, scoring, and the same scores as a CPU; `make verify-gpu`.

    python -m scripts.verify_gpu [--shape qwen2.5-1.5b] [--steps 20] [--tokens 512] …

It runs the site's own commands: `python -m training.student estimate` for memory and speed, `fit` for a small student that
is saved and read back, and that student's predictions. The base is the one in --bases where it was fetched, else random
weights of its shape, which cost and weigh the same. The last line of stdout is one JSON object:
training_articles_per_s, training_tokens_per_s, training_memory_gb   at batch 8 × 512 tokens, after the first step
scoring_ms_per_article, scoring_memory_gb   in batches, fp32, articles of 512 tokens; the median of five goes
parity_max_diff  the most that scores of a few articles differ between GPU and CPU, both in fp32, in points of 0–10;
                 asked ≤ 0.01 (sums in another order through 28 layers; a wrong mask or dtype costs far more)
It ends with status 0, 1 where parity fails, and 2 on a machine without a GPU. `--device cpu --shape tiny` tries the way.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.bench import gpu_base

ROOT = Path(__file__).resolve().parents[1]
TOLERANCE = 0.01
BATCH, SCORED, COMPARED = 8, 64, 4


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        print("This machine has no GPU that PyTorch can use; run this where there is one.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="verify-gpu-", dir=options.scratch) as folder:
        found = verify(Path(folder), options)
    print(json.dumps(found))
    return 0 if found["parity_ok"] else 1


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="verify_gpu", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu tries the way (default %(default)s)")
    parser.add_argument("--shape", choices=("qwen2.5-1.5b", "tiny"), default="qwen2.5-1.5b", help="(default %(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="of training that are measured, at most 20 (default %(default)s)")
    parser.add_argument("--tokens", type=int, default=512, help="of every article (default %(default)s)")
    parser.add_argument("--bases", type=Path, default=ROOT / "var" / "bases", help="where bases lie (default %(default)s)")
    parser.add_argument("--scratch", type=Path, help="a disk with room for 4 GB (default: the system's temporary folder)")
    return parser.parse_args(argv)


def verify(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    base, weights = base_of(folder, options)
    estimate = command("estimate", folder, base, gpu_base.corpus(folder / "long", BATCH * options.steps, options.tokens), options)
    command("fit", folder, base, gpu_base.corpus(folder / "short", 2 * BATCH, options.tokens), options)
    speed = estimate["tokens_per_s"]
    return {
        "device": estimate["device"],
        "device_memory_gb": round(estimate["device_memory_bytes"] / 1e9, 1),
        "shape": options.shape,
        "weights": weights,
        "batch": BATCH,
        "tokens": options.tokens,
        "training_articles_per_s": round(speed / options.tokens, 2),
        "training_tokens_per_s": round(speed),
        "training_memory_gb": round(estimate["peak_memory_bytes"] / 1e9, 2),
        "checkpointing": estimate["checkpointing"],
        "micro_batch": estimate["micro_batch"],
        **scoring(folder / "student", base, options),
    }


def base_of(folder: Path, options: argparse.Namespace) -> tuple[Path, str]:
    """The base's folder, and whether its weights are "fetched" or "random"."""
    if (options.bases / options.shape / "base.json").is_file():
        return options.bases / options.shape, "fetched"
    return gpu_base.make_base(folder / "bases" / options.shape, gpu_base.shape_of(options.shape), options.device), "random"


def command(what: str, folder: Path, base: Path, data: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The event that ends one of the student's own commands, run as the platform runs it."""
    recipe = {"preset": "qwen2.5-1.5b", "max_tokens": options.tokens, "batch_size": BATCH, "accumulate": 1, "epochs": 1,
              "max_lost_share": 1.0}  # fmt: skip
    (folder / "recipe.json").write_text(json.dumps(recipe))
    words = ["--kind", "lora", "--data", str(data), "--out", str(folder / "student"), "--base", str(base)]
    command = [sys.executable, "-m", "training.student", what, *words, "--config", str(folder / "recipe.json")]
    done = run(command)
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    last = next((one for one in reversed(events) if one["event"] in ("estimate", "done", "error")), None)
    if done.returncode or last is None or last["event"] == "error":
        raise SystemExit(f"`{what}` failed: {last['text'] if last else done.stderr[-2000:]}")
    return last


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def scoring(directory: Path, base: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Time, memory and parity of the student that was saved."""
    import torch

    from training.student import artifact
    from training.student.lora import memory

    manifest, sha256 = artifact.read_manifest(directory)
    student: Any = artifact.open_student(directory, manifest, sha256, bases=base.parent)
    articles = gpu_base.texts(SCORED, options.tokens)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    student.predict(articles)  # the first time costs more
    seconds = [timed(lambda: student.predict(articles)) for _ in range(5)]
    peak = memory.peak()
    here = student.predict(articles[:COMPARED])
    student.scorer.to("cpu")
    difference = artifact.max_difference(here, student.predict(articles[:COMPARED]))
    return {
        "scoring_ms_per_article": round(statistics.median(seconds) * 1000 / SCORED, 2),
        "scoring_memory_gb": round(peak / 1e9, 2),
        "parity_max_diff": round(float(difference), 6),
        "parity_tolerance": TOLERANCE,
        "parity_ok": bool(difference <= TOLERANCE),
    }


def timed(run: Any) -> float:
    began = time.monotonic()
    run()
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
