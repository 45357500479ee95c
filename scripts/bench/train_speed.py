"""Articles a second of our training against the seed's recipe, Hugging Face's Trainer, and the matrix products alone.

All contestants are loaded at once and take turns of a few steps, so that whatever else the machine does meets them alike;
a figure is the median of its rounds. Articles a second are tokens read a second over the articles' mean length at that
limit, so that nobody profits from a turn with short articles.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.bench import train_texts
from scripts.bench.say import tell

ROOT = Path(__file__).resolve().parents[2]
SEEDS_TOKENS = 512
AT_ONCE = 32  # articles in a turn


@dataclass(frozen=True)
class Contestant:
    """`batch` is what one of its steps takes; `slow` ones have a single turn, and no steps before it."""

    name: str
    what: str
    batch: int
    options: Mapping[str, Any] = field(default_factory=dict)
    bf16: bool = False
    slow: bool = False


@dataclass(frozen=True)
class Turn:
    seconds: float
    articles: int
    tokens: int


def contestants(preset: Mapping[str, Any], native_bf16: bool) -> list[Contestant]:
    """`preset` says how many tokens ours reads and in which batches; every peer stands without the base's dropout, as ours
    does, and "…, dropout" with it, as its base comes."""
    long, batch = {"max_tokens": SEEDS_TOKENS}, preset["batch_size"] * preset["accumulate"]
    found = [
        Contestant("ours", "ours", batch),
        Contestant("products", "products", batch),
        Contestant("seed", "seed", 8, long),
        Contestant("seed, dropout", "seed", 8, {**long, "base_dropout": True}),
        Contestant("trainer", "trainer", 8, bf16=native_bf16),
        Contestant("trainer, dropout", "trainer", 8, {"base_dropout": True}, bf16=native_bf16),
    ]
    if preset["max_tokens"] != SEEDS_TOKENS:
        found.append(Contestant("ours, 512", "ours", batch, long))
    if not native_bf16:
        found.append(Contestant("trainer, bf16", "trainer", 8, bf16=True, slow=True))
    return found


class Lane:
    """A contestant's process."""

    def __init__(self, who: Contestant, data: Path, base: Path, threads: int):
        self.who, self.turns = who, list[Turn]()
        options = json.dumps(dict(who.options))
        command = [sys.executable, "-m", "scripts.bench.train_lap", who.what, str(data), str(base), options]
        command += ["--warm", "1" if who.slow else "2", *(["--bf16"] if who.bf16 else [])]
        env = {**os.environ, "HF_HUB_OFFLINE": "1", **({"OMP_NUM_THREADS": str(threads)} if threads else {})}
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.read("ready")

    def read(self, key: str) -> dict[str, Any]:
        """Its next answer that says `key`."""
        assert self.process.stdout
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                if isinstance(said, dict) and key in said:
                    return said
        raise SystemExit(f"{self.who.name} ended with status {self.process.wait()} before it said {key!r}.")

    def turn(self, articles: int) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{max(1, articles // self.who.batch)}\n")
        self.process.stdin.flush()
        self.turns.append(Turn(**self.read("seconds")))

    def end(self) -> float:
        """The most memory it had, in GB."""
        assert self.process.stdin
        self.process.stdin.close()
        peak = float(self.read("peak_gb")["peak_gb"])
        self.process.wait(60)
        return peak


def speed(options: Namespace) -> dict[str, Any]:
    data, base = train_texts.corpus(options.folder), train_texts.base(options.folder)
    preset, native = _recipe()
    lanes: dict[str, Lane] = {}
    with _all_ended(lanes):
        for who in contestants(preset, native):
            if options.only and who.name not in options.only:
                continue
            lanes[who.name] = Lane(who, data, base, options.threads)
            tell(f"speed: {who.name} is warm")
        for number in range(options.rounds):
            for lane in lanes.values():
                if not (lane.who.slow and number):
                    lane.turn(8 if lane.who.slow else options.articles)
            tell(f"speed: round {number + 1} of {options.rounds}")
        peaks = {name: lane.end() for name, lane in lanes.items()}
    return figures({name: lane.turns for name, lane in lanes.items()}, peaks, preset, native)


@contextlib.contextmanager
def _all_ended(lanes: Mapping[str, Lane]) -> Iterator[None]:
    try:
        yield
    finally:
        for lane in lanes.values():
            if lane.process.poll() is None:
                lane.process.kill()


def _recipe() -> tuple[dict[str, Any], bool]:
    """The demo's recipe, and whether this machine has bf16, asked in a child: torch is large, and we only look on."""
    code = (
        "import json; from training.student import config; from training.student.lora import trainer;"
        "made = config.make('lora', {'preset': 'minilm-demo'});"
        "print(json.dumps([config.to_json(made), trainer.bf16(config.LoraConfig())]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    recipe, native = json.loads(done.stdout.splitlines()[-1])
    return recipe, native


def figures(
    turns: Mapping[str, Sequence[Turn]], peaks: Mapping[str, float], recipe: Mapping[str, Any], native_bf16: bool
) -> dict[str, Any]:
    """Ratios by round, medians of them; None where a contestant wasn't there."""
    rates = {name: [turn.tokens / turn.seconds for turn in found] for name, found in turns.items() if name != "products"}
    lengths = {name: _mean_length(found) for name, found in turns.items()}

    def ratio(ours: str, peer: str, equal_tokens: bool = False) -> float | None:
        if ours not in rates or peer not in rates:
            return None
        shorter = 1.0 if equal_tokens else lengths[peer] / lengths[ours]
        pairs = zip(rates[ours], rates[peer], strict=False)
        return round(statistics.median(a / b for a, b in pairs) * shorter, 3)

    long = "ours" if recipe["max_tokens"] == SEEDS_TOKENS else "ours, 512"
    return {
        "speed_vs_seed": ratio("ours", "seed"),
        "speed_vs_seed_at_512": ratio(long, "seed"),
        "speed_vs_seed_with_dropout": ratio("ours", "seed, dropout"),
        "speed_vs_trainer": ratio("ours", "trainer", equal_tokens=True),
        "speed_vs_trainer_with_dropout": ratio("ours", "trainer, dropout", equal_tokens=True),
        "speed_vs_trainer_bf16": ratio("ours", "trainer" if native_bf16 else "trainer, bf16", equal_tokens=True),
        "roofline_share": _share(turns),
        "peak_memory_gb": round(peaks["ours"], 2) if "ours" in peaks else None,
        "articles_per_s": {name: round(statistics.median(found) / lengths[name], 2) for name, found in rates.items()},
        "tokens_per_s": {name: round(statistics.median(found)) for name, found in rates.items()},
        "peer_memory_gb": {name: round(peak, 2) for name, peak in peaks.items() if name not in ("ours", "products")},
        "arithmetic": "bf16" if native_bf16 else "fp32",
        "max_tokens": recipe["max_tokens"],
    }


def _mean_length(turns: Sequence[Turn]) -> float:
    return sum(turn.tokens for turn in turns) / max(1, sum(turn.articles for turn in turns))


def _share(turns: Mapping[str, Sequence[Turn]]) -> float | None:
    """The products' time over our step's, for the same batches."""
    if "ours" not in turns or "products" not in turns:
        return None
    pairs = zip(turns["products"], turns["ours"], strict=True)
    return round(statistics.median(alone.seconds / whole.seconds for alone, whole in pairs), 3)
