"""Train against the seed's recipe, against Hugging Face's Trainer and against the oracle; `make bench-train`.

    python -m scripts.bench_train [speed] [mae] [coverage] [--rounds 7] [--seeds 1] [--folder var/bench-train] …

What happens goes to stderr; the last line of stdout is one JSON object, with null for parts that were not run:
mae              filter → mean absolute error on the test split, opened once with the recipe that validation chose
mae_by_dimension filter → dimension → {mae, ci, constant, ridge, repeat, n} on the same rows
mae_sd           filter → standard deviation of the validation error over seeds; null with one seed
speed_vs_seed    articles a second over those of the seed's recipe: fp32, padded to 512, activation checkpointing,
                 batches of 8; …_at_512: ours reads 512 tokens too; …_with_dropout: the peer keeps its base's dropout
speed_vs_trainer tokens a second over those of Hugging Face's Trainer with its defaults, and bf16 where the processor has it;
                 …_bf16: with bf16 where it has not, too
roofline_share   time of the matrix products of our steps, run alone with the best kernel here, over the steps' time
peak_memory_gb   of our training process
coverage         kind → share of the oracle's scores inside 90 % intervals, mean over 200 random halves of validation and
                 test rows
Speed takes minutes, mae the hour that training takes: it keeps its work in the folder and goes on from there.
"""

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

from scripts.bench.train_site import coverage, mae
from scripts.bench.train_speed import AT_ONCE, speed

ROOT = Path(__file__).resolve().parents[1]
PARTS = {"speed": speed, "mae": mae, "coverage": coverage}
FIGURES = (
    *("mae", "mae_by_dimension", "mae_sd", "speed_vs_seed", "speed_vs_trainer", "roofline_share", "peak_memory_gb"),
    "coverage",
)


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is put away
    found: dict[str, Any] = dict.fromkeys(FIGURES)
    for name in options.parts or PARTS:
        found |= PARTS[name](options)
    print(json.dumps(found))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_train", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench-train", help="keeps texts, base, site and students")
    parser.add_argument("--rounds", type=int, default=7, help="speed: turns of each contestant (default %(default)s)")
    parser.add_argument("--articles", type=int, default=AT_ONCE, help="speed: in a turn (default %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="speed: of each contestant (default: all cores)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="speed: only this contestant, again for more")
    parser.add_argument("--seeds", type=int, default=1, help="mae: trainings with other seeds (default %(default)s)")
    parser.add_argument("--fast", action="store_true", help="mae: 600 articles and one epoch, as `make demo DEMO_ARGS=--fast`")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    options.folder = options.folder.resolve()
    return options


if __name__ == "__main__":
    main()
