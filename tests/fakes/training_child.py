"""A training process that does what its first argument says: `python -m tests.fakes.training_child SCENE fit --out …`.

Asked to `estimate` it foretells, if its scene is one of learning.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

from training.student import artifact
from training.student.data import read_corpus
from training.student.events import to_stdout as emit

FORETOLD = {
    "tokens_per_s": 2000.0,
    "seconds": 600.0,
    "steps": 120,
    "tokens": 1_200_000,
    "peak_memory_bytes": 3_000_000_000,
    "device": "cpu",
    "device_memory_bytes": 16_000_000_000,
    "fits": True,
    "truncation": {"max_tokens": 256, "share": 0.61, "median_lost": 0.14, "median_tokens": 298.0},
    "checkpointing": False,
    "micro_batch": 16,
    "code_version": "scripted",
}


class Lack(NamedTuple):
    """What a machine lacks, as the process says it."""

    text: str
    permanent: bool


LACKS = {
    "disk full": Lack("The disk that holds /models is full. Free some space: the training goes on by itself.", permanent=False),
    "base missing": Lack("/bases/tiny is not a base model: it has no config.json.", permanent=True),
    "out of memory": Lack("CPU has too little memory for this training, even with one article at a time.", permanent=True),
}


def learn(data: Path, out: Path, *, epochs: int = 2) -> None:
    """Two epochs of two steps, a checkpoint after each, and a complete folder without weights."""
    corpus = read_corpus(data)
    out.mkdir(parents=True, exist_ok=True)
    done = len(list(out.glob("checkpoint-*")))
    emit("started", kind="ridge")
    emit("note", text="A scripted student.")
    emit("estimate", **FORETOLD)
    for epoch in range(done + 1, epochs + 1):
        for step in (2 * epoch - 1, 2 * epoch):
            emit("step", step=step, steps=2 * epochs, epoch=step / 2, loss=1 / step, lr=0.1, eta_s=1.0, tokens_per_s=1000)
        emit("epoch", number=epoch, train_mae=0.5, val_mae=1 / epoch, val_mae_by_output=[1.0, None], seconds=0.1)
        (out / f"checkpoint-{epoch}").touch()
        if epoch == 1 and scene == "killed after an epoch":
            os.kill(os.getpid(), signal.SIGKILL)
    for checkpoint in out.glob("checkpoint-*"):
        checkpoint.unlink()
    (out / "weights").write_text("none")
    metrics = {"val_mae": 1 / epochs, "chosen_epoch": epochs, "reload_max_diff": 0.0}
    manifest = {
        "format": artifact.FORMAT,
        "kind": "ridge",
        "outputs": [vars(output) for output in corpus.outputs],
        "metrics": metrics,
        "born": time.time_ns(),
    }
    emit("done", manifest_sha256=artifact.seal(out, manifest), val_mae=1 / epochs, chosen_epoch=epochs, reload_max_diff=0.0)


def hang(out: Path) -> None:
    """Says nothing and won't hear TERM, like a process deep inside a library."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    out.mkdir(parents=True, exist_ok=True)
    (out / "pid").write_text(str(os.getpid()))
    time.sleep(120)


def estimate(out: Path) -> None:
    """Some steps of many, and what they foretell."""
    out.mkdir(parents=True, exist_ok=True)
    for step in (1, 20):
        emit("step", step=step, steps=20, epoch=0.1, loss=1 / step, lr=0.1)
    emit("estimate", **FORETOLD)


def main(scene: str, verb: str, data: Path, out: Path) -> int:
    match scene:
        case "learns" if verb == "estimate":
            estimate(out)
        case "learns" | "killed after an epoch":
            learn(data, out)
        case "hangs":
            hang(out)
        case "refuses":
            emit("error", text="The median article would lose 80 % of its tokens.", permanent=True)
            return 1
        case "stumbles":
            emit("error", text="The disk is full.", permanent=False)
            return 75
        case "needs less":
            emit("note", text="Memory ran out with 16 articles at a time; it goes on with 8, in batches of the same size.")
            learn(data, out)
        case "disk full" | "base missing" | "out of memory":
            lack = LACKS[scene]
            emit("error", text=lack.text, permanent=lack.permanent)
            return 1 if lack.permanent else 75
        case "crashes":
            sys.stderr.write("Loading…\nValueError: the sky fell\n")
            return 3
        case "chatters":
            print("100%|####|\n{}\n[1, 2]\nnull")
            learn(data, out)
        case "leaves":
            emit("started", kind="ridge")
    return 0


if __name__ == "__main__":
    scene = sys.argv[1]
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    known, _ = parser.parse_known_args(sys.argv[3:])
    sys.exit(main(scene, sys.argv[2], known.data, known.out))
