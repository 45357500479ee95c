"""Every hyper-parameter of every student, one sentence each, and the presets that choose among them."""

from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from distillery_site.common.errors import BadInput


def _option(default: Any, about: str, *, low: float | None = None, high: float | None = None) -> Any:
    """A field with its sentence and, for numbers, its allowed range (both ends allowed)."""
    meta = {"about": about, "low": low, "high": high, "empty": default == ()}
    if isinstance(default, tuple):
        return field(default_factory=lambda: default, metadata=meta)
    return field(default=default, metadata=meta)


@dataclass(frozen=True)
class RidgeConfig:
    """Linear regression on TF-IDF: the honest text baseline, trained in seconds."""

    alphas: tuple[float, ...] = _option(
        (0.3, 0.6, 1.2), "Ridge penalties to try; each output takes the one with the smallest validation MAE.", low=1e-6
    )
    root: bool = _option(
        True, "Learn the square roots of the scores: it weighs errors among the many low scores more, as the MAE does."
    )
    shrink: bool = _option(True, "Pull an output towards the training median as far as that lowers its validation MAE.")
    word_features: int = _option(20_000, "Most frequent words and word pairs that are kept.", low=1, high=1_000_000)
    char_features: int = _option(40_000, "Most frequent runs of 3–5 characters that are kept.", low=1, high=1_000_000)
    min_articles: int = _option(2, "A word or run found in fewer training articles is left out.", low=1)


@dataclass(frozen=True)
class KernelConfig:
    """Ridge regression with a Gaussian kernel over a frozen base's vectors: minutes on a processor, nothing to tune."""

    base: str = _option("minilm", "Name of the base model in the catalogue or of a local folder's registration.")
    layers: int = _option(
        6, "Layers whose mean token vectors describe an article, evenly spaced to the last one.", low=1, high=200
    )
    gammas: tuple[float, ...] = _option(
        (0.5, 0.8, 1.2), "Kernel widths to try, exp(-gamma · distance); each output takes the best in validation.", low=1e-6
    )
    alphas: tuple[float, ...] = _option(
        (0.05, 0.1, 0.2), "Ridge penalties to try; each output takes the one with the smallest validation MAE.", low=1e-6
    )
    root: bool = _option(
        True, "Learn the square roots of the scores: it weighs errors among the many low scores more, as the MAE does."
    )
    shrink: bool = _option(True, "Pull an output towards the training median as far as that lowers its validation MAE.")
    max_tokens: int = _option(512, "Tokens of an article that the student reads; the rest is cut.", low=8, high=131_072)
    truncation: Literal["head", "head_tail"] = _option(
        "head", "What is kept of a long article: its beginning, or the first three quarters of the limit and the last one."
    )
    max_lost_share: float = _option(
        0.5, "Refuse to train when the median article would lose more than this share of its tokens.", low=0.0, high=1.0
    )


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters on a pretrained base, with one linear head for all outputs."""

    base: str = _option("minilm", "Name of the base model in the catalogue or of a local folder's registration.")
    pooling: Literal["mean", "last"] = _option(
        "mean", "mean: average of all tokens and an own head; last: the base's stock head, on the token it is made for."
    )
    target_modules: tuple[str, ...] = _option(
        (), "Names of the linear layers that get adapters, q_proj for example; none: all of the transformer's."
    )
    rank: int = _option(16, "Rank of the adapters.", low=1, high=512)
    alpha: int = _option(32, "Scale of the adapters; they count alpha / rank times.", low=1)
    dropout: float = _option(0.05, "Dropout before each adapter while training.", low=0.0, high=0.9)
    base_dropout: bool = _option(False, "Keep the base's own dropout too; without it a CPU trains half as fast again.")
    learning_rate: float = _option(8e-4, "Highest learning rate of AdamW.", low=1e-8, high=1.0)
    head_learning_rate: float = _option(0.0, "Highest learning rate of the head; 0: the adapters'.", low=0.0, high=1.0)
    layer_decay: float = _option(
        1.0, "Each layer's rate is that of the layer above it times this; the head is above all.", low=0.1, high=1.0
    )
    schedule: Literal["linear", "cosine", "constant"] = _option("linear", "How the rate falls after warm-up.")
    warmup: float = _option(
        0.06, "Over how much the rate rises: below 1 a share of all steps, from 1 on a number of steps.", low=0.0
    )
    weight_decay: float = _option(0.0, "AdamW's weight decay.", low=0.0, high=1.0)
    max_grad_norm: float = _option(1.0, "Gradients longer than this are shortened to it.", low=1e-6)
    epochs: int = _option(4, "Passes over the training articles; the best by validation MAE is kept.", low=1, high=1000)
    average: int = _option(
        1, "The mean of the last so many epochs' weights is measured too, and kept if its validation MAE is smaller.", low=1
    )
    batch_size: int = _option(16, "Articles in a batch, on all processors and GPUs together.", low=1, high=4096)
    accumulate: int = _option(1, "Batches whose gradients are added up before a step.", low=1, high=4096)
    instruction: str = _option("", "Put before every article, in training and in scoring; its tokens count.")
    max_tokens: int = _option(
        256, "Tokens of instruction and article that the student reads; the rest of the article is cut.", low=8, high=131_072
    )
    truncation: Literal["head", "head_tail"] = _option(
        "head", "What is kept of a long article: its beginning, or the first three quarters of the limit and the last one."
    )
    max_lost_share: float = _option(
        0.5, "Refuse to train when the median article would lose more than this share of its tokens.", low=0.0, high=1.0
    )
    loss: Literal["mae", "mse", "huber"] = _option("mae", "What training minimises.")
    huber_delta: float = _option(
        1.0, "Huber counts errors below this squared and larger ones plainly, in units of each output's spread.", low=1e-3
    )
    standardise: bool = _option(
        True, "Learn targets divided by each output's spread, from a head that starts at each output's mean."
    )
    autocast: Literal["auto", "bf16", "none"] = _option(
        "auto", "bf16 arithmetic while training; auto takes it where the processor has it. Prediction is always fp32."
    )
    checkpointing: Literal["auto", "on", "off"] = _option(
        "auto", "Recompute activations in the backward pass: less memory, more time; auto where they would not fit otherwise."
    )
    save_steps: int = _option(50, "Steps between checkpoints a killed run resumes from (each epoch's end is one too).", low=1)
    train_sample: int = _option(256, "Training articles on which the training MAE is measured, in eval mode.", low=1)
    seed: int = _option(0, "Seed of shuffling, dropout and initial adapters.", low=0, high=2**32 - 1)


@dataclass(frozen=True)
class StackConfig:
    """Members' predictions and the training median, mixed for each output with weights that sum to 1."""

    grid: int = _option(20, "Weights are multiples of 1 / grid.", low=1, high=100)
    folds: int = _option(5, "Validation folds; weights are chosen on all but one and judged on that one.", low=2, high=50)
    seed: int = _option(0, "Seed of the folds.", low=0, high=2**32 - 1)


Config = RidgeConfig | KernelConfig | LoraConfig | StackConfig
KINDS: dict[str, type[Config]] = {
    "ridge": RidgeConfig, "kernel": KernelConfig, "lora": LoraConfig, "stack": StackConfig
}  # fmt: skip

_QWEN = {"base": "qwen2.5-1.5b", "pooling": "last", "max_tokens": 512, "batch_size": 8}
PRESETS: dict[str, Mapping[str, Any]] = {
    "minilm-demo": {"max_lost_share": 0.8},  # half of a long article is enough for a demo, and 128 tokens for a fast one
    "qwen2.5-1.5b": {**_QWEN, "learning_rate": 2e-4, "accumulate": 2, "epochs": 4, "schedule": "cosine"},
    "seed-faithful": {
        **_QWEN, "learning_rate": 2e-5, "warmup": 500, "standardise": False, "epochs": 3,
        "weight_decay": 0.01, "checkpointing": "on",
    },
    "tiny": {
        "base": "tiny", "pooling": "last", "learning_rate": 5e-3, "epochs": 2, "batch_size": 8, "max_tokens": 64,
        "max_lost_share": 1.0, "save_steps": 5, "train_sample": 16,
    },
}  # fmt: skip


def make(kind: str, options: Mapping[str, Any] | None = None) -> Config:
    """A checked configuration from {"preset": NAME, other option: value}; BadInput lists every problem.

    Presets are for the kind "lora"; options given beside a preset override it.
    """
    if kind not in KINDS:
        raise BadInput(f"There is no student kind {kind!r}; there are {', '.join(KINDS)}.")
    given = dict(options or {})
    preset = given.pop("preset", "") or ""
    if preset and (kind != "lora" or preset not in PRESETS):
        raise BadInput(f"There is no preset {preset!r} for {kind}; lora has {', '.join(PRESETS)}.")
    chosen = {**PRESETS.get(preset, {}), **given}
    types = get_type_hints(KINDS[kind])
    known = {f.name: f for f in fields(KINDS[kind])}
    problems = [f"{kind} has no option {name!r}; it has {', '.join(known)}." for name in chosen if name not in known]
    values = {name: _typed(value, types[name]) for name, value in chosen.items() if name in known}
    problems += [fault for name, value in values.items() if (fault := _fault(known[name], types[name], value))]
    made = None if problems else KINDS[kind](**values)
    problems += _inert(made) if isinstance(made, LoraConfig) else []
    if made is None or problems:
        raise BadInput(*problems)
    return made


def _inert(made: LoraConfig) -> list[str]:
    """Options that would change nothing: whoever set them expects otherwise."""
    found = []
    if made.huber_delta != LoraConfig.huber_delta and made.loss != "huber":
        found.append(f"huber_delta has no part in the loss {made.loss}; leave it out or take loss huber.")
    if made.average > made.epochs:
        found.append(f"average takes the last {made.average} epochs and there are only {made.epochs}.")
    if made.instruction and not made.instruction.strip():
        found.append("instruction holds only blanks; leave it out.")
    if len(set(made.target_modules)) < len(made.target_modules):
        found.append("target_modules names a layer twice.")
    return found


def to_json(config: Config) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(config).items()}


def describe(kind: str) -> list[tuple[str, Any, str]]:
    """[(option, default, what it does)] for a help text or a form."""
    return [
        (name, value, option.metadata["about"])
        for option, (name, value) in zip(fields(KINDS[kind]), asdict(KINDS[kind]()).items(), strict=True)
    ]


def _typed(value: Any, wanted: Any) -> Any:
    """JSON has no tuples, and writes 1.0 as 1: make both what the field means."""
    if get_origin(wanted) is tuple and isinstance(value, list | tuple):
        return tuple(_typed(item, get_args(wanted)[0]) for item in value)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _fault(option: Field[Any], wanted: Any, value: Any) -> str:
    if get_origin(wanted) is tuple:
        if not isinstance(value, tuple):
            return f"{option.name} must be a list, not {value!r}."
        if not value and not option.metadata["empty"]:
            return f"{option.name} must be a list of at least one number, not {value!r}."
        return next((fault for item in value if (fault := _fault(option, get_args(wanted)[0], item))), "")
    if get_origin(wanted) is Literal:
        names = get_args(wanted)
        return "" if value in names else f"{option.name} must be {' or '.join(names)}, not {value!r}."
    if type(value) is not wanted:
        return f"{option.name} must be {_NAMES[wanted]}, not {value!r}."
    return _out_of_range(option, value)


_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def _out_of_range(option: Field[Any], value: Any) -> str:
    low, high = option.metadata["low"], option.metadata["high"]
    if low is not None and not value >= low:
        return f"{option.name} must be at least {low}, not {value}."
    if high is not None and not value <= high:
        return f"{option.name} must be at most {high}, not {value}."
    return ""
