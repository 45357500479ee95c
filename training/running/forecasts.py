"""What an estimate foretells, as a person can rely on it, and what came of earlier ones."""

from dataclasses import dataclass
from typing import Any

from distillery_site.common.runs import RunState
from training.models import TrainingRun

FEW = 5  # trainings here that are needed before their own record says how far estimates go wrong
LOOKED_AT = 20
USUAL = (0.8, 1.5)  # times the estimate: a machine that is also used for other things is slower more often than faster


@dataclass(frozen=True)
class Forecast:
    """An estimate's figures; None where the process did not tell."""

    seconds: float | None
    low_s: float | None
    high_s: float | None
    basis: str
    steps: int | None
    tokens: int | None
    tokens_per_s: float | None
    memory: int | None
    room: int | None
    device: str
    fits: bool | None
    cut: str
    how: str

    @property
    def rows(self) -> list[tuple[str, str]]:
        """(what, in words) of all that is known: what page and command show."""
        known = {
            "Time": span(self.low_s, self.high_s),
            "Memory": self.memory_words,
            "Device": ", ".join(filter(None, (self.device, self.how))),
            "Tokens": self.token_words,
            "Articles": self.cut,
        }
        return [(what, words) for what, words in known.items() if words]

    @property
    def memory_words(self) -> str:
        if not self.memory:
            return ""
        room = f" of {gigabytes(self.room)}" if self.room else ""
        return f"{gigabytes(self.memory)}{room}{'' if self.fits is None else ': it fits' if self.fits else ': it does not fit'}"

    @property
    def token_words(self) -> str:
        speed = f", {self.tokens_per_s:,.0f} a second" if self.tokens_per_s else ""
        return f"{self.tokens:,} in {self.steps or 0:,} steps{speed}" if self.tokens else ""


def span(low: float | None, high: float | None) -> str:
    """8 to 15 min; both ends in the unit that suits the longer one."""
    if low is None or high is None:
        return ""
    size, unit, decimals = next(row for row in ((3600, "h", 1), (60, "min", 0), (0, "s", 0)) if high >= 2 * row[0])
    return f"{low / (size or 1):.{decimals}f} to {high / (size or 1):.{decimals}f} {unit}"


def gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


def forecast(run: TrainingRun) -> Forecast | None:
    """None while nothing is foretold."""
    told = run.estimate
    if not told:
        return None
    seconds, (low, high), basis = told.get("seconds"), *_range()
    return Forecast(
        seconds=seconds,
        low_s=seconds * low if seconds is not None else None,
        high_s=seconds * high if seconds is not None else None,
        basis=basis,
        steps=told.get("steps"),
        tokens=told.get("tokens"),
        tokens_per_s=told.get("tokens_per_s"),
        memory=told.get("peak_memory_bytes"),
        room=told.get("device_memory_bytes"),
        device=told.get("device") or "",
        fits=told.get("fits"),
        cut=_cut(told.get("truncation") or {}),
        how=_how(told),
    )


def _range() -> tuple[tuple[float, float], str]:
    """How many times its estimate a training took here at least and at most, and what that rests on."""
    ratios = [run.seconds / run.estimate["seconds"] for run in _past() if run.seconds]
    if len(ratios) < FEW:
        return USUAL, "Twenty steps know nothing of what else the machine will have to do, so take the range, not its middle."
    return (min(ratios), max(ratios)), f"The range is what the last {len(ratios)} trainings here made of their estimates."


def _past() -> list[TrainingRun]:
    """The last trainings that went through in one go."""
    done = TrainingRun.objects.trainings().filter(state=RunState.DONE, estimate__seconds__gt=0).newest()[:LOOKED_AT]
    return [run for run in done if not any(note.startswith("Resumed") for note in run.notes)]


def _cut(told: dict[str, Any]) -> str:
    """Truncation in words."""
    if not told:
        return ""
    if not told.get("share"):
        return f"No article is longer than the limit of {told['max_tokens']:,} tokens."
    lost = told.get("median_lost")
    median = f"; the median one loses {lost:.0%} of its text" if lost else "; the median one is read whole"
    return f"{told['share']:.0%} of the articles are cut to {told['max_tokens']:,} tokens{median}."


def _how(told: dict[str, Any]) -> str:
    parts = [f"{told['micro_batch']} articles at a time"] if told.get("micro_batch") else []
    if "checkpointing" in told:
        parts.append("with activation checkpointing" if told["checkpointing"] else "without activation checkpointing")
    return ", ".join(parts)


def foreseen(run: TrainingRun) -> list[tuple[str, str, str]]:
    """(what, as foretold, as it became so far) of a training; its forecast is the estimate before it, or its own first steps'."""
    same = {"dataset": run.dataset_id, "kind": run.kind, "preset": run.preset, "config": run.config}
    earlier = TrainingRun.objects.estimates().filter(state=RunState.DONE, pk__lt=run.pk, **same).newest().first()
    told, own = forecast(earlier or run), forecast(run) if earlier else None
    if told is None:
        return []
    took = span(run.seconds, run.seconds) if run.seconds else ""
    became = {"Time": took.partition(" to ")[2], **(dict(own.rows[1:]) if own else {})}
    return [(what, words, became.get(what, "")) for what, words in told.rows]
