"""One contestant in a process of its own, which takes as many steps as it is told and waits in between.

python -m scripts.bench.train_lap CONTESTANT DATA BASE OPTIONS [--bf16] [--warm N]

Lines on stdin are numbers of steps; each is answered on stdout by one JSON object {"seconds", "articles", "tokens"}, the
first one, {"ready"}, after the warm-up. At the end of stdin it says {"peak_gb"} and goes.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from training.student.data import read_corpus


class Over(BaseException):
    """No more laps are wanted; nothing that retries or reports errors may catch this."""


class Laps:
    def __init__(self, warm: int):
        self.left, self.began = warm, 0.0
        self.articles = self.tokens = 0

    def watch(self, scorer: Any) -> None:
        scorer.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, scorer: Any, args: Any, kwargs: Any) -> None:
        mask = kwargs["attention_mask"]
        self.articles += len(mask)
        self.tokens += int(mask.sum())

    def step(self) -> None:
        self.left -= 1
        if self.left > 0:
            return
        if self.began:
            say(seconds=time.monotonic() - self.began, articles=self.articles, tokens=self.tokens)
        else:
            say(ready=True)
        self._wait()

    def _wait(self) -> None:
        line = sys.stdin.readline().strip()
        if not line:
            raise Over
        self.left, self.articles, self.tokens = int(line), 0, 0
        self.began = time.monotonic()


def say(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="train_lap", description=__doc__)
    parser.add_argument("contestant", choices=("ours", "trainer", "seed", "products"))
    parser.add_argument("data", type=Path)
    parser.add_argument("base", type=Path)
    parser.add_argument("options", type=json.loads)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--warm", type=int, default=2, help="steps that are not timed (default %(default)s)")
    options = parser.parse_args()
    corpus = read_corpus(options.data)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as training does: threads that wait leave the processor to others
    from scripts.bench import train_peers as peers  # torch, which reads that once
    from scripts.bench.train_products import products
    from training.student.lora import memory

    run = {"ours": peers.ours, "trainer": peers.of_the_trainer, "seed": peers.of_the_seed, "products": products}
    work = peers.Work(corpus, options.base, options.options, options.bf16)
    try:
        run[options.contestant](work, Laps(options.warm))
    except Over:
        say(peak_gb=memory.peak() / 1e9)
    else:
        raise SystemExit("The training ended before the laps did; take fewer rounds or more articles.")


if __name__ == "__main__":
    main()
