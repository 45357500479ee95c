"""A training process that does what its first argument says: `python -m tests.fakes.training_child SCENE fit --out …`."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from training.student import artifact
from training.student.data import read_corpus
from training.student.events import to_stdout as emit


def learn(data: Path, out: Path, *, epochs: int = 2) -> None:
    """Two epochs of two steps, a checkpoint after each, and a complete folder without weights."""
    corpus = read_corpus(data)
    out.mkdir(parents=True, exist_ok=True)
    done = len(list(out.glob("checkpoint-*")))
    emit("started", kind="ridge")
    emit("note", text="A scripted student.")
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


def main(scene: str, data: Path, out: Path) -> int:
    match scene:
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
    sys.exit(main(scene, known.data, known.out))
